"""The harness itself: it tells the same story twice, and sees what a driver of sessions must not live with."""

import math

import pytest

from firefly.packet import BULK, INTERACTIVE
from firefly.testing.wire import End, Link, Sent, Wire


def _pair(seed: int = 1, *, delay: float = 0.01, **behaviour: float) -> tuple[Wire, End, End, Link]:
    wire = Wire(seed)
    one, other = wire.end(), wire.end()
    return wire, one, other, wire.link(one, other, delay=delay, **behaviour)


def _opened(delay: float = 0.01) -> tuple[Wire, End, End, Link]:
    wire, one, other, link = _pair(delay=delay)
    one.open(other)
    wire.run_until(lambda: bool(one.opened_sessions and other.opened_sessions))
    wire.run(1.0)
    return wire, one, other, link


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[Sent]:
        wire, one, other, _ = _pair(seed, loss=0.3, jitter=0.05, duplication=0.1)
        one.send(other, INTERACTIVE, *(bytes(100) for _ in range(50)))
        wire.run(10.0)
        return wire.log

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_what_is_sent_before_there_is_a_session_goes_with_it() -> None:
    wire, one, other, _ = _pair()
    one.send(other, INTERACTIVE, b"early")
    with pytest.raises(AssertionError, match="no session"):
        one.session(other)
    wire.run_until(lambda: other.got[INTERACTIVE] == [b"early"], 1.0)
    assert one.session(other).peer_instance == other.instance


def test_waiting_for_what_never_comes_fails() -> None:
    wire, one, other, _ = _pair(loss=1.0)
    one.send(other, INTERACTIVE, b"lost")
    began = wire.now
    with pytest.raises(AssertionError, match="not done after 3"):
        wire.run_until(lambda: bool(other.got[INTERACTIVE]), 3.0)
    assert wire.now == began + 3.0


def test_a_lost_link_takes_along_what_is_on_its_way() -> None:
    wire, one, other, link = _opened(delay=0.5)
    one.send(other, BULK, b"by the first", b"by the second")
    wire.pump()
    wire.drop = lambda packet: True
    wire.lose(link)
    wire.run(5.0)
    assert other.got[BULK] == []
    wire.drop = lambda packet: False
    wire.link(one, other)
    wire.run_until(lambda: other.got[BULK] == [b"by the first", b"by the second"], 5.0)


def test_the_first_link_that_is_up_is_used() -> None:
    wire, one, other, slow = _opened(delay=0.1)
    wire.link(one, other, delay=0.001)
    slow.up = False
    began = wire.now
    one.send(other, INTERACTIVE, b"quick")
    wire.run_until(lambda: bool(other.got[INTERACTIVE]))
    assert wire.now - began == pytest.approx(0.001)


def test_a_restarted_end_has_forgotten_everything_but_its_key() -> None:
    wire, one, other, _ = _opened()
    address, instance = other.address, other.instance
    one.send(other, INTERACTIVE, b"before")
    wire.run(1.0)
    other.restart()
    assert other.address == address
    assert other.instance != instance
    assert not other.got[INTERACTIVE]
    assert not other.sessions.open_sessions()


def test_a_deadline_that_stays_in_the_past_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, one, _, _ = _opened()
    one.armed = wire.now
    monkeypatch.setattr(one.sessions, "next_deadline", lambda: wire.now)
    with pytest.raises(AssertionError, match="busy loop"):
        wire.run(60.0)


def test_a_deadline_that_nobody_was_told_of_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, one, other, _ = _opened()
    monkeypatch.setattr(one.sessions, "earlier", lambda deadline: None)
    one.armed = math.inf
    other.send(one, INTERACTIVE, b"to be acknowledged")
    with pytest.raises(AssertionError, match="nobody was told"):
        wire.run(1.0)
