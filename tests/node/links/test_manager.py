"""How links are made and kept."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.node.links.neighbours import Neighbour


@pytest.mark.parametrize(("longest", "least", "most"), [(30.0, 30, 90), (1.0, 1000, 2010)])
async def test_the_longest_pause_between_attempts(
    longest: float, least: int, most: int, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trio.open_nursery() as nursery:
        dialler = Neighbour(nursery)
        attempts: list[str] = []
        dial = dialler.manager.dial

        async def counted(url: str, expected: bytes | None) -> object:
            attempts.append(url)
            return await dial(url, expected)

        monkeypatch.setattr(dialler.manager, "dial", counted)
        dialler.manager.longest_pause = longest
        dialler.manager.keep("memory:nobody", None)
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    assert least <= len(attempts) <= most
