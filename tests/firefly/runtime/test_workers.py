"""Jobs run at once, on tasks that are used again, and hear when they are cut off."""

from contextvars import ContextVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.runtime import open_workers, workers
from firefly.runtime.workers import Errand, Job

variable: ContextVar[str] = ContextVar("variable", default="unset")


class Wait(Job):
    """Waits to be let go, and remembers on which task and how it ended."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.task: trio.lowlevel.Task | None = None
        self.scope: trio.CancelScope | None = None
        self.ended = "not"

    async def run(self, scope: trio.CancelScope) -> None:
        self.task, self.scope = trio.lowlevel.current_task(), scope
        await self.go.wait()
        self.ended = "done"

    def cut_off(self, own: bool) -> None:
        self.ended = "by its own scope" if own else "by the end"


class InNursery(Wait):
    """Waits inside a nursery, whose Cancelled may come in a group."""

    async def run(self, scope: trio.CancelScope) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await super().run(scope)


async def test_jobs_run_side_by_side_and_tasks_are_used_again() -> None:
    async with open_workers() as pool:
        first = [Wait() for _ in range(3)]
        for job in first:
            pool.run(job)
        await wait_all_tasks_blocked()
        assert len({job.task for job in first}) == 3
        for job in first:
            job.go.set()
        await wait_all_tasks_blocked()
        later = Wait()
        pool.run(later)
        await wait_all_tasks_blocked()
        assert later.task in {job.task for job in first}
        assert [job.ended for job in first] == ["done"] * 3


@pytest.mark.parametrize("kind", [Wait, InNursery])
async def test_a_job_whose_scope_is_cancelled_hears_of_it_and_the_next_one_has_a_fresh_scope(kind: type[Wait]) -> None:
    async with open_workers() as pool:
        job, later = kind(), Wait()
        pool.run(job)
        await wait_all_tasks_blocked()
        assert job.scope is not None
        job.scope.cancel()
        await wait_all_tasks_blocked()
        assert job.ended == "by its own scope"
        pool.run(later)
        await wait_all_tasks_blocked()
        assert later.task is job.task
        later.go.set()
        await wait_all_tasks_blocked()
        assert later.ended == "done"


async def test_a_job_may_have_a_deadline(autojump_clock: MockClock) -> None:
    async with open_workers() as pool:
        job = Wait()
        pool.run(job)
        await wait_all_tasks_blocked()
        assert job.scope is not None
        job.scope.deadline = trio.current_time() + 5
        await trio.sleep(6)
        assert job.ended == "by its own scope"


@pytest.mark.parametrize("kind", [Wait, InNursery])
async def test_the_end_of_the_workers_cuts_off_what_still_runs(kind: type[Wait]) -> None:
    async with open_workers() as pool:
        job = kind()
        pool.run(job)
        await wait_all_tasks_blocked()
    assert job.ended == "by the end"


async def test_idle_tasks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_IDLE", 2)
    async with open_workers() as pool:
        jobs = [Wait() for _ in range(5)]
        for job in jobs:
            job.go.set()
            pool.run(job)
        await wait_all_tasks_blocked()
        assert [job.ended for job in jobs] == ["done"] * 5
        assert len(pool._idle) == 2


async def test_a_task_inherits_nothing_from_whoever_gave_it_its_first_job() -> None:
    seen: list[str] = []

    async def look() -> None:
        seen.append(variable.get())

    async with open_workers() as pool:
        variable.set("the caller's")
        pool.run(Errand(look))
        await wait_all_tasks_blocked()
    assert seen == ["unset"]


async def test_an_error_of_a_job_is_not_swallowed() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError):
        async with open_workers() as pool:
            pool.run(Errand(fail))
            await trio.sleep_forever()
