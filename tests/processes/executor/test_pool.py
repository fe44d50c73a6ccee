"""Who gets a worker, and when one is killed. Programs and workers are played; those that are real: test_process.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from firefly.errors import Busy, Interrupted
from processes.background import Background
from processes.executor.pool import SETTLE_TIME, Pool, PooledWorker


class Program:
    """A program that serves when it is told to."""

    def __init__(self) -> None:
        self.serves, self.failing, self.reason = True, False, ""
        self.changed = trio.Event()
        self.restarts: list[str] = []

    def set(self, serves: bool, failing: bool = False) -> None:
        self.serves, self.failing = serves, failing
        self.changed.set()
        self.changed = trio.Event()

    async def serving(self) -> None:
        while not self.serves:
            await self.changed.wait()

    async def ended(self) -> None:
        while self.serves:
            await self.changed.wait()

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)
        self.set(serves=False)


class Stub:
    """A worker's client; `settle` does what the test says."""

    def __init__(self) -> None:
        self.settles: Any = trio.sleep

    async def settle(self) -> None:
        await self.settles(0)


async def never(_: float) -> None:
    await trio.sleep_forever()


@pytest.fixture
async def pool(nursery: trio.Nursery) -> AsyncIterator[Pool]:
    """Two idle workers; two jobs may wait."""
    background = await Background.open(nursery)
    pool = Pool(background, 2)
    for _ in range(2):
        program: Any = Program()
        stub: Any = Stub()
        pool.workers.append(PooledWorker(program, stub))
        pool._put(pool.workers[-1])
    yield pool
    await background.close()


async def test_workers_are_given_out_one_job_each_and_come_back(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    assert {first, second} == set(pool.workers)
    pool.give_back(first, clean=True)
    assert await pool.take() is first


async def test_who_waits_is_served_in_order_and_nobody_gets_ahead(pool: Pool, autojump_clock: Any) -> None:
    first, second = await pool.take(), await pool.take()
    served: list[str] = []

    async def job(name: str) -> None:
        await pool.take()
        served.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(job, "one")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(job, "two")
        await trio.testing.wait_all_tasks_blocked()
        pool.give_back(first, clean=True)
        with trio.move_on_after(1) as late:
            await pool.take()
        assert late.cancelled_caught
        pool.give_back(second, clean=True)
    assert served == ["one", "two"]


async def test_too_many_waiting_jobs_are_told_so(pool: Pool) -> None:
    await pool.take()
    await pool.take()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.take)
        nursery.start_soon(pool.take)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Busy, match="2 jobs wait"):
            await pool.take()
        nursery.cancel_scope.cancel()
    assert not pool._queue


async def test_a_worker_that_was_meant_for_somebody_who_left_goes_to_the_next(pool: Pool) -> None:
    first, _ = await pool.take(), await pool.take()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.take)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            pool.give_back(first, clean=True)
    assert await pool.take() is first


async def test_after_a_job_in_doubt_a_worker_is_asked_first(pool: Pool) -> None:
    worker = await pool.take()
    await pool.take()
    asked = trio.Event()
    stub: Any = worker.stub
    stub.settles = lambda _: asked.wait()
    pool.give_back(worker, clean=False)
    await trio.testing.wait_all_tasks_blocked()
    assert not pool._idle
    asked.set()
    assert await pool.take() is worker


async def test_a_worker_that_does_not_settle_is_killed_and_used_when_it_serves_again(
    pool: Pool, autojump_clock: trio.testing.MockClock
) -> None:
    worker = await pool.take()
    await pool.take()
    stub: Any = worker.stub
    stub.settles = never
    pool.give_back(worker, clean=False)
    await trio.sleep(SETTLE_TIME + 1)
    program: Any = worker.program
    assert program.restarts == ["a job did not stop when it had to"]
    assert not pool._idle
    program.set(serves=True)
    assert await pool.take() is worker


async def test_a_worker_that_ended_is_left_to_its_supervisor(pool: Pool, autojump_clock: Any) -> None:
    worker = await pool.take()
    await pool.take()
    program: Any = worker.program
    stub: Any = worker.stub

    async def broken(_: float) -> None:
        raise Interrupted("the program has ended")

    stub.settles = broken
    pool.give_back(worker, clean=False)
    await trio.testing.wait_all_tasks_blocked()
    program.set(serves=False, failing=True)
    await trio.sleep(1)
    assert program.restarts == []
    program.set(serves=True)
    assert await pool.take() is worker


async def test_an_idle_worker_that_ended_is_passed_over(pool: Pool) -> None:
    first: Any = pool.workers[0].program
    first.set(serves=False)
    assert await pool.take() is pool.workers[1]
    first.set(serves=True)
    assert await pool.take() is pool.workers[0]


async def test_where_no_worker_can_be_started_jobs_are_told_why(pool: Pool) -> None:
    for worker in pool.workers:
        program: Any = worker.program
        program.reason = "it exited with 1: no such library"
        program.set(serves=False, failing=True)
    with pytest.raises(Busy) as caught:
        await pool.take()
    assert caught.value.cause == "it exited with 1: no such library"
    assert "glow ps" in caught.value.hint
