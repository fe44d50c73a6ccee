from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.address import format_address
from firefly.dynamic import client
from firefly.dynamic_types import Types
from firefly.errors import InvalidArgument
from firefly.interfaces import core
from firefly.plain import Reader, bytes_to_text, text_to_bytes, to_plain, type_text
from firefly.schema import Type, load

SCHEMA = load(core.SCHEMA)
READER = Reader(Types(SCHEMA, lambda protos: client(SCHEMA, protos[0])))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["Address", "Key", "Label", "Specification", "NodeStatus", "PairingEvent", "Role", "Hop", "Node"]


def ref(name: str) -> Type:
    return Type("Ref", name=f"glow.core.{name}")


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode()))
def test_bytes_read_back_as_they_were_shown(data: bytes) -> None:
    assert text_to_bytes(bytes_to_text(data)) == data


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"dark", "dark"), (b"", ""), ("ä\n".encode(), "ä\n"), (b"\x00", "base64:AA=="), (b"\xff", "base64:/w=="),
        (b"hex:00", "base64:aGV4OjAw"), (b"\x1b[2J", "base64:G1sySg=="),
    ],
)  # fmt: skip
def test_bytes_are_shown_as_text_where_that_is_harmless(data: bytes, shown: str) -> None:
    assert bytes_to_text(data) == shown


def test_addresses_are_shown_and_read_in_their_own_form() -> None:
    address = bytes(range(16))
    shown = to_plain(SCHEMA, ref("Address"), address)
    assert shown == format_address(address)
    assert READER.plain(ref("Address"), shown, "a") == READER.plain(ref("Address"), address.hex(), "a") == address


def test_a_time_without_a_zone_is_this_devices() -> None:
    made = READER.word(Type("Timestamp"), "2026-01-02 03:04", "t")
    assert made.tzinfo is not None
    assert to_plain(SCHEMA, Type("Timestamp"), READER.word(Type("Timestamp"), "2026-01-02T03:04:05+01:00", "t")) == (
        "2026-01-02T02:04:05Z"
    )


def test_a_wrong_value_is_named_by_its_place() -> None:
    event = {"asked": {"invite": "00" * 16, "name": "n", "address": "00" * 16, "from": 5}}
    with pytest.raises(InvalidArgument, match=r"e\[0\]\.asked\.from is no String"):
        READER.plain(Type("Array", (ref("PairingEvent"),)), [event], "e")
    with pytest.raises(InvalidArgument, match="no variant 'gone'"):
        READER.plain(ref("PairingEvent"), {"gone": 1}, "e")
    with pytest.raises(InvalidArgument, match=r"s\.label is missing"):
        READER.plain(ref("Specification"), {}, "s")
    with pytest.raises(InvalidArgument, match="no field 'x'"):
        READER.plain(ref("PairingEvent"), {"refused": {"reason": "r", "x": 1}}, "e")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Type("Array", (Type("String", bound=3),), bound=4), "Array[String[<=3], <=4]"),
        (Type("Map", (Type("i8"), Type("Optional", (ref("Key"),)))), "Map[i8, Key?]"),
        (Type("Bytes", size=4), "Array[byte, 4]"),
        (Type("Both", (ref("Node"), ref("Process"))), "Node & Process"),
        (ref("Role"), "Role (ADMIN, MEMBER, GUEST, RELAY)"),
    ],
)
def test_types_are_shown_in_the_language(kind: Type, text: str) -> None:
    assert type_text(SCHEMA, kind) == text


@given(st.sampled_from(NAMES), JSON)
def test_any_json_is_a_value_or_refused(name: str, data: Any) -> None:
    try:
        made = READER.plain(ref(name), data, "value")
    except InvalidArgument:
        return
    json.dumps(to_plain(SCHEMA, ref(name), made))


@given(st.sampled_from(NAMES), st.text(max_size=30))
def test_any_word_is_a_value_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        READER.word(ref(name), text, "value")


def test_depth_is_bounded() -> None:
    with pytest.raises(InvalidArgument):
        READER.word(Type("Array", (Type("i64"),)), "[" * 100_000, "value")
