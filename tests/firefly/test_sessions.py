"""Which session is the one with a peer: restarts, strays, hints, many peers; no stranger's packet decides it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly import sessions as module
from firefly.congestion import LIMIT, LIMIT_OF_ALL, share
from firefly.errors import Interrupted
from firefly.packet import (
    BULK,
    DATA,
    HANDSHAKE,
    HEADER_SIZE,
    INTERACTIVE,
    UNREACHABLE,
    UnreachableReason,
    pack_header,
    pack_unreachable,
)
from firefly.session import Session
from firefly.testing.wire import End, Wire

UNKNOWN = UnreachableReason.UNKNOWN_SESSION


def _pair(seed: int = 1, **behaviour: float) -> tuple[Wire, End, End]:
    """Two ends, the one with the lower address first, that have talked."""
    wire = Wire(seed)
    low, high = sorted((wire.end(), wire.end()), key=lambda end: end.address)
    wire.link(low, high, **behaviour)
    low.send(high, INTERACTIVE, b"hello")
    high.send(low, INTERACTIVE, b"hello")
    wire.run(1)
    return wire, low, high


def _kinds(wire: Wire, source: End, since: float) -> list[int]:
    return [sent.packet[0] & 15 for sent in wire.log if sent.source == source.address and sent.at >= since]


def _last(wire: Wire, source: End) -> bytes:
    """The newest record of `source`."""
    return next(sent.packet for sent in reversed(wire.log) if sent.source == source.address)


def _hint(packet: bytes, reason: UnreachableReason = UNKNOWN, source: bytes | None = None) -> bytes:
    """What says, truly or not, that `packet` did not arrive."""
    payload = pack_unreachable(reason, packet[HEADER_SIZE:])
    return pack_header(UNREACHABLE, INTERACTIVE, len(payload), packet[24:40], source or packet[8:24]) + payload


# --- routes that come back


def test_a_handshake_waits_for_no_repetition_when_a_route_is_found() -> None:
    wire = Wire(3)
    low, high = wire.end(), wire.end()
    link = wire.link(low, high, loss=1.0)
    low.send(high, INTERACTIVE, b"hello")
    wire.run(10.5)  # several repetitions were lost; the next would leave seconds later
    link.loss = 0.0
    began = wire.now
    low.sessions.routes_changed(lambda address: link, wire.now)
    wire.run_until(lambda: high.got[INTERACTIVE] == [b"hello"], 5)
    assert wire.now - began < 0.25


def test_what_was_on_a_way_that_broke_further_on_leaves_again_at_once_and_once() -> None:
    wire, low, high = _pair()
    (link,) = wire.links
    low.send(high, INTERACTIVE, bytes(100))
    wire.run(5)
    resent = low.session(high).counters.resent
    link.delay, link.loss = 0.5, 1.0
    low.send(high, INTERACTIVE, *[b"under way"] * 10)
    wire.run(0.001)
    link.delay, link.loss = 0.01, 0.0
    began = wire.now
    low.sessions.ways_broken({b"another node...."}, wire.now)
    wire.run(0.002)
    assert low.session(high).counters.resent == resent
    low.sessions.ways_broken({high.address}, wire.now)
    wire.run_until(lambda: high.got[INTERACTIVE].count(b"under way") == 10, 5)
    assert wire.now - began < 0.015
    assert low.session(high).counters.resent == resent + 10


def test_records_wait_for_no_resend_when_a_route_is_found() -> None:
    wire, low, high = _pair()
    (link,) = wire.links
    link.loss = 1.0
    low.send(high, INTERACTIVE, b"under way")
    wire.run(10.5)
    link.loss = 0.0
    began = wire.now
    low.sessions.routes_changed(lambda address: link, wire.now)
    wire.run_until(lambda: high.got[INTERACTIVE] == [b"hello", b"under way"], 5)
    assert wire.now - began < 0.25


# --- restart


@pytest.mark.parametrize("lower_restarts", [True, False])
def test_who_restarts_and_calls_replaces_the_session(lower_restarts: bool) -> None:
    wire, low, high = _pair()
    restarted, other = (low, high) if lower_restarts else (high, low)
    old = other.session(restarted)
    restarted.restart()
    restarted.send(other, INTERACTIVE, b"again")
    wire.run(1)
    (session, error) = other.closed_sessions[0]
    assert session is old
    assert isinstance(error, Interrupted)
    assert other.got[INTERACTIVE] == [b"hello", b"again"]
    assert other.session(restarted).peer_instance == restarted.instance


@pytest.mark.parametrize("lower_restarts", [True, False])
def test_who_is_called_after_a_restart_says_so_and_gets_a_new_session(lower_restarts: bool) -> None:
    wire, low, high = _pair()
    restarted, other = (low, high) if lower_restarts else (high, low)
    restarted.restart()
    began = wire.now
    other.send(restarted, INTERACTIVE, b"lost with the old session")
    wire.run_until(lambda: bool(other.closed_sessions), 5)
    assert 1.0 <= wire.now - began < 1.5
    assert isinstance(other.closed_sessions[0][1], Interrupted)
    other.send(restarted, INTERACTIVE, b"new")
    wire.run(1)
    assert restarted.got[INTERACTIVE] == [b"new"]


def test_a_peer_that_forgot_the_session_and_is_gone_again_ends_nothing_at_once() -> None:
    """The hint is no proof: without a handshake the session lives until its 60 s are over."""
    wire, low, high = _pair()
    high.restart()
    low.send(high, INTERACTIVE, b"who are you")
    wire.run(0.5)
    wire.drop = lambda packet: True
    wire.run(40)
    assert low.closed_sessions == []
    wire.run(30)
    assert len(low.closed_sessions) == 1


def test_a_newer_record_with_another_instance_ends_the_session() -> None:
    wire, low, high = _pair()
    low.sessions.peer_restarted(high.address, high.instance, wire.now)
    assert low.closed_sessions == []
    low.sessions.peer_restarted(high.address, b"another.", wire.now)
    assert isinstance(low.closed_sessions[0][1], Interrupted)
    assert low.sessions.find(high.address) is None


@given(
    seed=st.integers(0, 2**32),
    jitter=st.floats(0, 0.1),
    loss=st.floats(0, 0.3),
    acts=st.lists(st.tuples(st.sampled_from("srRcC"), st.floats(0, 3)), max_size=8),
)
def test_after_any_restarts_and_ends_both_talk_again(
    seed: int, jitter: float, loss: float, acts: list[tuple[str, float]]
) -> None:
    """s: both send; r, R: one restarts; c, C: one closes. No record ever arrives twice or out of order."""
    wire, low, high = _pair(seed, jitter=jitter, duplication=0.2)
    wire.links[0].loss = loss
    number = 0
    for act, pause in acts:
        end = low if act.islower() else high
        if act == "s":
            low.send(high, BULK, *[(number + add).to_bytes(4, "big") for add in range(5)])
            number += 5
        elif act in "rR":
            end.restart()
        else:
            for session in end.sessions.open_sessions():
                session.close("enough", wire.now)
        wire.run(pause)
        assert high.got[BULK] == sorted(set(high.got[BULK]))
    wire.links[0].loss = 0.0
    for _ in range(90):  # a caller asks again and again, as rpc does
        low.open(high)
        wire.run(1)
    low.send(high, INTERACTIVE, b"low")
    high.send(low, INTERACTIVE, b"high")
    wire.run(5)
    assert high.got[INTERACTIVE][-1] == b"low"
    assert low.got[INTERACTIVE][-1] == b"high"


# --- strays and hints


def test_a_packet_for_an_unknown_session_is_answered_with_a_hint() -> None:
    wire, low, high = _pair()
    low.session(high).lose(Interrupted("test"))
    high.send(low, INTERACTIVE, b"hey")
    began = wire.now
    wire.run(0.015)
    assert _kinds(wire, low, began) == [UNREACHABLE]
    hint = _last(wire, low)
    question = next(sent.packet for sent in wire.log if sent.at >= began and sent.source == high.address)
    assert len(hint) < len(question)
    assert hint[HEADER_SIZE + 1 :] == question[HEADER_SIZE : HEADER_SIZE + 28]


def test_at_most_100_hints_per_second_and_link() -> None:
    wire, low, high = _pair()
    packet = bytearray(_last(wire, high))
    packet[HEADER_SIZE : HEADER_SIZE + 4] = b"lost"
    for number in range(300):
        wire.inject(bytes(packet[:24]) + number.to_bytes(16, "big") + bytes(packet[40:]), "link")
    assert low.sessions.counters["unknown_session"] == 100
    wire.run(1.1)
    wire.inject(bytes(packet), "link")
    assert low.sessions.counters["unknown_session"] == 101


def test_strays_of_many_sources_without_a_route_are_bounded() -> None:
    wire, low, high = _pair()
    packet = _last(wire, high)
    packet = packet[:HEADER_SIZE] + b"lost" + packet[HEADER_SIZE + 4 :]
    for number in range(3000):
        wire.inject(packet[:24] + number.to_bytes(16, "big") + packet[40:], number)
    assert len(low.sessions._flows) <= module.MAX_FLOWS
    assert sum(len(flow.packets) for flow in low.ready) <= 8 * module.MAX_FLOWS


def test_a_hint_makes_the_session_ask_and_no_more() -> None:
    wire, low, high = _pair()
    low.send(high, INTERACTIVE, b"quoted")
    wire.pump()
    began = wire.now
    for _ in range(200):
        wire.inject(_hint(_last(wire, low)))
        wire.run(0.01)
    assert set(_kinds(wire, low, began)) == {DATA}
    assert len(_kinds(wire, low, began)) < 12
    assert low.closed_sessions == high.closed_sessions == []


def test_a_hint_that_is_believed_survives_lost_pings() -> None:
    """Of the PINGs of a second one is enough."""
    wire, low, high = _pair()
    low.send(high, INTERACTIVE, b"quoted")
    wire.pump()
    wire.inject(_hint(_last(wire, low)))
    wire.drop = lambda packet: packet[8:24] == high.address
    wire.run(0.6)
    wire.drop = lambda packet: False
    wire.run(2)
    assert HANDSHAKE not in _kinds(wire, low, wire.now - 2)
    assert low.closed_sessions == []


@pytest.mark.parametrize("place", [0, 4, 11, 12, 27])
def test_a_hint_must_quote_what_we_sent(place: int) -> None:
    wire, low, high = _pair()
    low.send(high, INTERACTIVE, b"quoted")
    wire.pump()
    packet = bytearray(_last(wire, low))
    packet[HEADER_SIZE + place] ^= 1
    wire.inject(_hint(bytes(packet)))
    wire.inject(_hint(_last(wire, low), source=bytes(16)))
    wire.inject(_hint(_last(wire, low), reason=UnreachableReason.NO_ROUTE))
    assert low.sessions.counters["hints"] == 0


def test_a_hint_about_what_was_acknowledged_is_ignored() -> None:
    wire, low, high = _pair()
    low.send(high, BULK, b"quoted")
    wire.pump()
    packet = _last(wire, low)
    wire.run(1)
    wire.inject(_hint(packet))
    assert low.sessions.counters["hints"] == 0


@given(st.binary(max_size=120))
def test_any_packet_is_survived(packet: bytes) -> None:
    wire, low, high = _pair()
    high.sessions.receive(packet, wire.now, "link")
    session = low.session(high)
    for kind in range(16):
        head = pack_header(kind, INTERACTIVE, len(packet), high.address, low.address)
        high.sessions.receive(head + packet, wire.now, "link")
        high.sessions.receive(head + session.peer_index.to_bytes(4, "big") + packet, wire.now, "link")
    low.send(high, INTERACTIVE, b"still")
    wire.run(1)
    assert high.got[INTERACTIVE] == [b"hello", b"still"]
    assert high.closed_sessions == []


# --- many peers


def _star(count: int) -> tuple[Wire, End, list[End]]:
    wire = Wire(2)
    middle = wire.end()
    others = [wire.end() for _ in range(count)]
    for other in others:
        wire.link(middle, other)
    return wire, middle, others


def test_peers_do_not_disturb_each_other() -> None:
    wire, middle, others = _star(12)
    for number, other in enumerate(others):
        if number % 2:
            middle.send(other, INTERACTIVE, bytes((number,)))
        other.send(middle, BULK, bytes((number,)))
    wire.run(2)
    assert sorted(middle.got[BULK]) == [bytes((number,)) for number in range(12)]
    assert all(other.got[INTERACTIVE] == [bytes((number,))] * (number % 2) for number, other in enumerate(others))
    others[3].restart()
    wire.lose(wire.links[4])
    wire.run(5)
    assert middle.closed_sessions == []


def test_the_session_that_was_idle_the_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    wire, middle, others = _star(5)
    middle.is_busy = False
    for other in others:
        other.send(middle, BULK, b"x")
        wire.run(1)
    assert {session.peer_address for session in middle.sessions.open_sessions()} == {
        other.address for other in others[2:]
    }
    assert [session.peer_address for session, _ in middle.closed_sessions] == [other.address for other in others[:2]]


def test_with_all_in_use_a_new_session_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    wire, middle, others = _star(5)
    for other in others:
        other.send(middle, BULK, b"x")
    wire.run(30)
    assert len(middle.sessions.open_sessions()) == 3
    assert middle.sessions.counters["sessions_refused"] > 0
    assert middle.closed_sessions == []


def test_all_sessions_together_have_at_most_256_mib_under_way() -> None:
    assert share(0) == share(1) == share(LIMIT_OF_ALL // LIMIT) == LIMIT
    assert all(share(count) * count <= LIMIT_OF_ALL for count in range(1, 5000))


def test_windows_are_shared_out_anew_when_a_session_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "share", lambda count: 1000 // count)
    wire, middle, others = _star(4)
    for other in others:
        middle.open(other)
        wire.run(1)
        limits = [session.window.most for session in middle.sessions.open_sessions()]
        assert limits == [1000 // len(limits)] * len(limits)


def test_what_all_sessions_hold_above_gaps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_BY_ALL", 3000)
    wire, middle, others = _star(4)
    for other in others:
        middle.open(other)
        wire.run(1)
    theirs: list[Session] = [other.session(middle) for other in others]
    for session in theirs:
        wire.inject(session._seal(BULK, 1, bytes(700), wire.now))
    held = [session._receiving[BULK].held for session in middle.sessions.open_sessions()]
    assert sorted(map(len, held)) == [0, 1, 1, 1]
    middle.sessions.open_sessions()[0].close("done", wire.now)
    assert middle.sessions._held.used <= 2000
