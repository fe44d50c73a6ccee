"""Jobs that wait together run together, and none is forgotten."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from firefly.errors import Busy, Interrupted
from processes.kv import worker as module
from processes.kv.worker import Job, Worker


def run_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.run()


async def test_results_and_errors_reach_who_asked() -> None:
    worker = Worker(run_all)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.serve)
        assert await worker.do(lambda: 5) == 5
        with pytest.raises(ZeroDivisionError):
            await worker.do(lambda: 1 // 0)
        assert await worker.do(lambda: "still here") == "still here"
        nursery.cancel_scope.cancel()


async def test_what_waits_during_a_batch_is_the_next_one() -> None:
    sizes: list[int] = []
    go = threading.Event()

    def run(jobs: list[Job]) -> None:
        go.wait(60)
        sizes.append(len(jobs))
        run_all(jobs)

    worker = Worker(run)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.serve)
        async with trio.open_nursery() as callers:
            callers.start_soon(worker.do, int)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(50):
                callers.start_soon(worker.do, int)
            await trio.testing.wait_all_tasks_blocked()
            go.set()
        assert sizes == [1, 50]
        nursery.cancel_scope.cancel()


async def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 4)
    monkeypatch.setattr(module, "MAX_BATCH_BYTES", 30)
    sizes: list[int] = []

    def run(jobs: list[Job]) -> None:
        sizes.append(len(jobs))
        run_all(jobs)

    worker = Worker(run)
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as callers:
            for size in (0, 0, 0, 0, 0, 20, 20, 20):
                callers.start_soon(worker.do, int, size)
                await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(worker.serve)
        assert sizes == [4, 3, 1]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["MAX_WAITING", "MAX_WAITING_BYTES"])
async def test_too_many_are_told_to_come_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, 5)
    worker = Worker(run_all)
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as callers:
            for _ in range(5):
                callers.start_soon(worker.do, int, 1)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(Busy) as caught:
                await worker.do(int, 1)
            assert 0 < caught.value.retry_after < 1
            nursery.start_soon(worker.serve)
        await worker.do(int, 1)
        nursery.cancel_scope.cancel()


async def test_an_error_of_the_batch_is_that_of_each_job() -> None:
    def broken(_: list[Job]) -> None:
        raise OSError("disk")

    worker, heard = Worker(broken), []

    async def ask() -> None:
        with pytest.raises(OSError, match="disk"):
            await worker.do(int)
        heard.append(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.serve)
        async with trio.open_nursery() as callers:
            for _ in range(5):
                callers.start_soon(ask)
        assert len(heard) == 5
        nursery.cancel_scope.cancel()


async def test_a_batch_that_has_begun_is_finished_and_what_waits_is_told() -> None:
    began, go = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def run(jobs: list[Job]) -> None:
        token.run_sync_soon(began.set)
        go.wait(60)
        run_all(jobs)

    worker = Worker(run)
    results: list[int] = []

    async def first() -> None:
        results.append(await worker.do(lambda: 5))

    async def second() -> None:
        with pytest.raises(Interrupted):
            await worker.do(int)
        results.append(-1)

    async with trio.open_nursery() as callers, trio.open_nursery() as nursery:
        nursery.start_soon(worker.serve)
        callers.start_soon(first)
        await began.wait()
        callers.start_soon(second)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        go.set()
    assert sorted(results) == [-1, 5]
    with pytest.raises(Interrupted):
        await worker.do(int)
