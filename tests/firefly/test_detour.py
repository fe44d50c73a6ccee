"""Detours: what waypoints unwrap, what they refuse, and whom one end suspects."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.detour import MAX_WAYPOINTS, Search, Way, unwrap
from firefly.errors import BadPacket
from firefly.packet import (
    BULK,
    DATA,
    DETOUR,
    HANDSHAKE,
    HEADER_SIZE,
    HOP_LIMIT,
    INTERACTIVE,
    MAX_PAYLOAD,
    TOPOLOGY,
    UNREACHABLE,
    pack_header,
)

SELF, PEER, *NODES = (bytes([number]) * 16 for number in range(1, 8))


def packet(payload: bytes = b"payload", kind: int = DATA, priority: int = INTERACTIVE) -> bytes:
    return pack_header(kind, priority, len(payload), PEER, SELF) + payload


def with_hops(given: bytes, hops: int) -> bytes:
    return given[:1] + bytes((hops,)) + given[2:]


@given(
    st.lists(st.sampled_from(NODES), min_size=1, max_size=MAX_WAYPOINTS, unique=True),
    st.binary(max_size=300),
    st.sampled_from([DATA, HANDSHAKE]),
    st.sampled_from([INTERACTIVE, BULK]),
)
def test_each_waypoint_finds_what_is_for_the_next_one(
    waypoints: list[bytes], payload: bytes, kind: int, priority: int
) -> None:
    given = packet(payload, kind, priority)
    way = Way(waypoints, waypoints)
    wrapped = way.wrap(given)
    assert way.first(PEER) == waypoints[0]
    for waypoint in waypoints:
        assert (wrapped[0] & 15, wrapped[2], wrapped[8:24], wrapped[24:40]) == (DETOUR, priority, waypoint, SELF)
        wrapped = unwrap(wrapped)
    assert wrapped == with_hops(given, HOP_LIMIT - len(waypoints))


def test_wrapping_makes_no_packet_live_longer() -> None:
    wrapped = Way(NODES[:2], ()).wrap(packet())
    assert unwrap(with_hops(wrapped, 7))[1] == 6
    assert unwrap(wrapped[:HEADER_SIZE] + with_hops(wrapped[HEADER_SIZE:], 5))[1] == 4
    with pytest.raises(BadPacket):
        unwrap(with_hops(wrapped, 1))


def test_what_has_crossed_a_hub_keeps_the_mark() -> None:
    wrapped = Way(NODES[:1], ()).wrap(packet())
    assert unwrap(wrapped[:3] + b"\x01" + wrapped[4:])[3] == 1


def test_a_packet_that_is_as_long_as_can_be_is_not_wrapped() -> None:
    given = packet(bytes(MAX_PAYLOAD))
    assert Way(NODES[:1], ()).wrap(given) == given
    longest = packet(bytes(MAX_PAYLOAD - HEADER_SIZE))
    assert unwrap(Way(NODES[:1], ()).wrap(longest)) == with_hops(longest, HOP_LIMIT - 1)


def wrapped_by_hand(
    inner: bytes, source: bytes = SELF, priority: int = INTERACTIVE, waypoint: bytes = NODES[0]
) -> bytes:
    return pack_header(DETOUR, priority, len(inner), waypoint, source) + inner


@pytest.mark.parametrize(
    "bad",
    [
        wrapped_by_hand(packet(kind=TOPOLOGY)),
        wrapped_by_hand(packet(kind=UNREACHABLE)),
        wrapped_by_hand(packet()[:-1]),
        wrapped_by_hand(packet() + b"x"),
        wrapped_by_hand(packet()[: HEADER_SIZE - 1]),
        wrapped_by_hand(b""),
        wrapped_by_hand(packet(), source=NODES[1]),
        wrapped_by_hand(packet(), priority=BULK),
        wrapped_by_hand(packet(), waypoint=PEER),
        Way([*NODES[:4], NODES[0]], ()).wrap(packet()),
        wrapped_by_hand(b"\x26" + packet()[1:]),
    ],
    ids=[
        "control inside",
        "a hint inside",
        "cut",
        "a byte too many",
        "cut header",
        "empty",
        "the packet of another",
        "another priority",
        "for the waypoint itself",
        "too many waypoints",
        "another version",
    ],
)
def test_a_waypoint_refuses_what_no_honest_end_sends(bad: bytes) -> None:
    with pytest.raises(BadPacket):
        unwrap(bad)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(noise: bytes) -> None:
    try:
        unwrap(wrapped_by_hand(noise))
    except BadPacket:
        return


class Map:
    """Three ways to PEER, in the order of their costs; the first is the plain one."""

    ALL = (Way((), (NODES[0],)), Way((NODES[1],), (NODES[1],)), Way((NODES[2],), (NODES[2], NODES[1])))

    def __init__(self) -> None:
        self.routed = True

    def ways(self, peer: bytes, suspicion: Mapping[bytes, int], now: float) -> Way | None:
        weights = [sum(suspicion.get(node, 0) for node in way.nodes) for way in self.ALL]
        return self.ALL[weights.index(min(weights))] if self.routed else None


def test_who_fails_is_suspected_and_the_least_suspected_way_is_next() -> None:
    search = Search(PEER, Map().ways)
    assert search.way is None
    assert search.next(0.0) == Map.ALL[1]
    assert search.suspects([NODES[0]])
    assert not search.suspects([NODES[1]])
    assert search.next(0.0) is None  # all the same now: the plain way costs the least
    assert search.next(0.0) == Map.ALL[1]


def test_without_any_path_nothing_is_another_way() -> None:
    where = Map()
    search = Search(PEER, where.ways)
    where.routed = False
    assert search.next(0.0) is None
    assert not search.suspects(NODES)
