"""The congestion window by itself: a path of one queue, with a rate and a shortest round trip."""

import pytest

from firefly.congestion import FIRST_RECORD, LEAST, LIMIT, START, CongestionWindow, share
from firefly.packet import BULK, INTERACTIVE

PACKET = 16_000


class Path:
    """Always full, `rate` bytes per second, `base` seconds there and back without the queue."""

    def __init__(self, rate: float, base: float) -> None:
        self.window = CongestionWindow(0.0)
        self.rate, self.base = rate, base
        self.now = 1.0
        self.queue = 0.0

    def measure_idle(self) -> None:
        """A small packet, while nothing queues."""
        self.window.measure(self.base, 100, INTERACTIVE, self.now)

    def turn(self) -> None:
        """One round trip: what the path cannot carry in it queues."""
        window = self.window
        window.refused()
        in_flight = max(window.limit, PACKET)
        self.queue = max(in_flight / self.rate - self.base, 0.0)
        took = self.base + self.queue
        self.now += took
        arrived = min(in_flight, int(self.rate * took))
        window.used = in_flight - arrived
        window.measure(took, PACKET, BULK, self.now)
        window.acknowledged(arrived, took, self.now)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.turn()


@pytest.mark.parametrize("rate", [1e6, 1e7, 1e8])
@pytest.mark.parametrize("base", [0.001, 0.02, 0.1])
def test_the_path_is_full_and_its_queue_short(rate: float, base: float) -> None:
    path = Path(rate, base)
    path.measure_idle()
    path.run(20)
    least = min(rate * base, LIMIT) * 0.8
    for _ in range(50):
        path.turn()
        assert path.window.limit >= least or path.window._resume
        assert path.queue <= 0.045


def test_it_starts_small_and_doubles() -> None:
    path = Path(1e9, 0.05)
    limits = []
    for _ in range(4):
        limits.append(path.window.limit)
        path.turn()
    assert limits == [START, 2 * START, 4 * START, 8 * START]


def test_what_is_not_used_does_not_grow() -> None:
    window = CongestionWindow(0.0)
    for number in range(100):
        window.measure(0.01, 100, INTERACTIVE, number / 10)
        window.acknowledged(100, 0.01, number / 10)
    assert window.limit == START


def test_a_loss_halves_it_once_per_round_trip() -> None:
    path = Path(1e8, 0.1)
    path.run(2)
    before = path.window.limit
    path.window.lost()
    path.window.lost()
    assert path.window.limit == before // 2


def test_it_stays_within_its_bounds() -> None:
    path = Path(1e12, 0.1)
    path.run(10)
    assert path.window.limit == LIMIT
    path.window.bound(100_000)
    path.run(2)
    assert path.window.limit == 100_000
    for _ in range(100):
        path.window.lost()
        path.now += 1
        path.window.acknowledged(0, 0.1, path.now)
    assert path.window.limit == LEAST


def test_a_quarter_of_a_full_window_is_for_calls() -> None:
    window = CongestionWindow(0.0)
    window.used = 2 * START
    assert not window.takes(BULK, 2 * START)
    assert window.takes(INTERACTIVE, 0)
    assert not window.takes(INTERACTIVE, START // 4)


def test_a_small_full_window_asks_once_for_an_ack() -> None:
    window = CongestionWindow(0.0)
    assert window.refused()
    assert not window.refused()
    window.acknowledged(100, 0.01, 1.0)
    assert window.refused()


def test_records_are_what_arrives_in_a_few_ms() -> None:
    slow, fast = Path(1e6, 0.02), Path(1e9, 0.001)
    for path in (slow, fast):
        assert path.window.record == FIRST_RECORD
        path.run(5)
    assert 1200 <= slow.window.record <= 5000
    assert fast.window.record == 65_536


def test_a_path_that_has_become_longer_is_not_taken_for_a_queue_for_ever() -> None:
    path = Path(1e7, 0.01)
    path.measure_idle()
    path.run(5)
    path.base = 0.1
    path.run(60)
    assert path.window.limit >= 0.8 * path.rate * path.base or path.window._resume


def test_another_path_is_learnt_anew() -> None:
    path = Path(1e8, 0.1)
    path.run(5)
    path.window.restart(path.now)
    assert (path.window.limit, path.window.record) == (START, FIRST_RECORD)
    path.base = 0.5
    path.run(20)
    assert path.window.limit == LIMIT


def test_all_sessions_together_are_bounded() -> None:
    assert share(1) == LIMIT
    assert share(10_000) * 10_000 <= 256 * 2**20
