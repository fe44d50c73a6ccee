"""What commands print."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.address import format_address
from node.cli.output import Output, clean, duration_text, iso_time, plain, size_text


def output(**flags: bool) -> Output:
    return Output(Namespace(**{"json": False, "jsonl": False, "quiet": False, "verbose": False, **flags}))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1500, "1.5 kB"),
        (9940, "9.9 kB"),
        (10_000, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1 << 30, "1.1 GB"),
        (10**21, "1000 EB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 µs"),
        (0.00034, "340 µs"),
        (0.00125, "1.25 ms"),
        (1.5, "1.5 s"),
        (12.3, "12 s"),
        (300, "5 min"),
        (7200, "2 h"),
        (200_000, "2 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_times_are_shown_in_utc() -> None:
    time = datetime(2024, 5, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert iso_time(time) == "2024-05-01T12:00:00.123Z"


class Colour(IntEnum):
    DARK_RED = 1


class Sample(msgspec.Struct):
    address: bytes
    id: bytes
    colour: Colour
    since: datetime
    names: list[str]


def test_values_as_json() -> None:
    sample = Sample(bytes(16), b"\xff" * 16, Colour.DARK_RED, datetime(2024, 1, 1, tzinfo=UTC), ["a"])
    assert plain(sample) == {
        "address": format_address(bytes(16)),
        "id": "ff" * 16,
        "colour": "dark_red",
        "since": "2024-01-01T00:00:00.000Z",
        "names": ["a"],
    }


def test_tables_leave_empty_columns_out() -> None:
    table = output().table(("NAME", "WHY", "HOW"), [("nas", "", "direct tcp"), ("laptop", "", "this node")])
    assert table.splitlines() == ["NAME    HOW", "nas     direct tcp", "laptop  this node"]


def test_a_table_of_nothing_is_nothing() -> None:
    assert output().table(("NAME",), []) == ""


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "text\n"),
        ({"json": True}, '[{"a": 1}, {"a": 2}]\n'),
        ({"jsonl": True}, '{"a": 1}\n{"a": 2}\n'),
    ],
)
def test_formats(flags: dict[str, bool], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    output(**flags).show([{"a": 1}, {"a": 2}], lambda: "text")
    assert capsys.readouterr().out == expected


def test_items_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = output(json=True)
    for number in range(2):
        out.item({"number": number, "name": "é"}, "")
    assert [json.loads(line)["number"] for line in capsys.readouterr().out.splitlines()] == [0, 1]


def test_notes_go_to_stderr_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    output().note("hello")
    output(quiet=True).note("silence")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


@given(st.text())
def test_nothing_drives_the_terminal(text: str) -> None:
    cleaned = clean(text).replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[2m", "")
    assert not any((ord(character) < 32 and character != "\n") or ord(character) == 127 for character in cleaned)


def test_a_name_cannot_move_the_cursor() -> None:
    assert clean("a\x1b[2Jb\r\x07\u202e") == "a\ufffd[2Jb\ufffd\ufffd\ufffd"
