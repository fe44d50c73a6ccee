"""What happens once."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from node.links.moment import Moment


async def test_all_who_wait_go_on_when_it_comes() -> None:
    moment, gone_on = Moment(), []

    async def wait(name: str) -> None:
        await moment.wait()
        gone_on.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "one")
        nursery.start_soon(wait, "other")
        await wait_all_tasks_blocked()
        assert (gone_on, moment.is_set()) == ([], False)
        moment.set()
    assert sorted(gone_on) == ["one", "other"]


async def test_nobody_waits_for_what_has_come() -> None:
    moment = Moment()
    moment.set()
    moment.set()
    with trio.fail_after(1):
        await moment.wait()
    assert moment.is_set()


async def test_who_waits_can_be_cancelled() -> None:
    moment = Moment()
    with trio.move_on_after(0) as scope:
        await moment.wait()
    assert scope.cancelled_caught
    moment.set()
    with trio.move_on_after(0) as scope:
        await moment.wait()
    assert scope.cancelled_caught
