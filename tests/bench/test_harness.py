"""Real OS processes and sockets: that is what the harness is about."""

import os
from pathlib import Path

import pytest
import trio

from bench import harness
from bench.systems import SYSTEMS, System
from bench.works import BY_NAME, MESSAGING

BARE = SYSTEMS[0]


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_work_of_a_system_gets_one_figure_per_round() -> None:
    works = [BY_NAME[name] for name in MESSAGING]
    outcome = await harness.measure([BARE], works, 2, 0.01, lambda text: None)
    assert outcome.failures == []
    assert {work.name: len(values) for (work, _), values in outcome.figures.items()} == dict.fromkeys(MESSAGING, 2)


async def test_a_system_that_does_not_start_fails_with_its_last_words() -> None:
    missing = System("missing", "direct", "bench.peers.no_such_system")
    outcome = await harness.measure([missing], [BY_NAME["call"]], 1, 0.01, lambda text: None)
    assert outcome.figures == {}
    (failure,) = outcome.failures
    assert "No module named" in failure


async def test_ends_are_stopped_when_measuring_is_cancelled(tmp_path: Path) -> None:
    started: list[int] = []
    with trio.CancelScope() as scope:
        async with harness.running(BARE) as client:
            started.append(client.pid)
            scope.cancel()
            await client.ask({"work": "call", "seconds": 30}, 60)
    assert scope.cancelled_caught
    assert not any(map(exists, started))


@pytest.mark.parametrize("count", [1, 8])
def test_free_ports_differ(count: int) -> None:
    assert len(set(harness.free_ports(count))) == count
