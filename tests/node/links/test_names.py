"""Names of multicast DNS in the answers of browsers. That a real one is found: tests/end_to_end/test_browser.py."""

from __future__ import annotations

import struct

import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.links.names import answer_in

LABEL = b"\x24e36e79f4-dc51-4406-9779-c34166a1525c"
NAME = dns.name.from_text("e36e79f4-dc51-4406-9779-c34166a1525c.local")
WIRE = LABEL + b"\x05local\x00"
ANSWER, FLUSH = 0x8400, 0x8001
"""Flags of an answer, and the class of a record that replaces those before (RFC 6762, section 10.2)."""
A, AAAA, NSEC = 1, 28, 47
ADDRESS, ADDRESS_6 = bytes((198, 18, 0, 3)), bytes.fromhex("20010db8000000000000000000000001")
POINTER = b"\xc0\x0c"
"""To where the first name of a message is."""


def record(kind: int, data: bytes, name: bytes = WIRE) -> bytes:
    return name + struct.pack("!HHIH", kind, FLUSH, 120, len(data)) + data


def message(*answers: bytes, more: bytes = b"", flags: int = ANSWER) -> bytes:
    return struct.pack("!6H", 0, flags, 0, len(answers), 0, bool(more)) + b"".join(answers) + more


def test_an_answer_is_understood_as_chromium_sends_it() -> None:
    """Its NSEC record, which says that there is no other kind of address, names the name by a pointer."""
    nsec = record(NSEC, POINTER + b"\x00\x01\x40", POINTER)
    data = message(record(A, ADDRESS), more=nsec)
    with pytest.raises(dns.name.DecompressionForbidden):
        dns.message.from_wire(data)
    assert answer_in(data, NAME) == "198.18.0.3"


def test_an_address_of_the_other_kind_is_understood() -> None:
    assert answer_in(message(record(AAAA, ADDRESS_6)), NAME) == "2001:db8::1"


def test_names_are_the_same_in_capitals() -> None:
    assert answer_in(message(record(A, ADDRESS, WIRE.upper())), NAME) == "198.18.0.3"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        message(),
        message(record(A, ADDRESS), flags=0),
        message(record(A, ADDRESS, b"\x05other\x05local\x00")),
        message(record(A, ADDRESS[:3])),
        message(record(AAAA, ADDRESS)),
        message(record(NSEC, POINTER + b"\x00\x01\x40")),
        message(record(A, ADDRESS))[:-1],
        dns.message.make_query(NAME, dns.rdatatype.A).to_wire(),
    ],
)
def test_what_says_nothing_of_the_name_is_passed_over(data: bytes) -> None:
    assert answer_in(data, NAME) == ""


@given(st.binary(max_size=256), st.booleans())
def test_any_bytes_are_an_answer_or_passed_over(data: bytes, headed: bool) -> None:
    """With the header and the name of an answer before them, too."""
    assert isinstance(answer_in(message(WIRE) + data if headed else data, NAME), str)
