"""What the log is told of ways that change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from firefly.interfaces.core import LogLevel
from node.ways import LINES, Ways

TCP, LOST = SimpleNamespace(kind="tcp", reason=""), SimpleNamespace(kind="ws", reason="the neighbour has gone silent")


def made(ways: dict[bytes, Any], told: list[tuple[LogLevel, str]]) -> Ways:
    return Ways(
        lambda: list(ways), lambda node: ways[node], bytes.decode, lambda level, what: told.append((level, what))
    )


def test_each_change_is_told_once_with_its_reason() -> None:
    told: list[tuple[LogLevel, str]] = []
    ways: dict[bytes, Any] = {b"nas": (b"nas", LOST, ())}
    watched = made(ways, told)
    watched.compare()
    ways[b"nas"] = (b"pi", TCP, ())
    watched.compare()
    watched.compare()
    ways[b"nas"] = None
    watched.compare()
    assert told == [
        (LogLevel.INFO, "nas can be reached over ws"),
        (
            LogLevel.INFO,
            "the way to nas has changed: by way of pi over tcp, before over ws: "
            "the link to nas ended: the neighbour has gone silent",
        ),
        (
            LogLevel.WARNING,
            "no way leads to nas any more: nothing that is on is linked to it",
        ),
    ]


def test_a_detour_is_told_with_its_reason_and_so_is_its_end() -> None:
    told: list[tuple[LogLevel, str]] = []
    ways: dict[bytes, Any] = {b"nas": (b"pi", TCP, ())}
    watched = made(ways, told)
    watched.compare()
    ways[b"nas"] = (b"pi", TCP, (b"tv", b"phone"))
    watched.compare()
    ways[b"nas"] = (b"pi", TCP, ())
    watched.compare()
    assert told[1:] == [
        (
            LogLevel.WARNING,
            "packets to nas go on a detour by tv, phone: what went by way of pi over tcp seems to be swallowed there",
        ),
        (
            LogLevel.INFO,
            "the way to nas has changed: by way of pi over tcp, before on a detour by tv, phone: "
            "the usual way is tried again, or leads elsewhere",
        ),
    ]


def test_many_changes_are_summed_up() -> None:
    told: list[tuple[LogLevel, str]] = []
    made({b"node%d" % number: (b"pi", TCP, ()) for number in range(1000)}, told).compare()
    assert len(told) == LINES + 1
    assert told[-1][1] == f"and so have those to {1000 - LINES} other nodes: glow route"
