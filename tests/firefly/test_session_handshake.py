"""Two nodes agree on one session, whatever is lost, doubled, forged or begun at once."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firefly.errors import Interrupted
from firefly.keys import NodeKey
from firefly.packet import BULK, DATA, HANDSHAKE, HANDSHAKE_PREFIX, HEADER_SIZE, INTERACTIVE, pack_header
from firefly.session_handshake import HALF_OPEN, HALF_OPEN_PER_LINK, STEP_1_PER_SECOND, Handshakes
from firefly.testing.wire import End, Wire
from tests.firefly.mutation import garbage

NAUGHTY = 1000
"""A seed for what attackers choose."""


def _ends(seed: int = 1, **behaviour: float) -> tuple[Wire, End, End]:
    """Two ends, the one with the lower address first, joined by a link."""
    wire = Wire(seed)
    low, high = sorted((wire.end(), wire.end()), key=lambda end: end.address)
    wire.link(low, high, **behaviour)
    return wire, low, high


def _step(packet: bytes) -> int:
    """0 for what is no handshake."""
    return packet[HEADER_SIZE] if packet[0] & 15 == HANDSHAKE else 0


def _steps(wire: Wire) -> list[int]:
    return [_step(sent.packet) for sent in wire.log]


def _open(one: End, other: End) -> bool:
    return bool(one.sessions.open_sessions() and other.sessions.open_sessions())


def _same(one: End, other: End) -> bool:
    """Whether both use the same session, and nothing is left of any other handshake that could replace it."""
    ours, theirs = one.session(other), other.session(one)
    return (ours.index, ours.peer_index) == (theirs.peer_index, theirs.index)


def _half_open(end: End) -> Handshakes:
    return end.sessions._handshakes


def _question(peer: End, source: bytes, index: int, ephemeral: bytes = b"\x09" + bytes(31)) -> bytes:
    """A step 1 that anyone can make."""
    payload = HANDSHAKE_PREFIX.pack(1, index, 0) + ephemeral.ljust(256 - HANDSHAKE_PREFIX.size, b"\0")
    return pack_header(HANDSHAKE, INTERACTIVE, len(payload), peer.address, source) + payload


@pytest.mark.parametrize("from_low", [True, False])
def test_three_steps_and_an_ack_open_a_session(from_low: bool) -> None:
    wire, low, high = _ends()
    caller, called = (low, high) if from_low else (high, low)
    caller.open(called)
    wire.run(1)
    assert _steps(wire) == [1, 2, 3, 0]
    assert _same(low, high)
    session = caller.session(called)
    assert (session.peer_key, session.peer_instance) == (called.key.public, called.instance)
    assert session.initiator
    assert not called.session(caller).initiator
    assert session.srtt == pytest.approx(0.02)


def test_no_answer_is_longer_than_its_question() -> None:
    wire, low, high = _ends()
    low.open(high)
    wire.run(1)
    sizes = [len(sent.packet) for sent in wire.log]
    assert sizes[0] == HEADER_SIZE + 256
    assert max(sizes[1:]) <= sizes[0]


def test_step_1_is_repeated_verbatim_for_15_s() -> None:
    wire, low, high = _ends(loss=1.0)
    began = wire.now
    low.open(high)
    wire.run(60)
    assert [round(sent.at - began, 6) for sent in wire.log] == [0, 0.25, 0.75, 1.75, 3.75, 7.75, 11.75]
    assert len({sent.packet for sent in wire.log}) == 1
    assert low.sessions.find(high.address) is None
    assert low.sessions.counters["handshakes_given_up"] == 1


@pytest.mark.parametrize("from_low", [True, False])
@pytest.mark.parametrize("lost", range(4))
@pytest.mark.parametrize("times", [1, 3])
def test_any_packet_may_be_lost(from_low: bool, lost: int, times: int) -> None:
    wire, low, high = _ends()
    caller, called = (low, high) if from_low else (high, low)
    left = [times]

    def drop(packet: bytes) -> bool:
        step = _step(packet) or 4
        left[0] -= step == lost + 1
        return step == lost + 1 and left[0] >= 0

    wire.drop = drop
    caller.send(called, INTERACTIVE, b"from the caller")
    wire.run(14)
    called.send(caller, INTERACTIVE, b"from the called")
    wire.run(20)
    assert called.got[INTERACTIVE] == [b"from the caller"]
    assert caller.got[INTERACTIVE] == [b"from the called"]
    assert low.closed_sessions == high.closed_sessions == []
    assert len(_half_open(low)) == len(_half_open(high)) == 0


def test_a_lost_ack_of_step_3_does_not_end_a_session_that_says_nothing() -> None:
    wire, low, high = _ends()
    acks = itertools.count()
    wire.drop = lambda packet: packet[0] & 15 == DATA and next(acks) < 3
    low.open(high)
    wire.run(30)
    assert low.closed_sessions == []
    assert low.session(high).confirmed


def test_a_peer_that_never_takes_step_3_is_given_up() -> None:
    wire, low, high = _ends()
    wire.drop = lambda packet: _step(packet) == 3
    low.send(high, INTERACTIVE, b"lost")
    wire.run(30)
    assert isinstance(low.closed_sessions[0][1], Interrupted)
    assert high.opened_sessions == []
    assert len(_half_open(high)) == 0


def test_the_higher_address_sends_no_record_before_the_first_of_the_peer() -> None:
    wire, low, high = _ends()
    wire.drop = lambda packet: _step(packet) == 3
    high.send(low, INTERACTIVE, b"too early")
    wire.run(5)
    assert high.opened_sessions == []
    assert all(_step(sent.packet) for sent in wire.log)
    wire.drop = lambda packet: False
    wire.run(5)
    assert low.got[INTERACTIVE] == [b"too early"]


def test_what_comes_for_a_half_open_index_is_dropped_in_silence() -> None:
    wire, low, high = _ends()
    wire.drop = lambda packet: _step(packet) == 3
    low.send(high, INTERACTIVE, b"first")
    wire.run(3)
    assert {_step(sent.packet) for sent in wire.log if sent.source == high.address} == {2}
    assert high.sessions.counters["half_open_data"] > 1
    wire.drop = lambda packet: False
    wire.run(10)
    assert high.got[INTERACTIVE] == [b"first"]


# --- both at once


@given(
    seed=st.integers(0, 2**32),
    delays=st.tuples(st.floats(0.001, 0.4), st.floats(0, 0.4)),
    apart=st.floats(0, 0.6),
    low_first=st.booleans(),
)
def test_both_at_once_agree_on_one_session_and_no_call_is_interrupted(
    seed: int, delays: tuple[float, float], apart: float, low_first: bool
) -> None:
    """Also when packets overtake each other; only what is lost may cost a session (see below)."""
    wire, low, high = _ends(seed, delay=delays[0], jitter=delays[1])
    first, second = (low, high) if low_first else (high, low)
    first.send(second, INTERACTIVE, b"one")
    wire.run(apart)
    second.send(first, BULK, b"two")
    wire.run(40)
    assert _same(low, high)
    assert second.got[INTERACTIVE] == [b"one"]
    assert first.got[BULK] == [b"two"]
    assert low.closed_sessions == high.closed_sessions == []


@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.5), jitter=st.floats(0, 0.5), apart=st.floats(0, 3))
def test_on_the_worst_wire_they_agree_in_the_end(seed: int, loss: float, jitter: float, apart: float) -> None:
    wire, low, high = _ends(seed, loss=loss, jitter=jitter, duplication=0.3)
    low.open(high)
    wire.run(apart)
    high.open(low)
    wire.run(20)
    wire.links[0].loss = 0.0
    for _ in range(40):
        for end, other in ((low, high), (high, low)):
            session = end.open(other)
            if session is not None:
                end.send(other, INTERACTIVE, b"")
        wire.run(1)
    assert _same(low, high)
    wire.run(20)
    assert len(_half_open(low)) == len(_half_open(high)) == 0


# --- liars


def test_another_key_than_the_expected_one_opens_nothing() -> None:
    wire, low, high = _ends()
    low.sessions.session(high.address, wire.now, NodeKey(bytes(32)).public)
    wire.run(30)
    assert low.opened_sessions == []
    assert low.sessions.counters["bad_handshakes"] > 0


def _impostor(wire: Wire, victim: End, target: End) -> End:
    """An end that says it is `victim`, and has another key."""
    end = End(wire, NodeKey(b"\x07" * 32))
    end.key.address = end.address = victim.address
    end.start()
    return end


@pytest.mark.parametrize("from_low", [True, False])
def test_a_liar_who_answers_first_changes_nothing(from_low: bool) -> None:
    wire, low, high = _ends(delay=0.1)
    caller, called = (low, high) if from_low else (high, low)
    liar = _impostor(wire, called, caller)
    caller.open(called)
    wire.pump()
    liar.sessions.receive(wire.log[0].packet, wire.now, "liar")
    (flow,) = liar.ready
    lie = flow.next_packet(2**17, wire.now, "liar")
    assert lie is not None
    wire.inject(lie)
    assert caller.sessions.counters["bad_handshakes"] == 1
    wire.run(2)
    assert _same(low, high)
    assert caller.session(called).peer_key == called.key.public


@pytest.mark.parametrize("from_low", [True, False])
def test_a_liar_who_asks_in_the_name_of_another_gets_no_session(from_low: bool) -> None:
    wire, low, high = _ends()
    victim, target = (low, high) if from_low else (high, low)
    victim.send(target, INTERACTIVE, b"before")
    wire.run(1)
    liar = _impostor(wire, victim, target)
    liar.open(target)
    for _ in range(4):
        for end, other in ((liar, target), (target, liar)):
            for flow in list(end.ready):
                while (packet := flow.next_packet(2**17, wire.now, "liar")) is not None:
                    other.sessions.receive(packet, wire.now, "liar")
            end.ready.clear()
    assert target.sessions.counters["bad_handshakes"] == 1
    assert len(target.opened_sessions) == 1
    victim.send(target, INTERACTIVE, b"after")
    wire.run(1)
    assert target.got[INTERACTIVE] == [b"before", b"after"]
    assert target.closed_sessions == []


def test_questions_in_the_name_of_another_do_not_keep_it_away() -> None:
    """While less of them than the rate allows come by the same link."""
    wire, low, high = _ends(delay=0.1)
    low.open(high)
    for number in range(15):
        wire.inject(_question(high, low.address, NAUGHTY + number), wire.links[0])
        wire.run(0.02)
    wire.run(1)
    assert _same(low, high)


def test_half_open_handshakes_are_bounded_and_go_after_15_s() -> None:
    wire, _, high = _ends()
    handshakes = _half_open(high)
    most = 0
    for number in range(3000):
        source = NodeKey(number.to_bytes(32, "big")).address if number % 100 == 0 else bytes(8) + number.to_bytes(8)
        wire.inject(_question(high, source, NAUGHTY + number), f"link {number % 40}")
        most = max(most, len(handshakes))
        if number % 400 == 0:
            wire.run(1)
    assert most == HALF_OPEN
    wire.run(20)
    assert len(handshakes) == 0
    assert high.sessions.counters["handshakes_given_up"] > 0


def test_one_link_gets_20_questions_per_second_and_32_places() -> None:
    wire, low, high = _ends()
    for number in range(100):
        wire.inject(_question(high, low.address, NAUGHTY + number), "link")
    assert len(_half_open(high)) == STEP_1_PER_SECOND
    assert high.sessions.counters["handshakes_refused"] == 100 - STEP_1_PER_SECOND
    for number in range(5):
        wire.run(1.001)
        for other in range(15):
            wire.inject(_question(high, low.address, 2 * NAUGHTY + 100 * number + other), "link")
    assert len(_half_open(high)) == HALF_OPEN_PER_LINK


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: packet[:-1],
        lambda packet: packet[: HEADER_SIZE + 5],
        lambda packet: packet[:HEADER_SIZE],
        lambda packet: packet + bytes(1000),
        lambda packet: packet[: HEADER_SIZE + HANDSHAKE_PREFIX.size] + bytes(256),
        lambda packet: packet[:24] + packet[8:24] + packet[40:],
    ],
    ids=["cut", "no prefix", "empty", "long", "low order", "from itself"],
)
def test_a_bad_question_is_counted_and_forgotten(change: Callable[[bytes], bytes]) -> None:
    wire, low, high = _ends()
    wire.inject(change(_question(high, low.address, 5)))
    wire.run(1)
    assert len(_half_open(high)) == 0
    assert wire.log == []
    assert high.sessions.counters["bad_handshakes"] == 1


@given(st.data(), st.integers(0, 3))
def test_garbage_beside_every_step_changes_nothing(data: st.DataObject, at: int) -> None:
    """But for the index in a step 2 that is else untouched: a relay that changes it could as well drop the packet."""
    wire, low, high = _ends()
    low.send(high, INTERACTIVE, b"call")
    for turn in range(5):
        wire.pump()
        if turn == at:
            packet = wire.log[min(at, len(wire.log) - 1)].packet
            payload = data.draw(garbage(packet[HEADER_SIZE:]))
            assume(payload[HANDSHAKE_PREFIX.size :] != packet[HEADER_SIZE + HANDSHAKE_PREFIX.size :])
            kind = data.draw(st.sampled_from([packet[0], 0x12, 0x15, 0x11]))
            wire.inject(bytes((kind,)) + packet[1:HEADER_SIZE] + payload, wire.links[0])
        wire.run(0.01)
    wire.run(40)
    assert high.got[INTERACTIVE] == [b"call"]
    assert _same(low, high)
    assert low.closed_sessions == high.closed_sessions == []
    assert [len(low.opened_sessions), len(high.opened_sessions)] == [1, 1]
