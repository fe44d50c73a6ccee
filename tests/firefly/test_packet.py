"""The fast layouts are the declared ones, and no bundle is believed before it is checked."""

from typing import Any

import construct
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.errors import BadPacket
from firefly.packet import (
    BULK,
    CROSSED,
    DATA,
    HANDSHAKE_PREFIX,
    HEADER,
    HEADER_SIZE,
    HOP_LIMIT,
    INTERACTIVE,
    MAX_PAYLOAD,
    PROBE,
    PROBE_PAYLOAD,
    QUOTED,
    SESSION_PREFIX,
    UNREACHABLE,
    VERSION,
    HandshakePrefix,
    Header,
    ProbePayload,
    ProbeStep,
    SessionPrefix,
    UnreachableReason,
    derive,
    pack_header,
    pack_unreachable,
    parse_header,
    parse_unreachable,
    split_bundle,
)
from tests.firefly.mutation import garbage

addresses = st.binary(min_size=16, max_size=16)
bytes_of_one = st.integers(0, 255)
HERE, THERE = b"here".ljust(16), b"there".ljust(16)


def _packet(payload: bytes) -> bytes:
    return pack_header(DATA, INTERACTIVE, len(payload), THERE, HERE) + payload


BUNDLE = b"".join(map(_packet, (b"one", b"", bytes(40), b"four")))


@st.composite
def headers(draw: st.DrawFn) -> tuple[int, int, int, bytes, bytes, int, int]:
    """The arguments of pack_header."""
    return (
        draw(st.integers(1, 15)),
        draw(bytes_of_one),
        draw(st.integers(0, MAX_PAYLOAD)),
        draw(addresses),
        draw(addresses),
        draw(bytes_of_one),
        draw(bytes_of_one),
    )


@given(headers())
def test_a_header_is_as_declared(header: tuple[int, int, int, bytes, bytes, int, int]) -> None:
    kind, priority, length, destination, source, hop_limit, flags = header
    packed = pack_header(*header)
    assert packed == Header.build(
        {
            "version_and_kind": VERSION << 4 | kind,
            "hop_limit": hop_limit,
            "priority": priority,
            "flags": flags,
            "length": length,
            "destination": destination,
            "source": source,
        }
    )
    parsed = parse_header(b"before" + packed + bytes(length), 6)
    assert parsed == (kind, hop_limit, priority, flags, length, destination, source)
    assert parse_header(memoryview(packed + bytes(length))) == parsed


@pytest.mark.parametrize(
    ("layout", "fast", "form"),
    [
        (Header, HEADER, ">BBBBL16s16s"),
        (SessionPrefix, SESSION_PREFIX, ">LQ"),
        (HandshakePrefix, HANDSHAKE_PREFIX, ">BLL"),
        (ProbePayload, PROBE_PAYLOAD, ">BQ"),
    ],
)
def test_every_fast_layout_is_derived_from_its_declaration(layout: Any, fast: Any, form: str) -> None:
    assert fast.format == form
    assert fast.size == layout.sizeof()
    data = bytes(range(fast.size))
    parsed = layout.parse(data)
    assert fast.unpack(data) == tuple(parsed[part.name] for part in layout.subcons)
    assert layout.build(parsed) == data


def test_derive_knows_signed_numbers_and_strings() -> None:
    layout = construct.Struct("a" / construct.Int16sb, "b" / construct.Bytes(3), "c" / construct.Int64ub)
    assert derive(layout).format == ">h3sQ"


def test_the_numbers_are_those_of_the_wire() -> None:
    header = pack_header(PROBE, 0, 9, THERE, HERE)
    assert header[:8].hex() == "1480000000000009"
    assert header[8:] == THERE + HERE
    assert pack_header(UNREACHABLE, BULK, 1, THERE, HERE, HOP_LIMIT - 1, CROSSED)[:4].hex() == "157f0201"
    assert HEADER_SIZE == 40
    assert list(ProbeStep) == [1, 2]
    assert [reason.name for reason in UnreachableReason] == ["NO_ROUTE", "HOP_LIMIT", "UNKNOWN_SESSION", "REFUSED"]
    assert list(UnreachableReason) == [1, 2, 3, 4]


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_a_bundle_falls_into_its_packets(payloads: list[bytes]) -> None:
    packets = list(map(_packet, payloads))
    assert split_bundle(b"".join(packets)) == packets


def test_a_packet_may_be_as_long_as_allowed_and_no_longer() -> None:
    longest = _packet(bytes(MAX_PAYLOAD))
    assert split_bundle(longest) == [longest]
    with pytest.raises(BadPacket, match=f"{MAX_PAYLOAD + 1} bytes"):
        split_bundle(_packet(bytes(MAX_PAYLOAD + 1)))


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (BUNDLE[:-1], "4 bytes"),
        (BUNDLE + b"\x11", "shorter than its header"),
        (_packet(b"")[:-1], "shorter than its header"),
        (b"\x21" + _packet(b"")[1:], "version 2"),
        (b"\x01" + _packet(b"")[1:], "version 0"),
        (_packet(b"")[:4] + b"\xff" * 4 + _packet(b"")[8:], "4294967295 bytes"),
    ],
)
def test_a_lying_bundle_is_refused_with_its_reason(bundle: bytes, reason: str) -> None:
    with pytest.raises(BadPacket, match=reason) as caught:
        split_bundle(bundle)
    assert caught.value.fault == "peer"


@given(garbage(BUNDLE))
def test_any_bundle_falls_into_packets_or_is_refused(bundle: bytes) -> None:
    try:
        packets = split_bundle(bundle)
    except BadPacket:
        return
    assert b"".join(packets) == bundle
    assert all(len(packet) == HEADER_SIZE + parse_header(packet)[4] for packet in packets)


@given(st.sampled_from(UnreachableReason), st.binary(min_size=1, max_size=100))
def test_a_hint_quotes_its_cause_and_is_never_longer(reason: UnreachableReason, offending: bytes) -> None:
    payload = pack_unreachable(reason, offending)
    assert len(payload) <= min(len(offending), 1 + QUOTED)
    quoted = offending[: len(payload) - 1]
    assert parse_unreachable(payload) == (reason, quoted)
    assert len(quoted) == min(QUOTED, len(offending) - 1)


@given(st.binary(max_size=40))
def test_any_hint_is_read_or_refused(payload: bytes) -> None:
    try:
        reason, quoted = parse_unreachable(payload)
    except BadPacket:
        assert not 1 <= len(payload) <= 1 + QUOTED
    else:
        assert bytes((reason,)) + quoted == payload
