"""Background tasks end with their process, from either side."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from firefly.errors import Interrupted
from processes.background import Background, run_until_stopped


async def test_close_ends_the_tasks_and_waits_for_them() -> None:
    ended: list[str] = []

    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            ended.append("task")

    async with trio.open_nursery() as nursery:
        background = await Background.open(nursery)
        background.start_soon(task)
        await trio.testing.wait_all_tasks_blocked()
        await background.close()
        assert ended == ["task"]


async def test_the_process_may_end_first() -> None:
    async with trio.open_nursery() as nursery:
        background = await Background.open(nursery)
        nursery.cancel_scope.cancel()
    await background.close()
    with pytest.raises(Interrupted):
        background.start_soon(trio.sleep, 0)


async def test_an_error_in_a_task_ends_the_process() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 (the nursery raises at its end)
        async with trio.open_nursery() as nursery:
            background = await Background.open(nursery)
            background.start_soon(broken)
    assert caught.group_contains(ValueError, match="broken")


async def test_blocking_work_is_stopped_and_waited_for() -> None:
    stop, began, ended = threading.Event(), trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def work() -> None:
        token.run_sync_soon(began.set)
        stop.wait(60)
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_until_stopped, work, stop, trio.CapacityLimiter(1))
        await began.wait()
        nursery.cancel_scope.cancel()
    assert stop.is_set()
    assert ended.is_set()
