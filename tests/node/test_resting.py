"""What does nothing rests."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from node.resting import CHECK, rest


class Idle:
    """Counts how often it may rest."""

    def __init__(self) -> None:
        self.count = 0

    def rest(self) -> None:
        self.count += 1


async def test_links_and_sessions_rest_as_they_come_and_go(autojump_clock: MockClock) -> None:
    link, late, session = Idle(), Idle(), Idle()
    links, sessions = {link}, [session]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rest, links, lambda: sessions)
        await trio.sleep(2.5 * CHECK)
        links.add(late)
        sessions.clear()
        await trio.sleep(2 * CHECK)
        nursery.cancel_scope.cancel()
    assert (link.count, late.count, session.count) == (4, 2, 2)
