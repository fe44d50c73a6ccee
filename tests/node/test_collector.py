"""Full collections of the garbage collector are kept apart."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node import collector
from node.collector import CHECK, NEVER, SHARE, FullCollections, spread


class Clock:
    """What `perf_counter` says."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    usual = gc.get_threshold()
    clock = Clock()
    monkeypatch.setattr(collector, "perf_counter", clock)
    yield clock
    gc.set_threshold(*usual)


def test_the_longer_one_took_the_longer_the_next_has_to_wait(clock: Clock) -> None:
    usual = gc.get_threshold()
    full = FullCollections()
    full.heard("start", {"generation": 2})
    clock.now += 0.4
    full.heard("stop", {"generation": 2})
    assert full.due == pytest.approx(clock.now + 0.4 / SHARE)
    assert gc.get_threshold() == (*usual[:2], NEVER)
    full.allow()
    assert gc.get_threshold() == usual


def test_small_ones_may_come_as_they_will(clock: Clock) -> None:
    usual = gc.get_threshold()
    full = FullCollections()
    for generation in (0, 1):
        full.heard("start", {"generation": generation})
        clock.now += 5
        full.heard("stop", {"generation": generation})
    assert (full.due, gc.get_threshold()) == (0.0, usual)


async def test_a_real_one_is_heard_of_and_the_next_allowed_in_time(clock: Clock, autojump_clock: MockClock) -> None:
    usual = gc.get_threshold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spread)
        await wait_all_tasks_blocked()
        callbacks = len(gc.callbacks)
        gc.callbacks.insert(0, lambda phase, info: setattr(clock, "now", clock.now + 0.01))
        try:
            gc.collect()
        finally:
            del gc.callbacks[0]
        assert gc.get_threshold() == (*usual[:2], NEVER)
        await trio.sleep(2 * CHECK)
        assert gc.get_threshold()[2] == NEVER
        clock.now += 0.011 / SHARE
        await trio.sleep(2 * CHECK)
        assert gc.get_threshold() == usual
        nursery.cancel_scope.cancel()
    assert len(gc.callbacks) == callbacks - 1
