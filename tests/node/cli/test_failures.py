"""Exit codes and words of errors."""

from __future__ import annotations

import pytest
import trio

from firefly.client import NoNode
from firefly.errors import Busy, DeadlineExceeded, Denied, GlowError, Interrupted, NoSuchResource, Unreachable
from firefly.interfaces.core import BadSpecification, InviteRefused, NameTaken, NoSuchName
from firefly.interfaces.filesystem import (
    BadPath,
    Exists,
    Mismatch,
    NoSpace,
    NotAFile,
    NotAFolder,
    NotEmpty,
    NotFound,
    ReadOnly,
)
from firefly.interfaces.kv import Conflict, TooOld
from node.cli.failures import PartlyDone, UsageError, describe, exit_code, root_cause

DECLARED = [
    NoSuchName("nsa", ["nas", "relay"]),
    NoSuchName("nas", []),
    NameTaken("files"),
    BadSpecification("no such kind"),
    InviteRefused("expired"),
    Conflict("theme", 4),
    Conflict("theme", 0),
    TooOld(7),
    NotFound("a"),
    ReadOnly(""),
    Exists("a"),
    NotAFile(""),
    NotAFolder("a"),
    NotEmpty("a"),
    BadPath("..", "it leads out"),
    NoSpace("a"),
    Mismatch("a", 1, bytes(32)),
]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GlowError("x"), 1),
        (Busy("x"), 1),
        (NotFound("a"), 1),
        (UsageError("x"), 2),
        (NoSuchName("a", []), 3),
        (NoSuchResource("x"), 3),
        (Denied("x"), 4),
        (ReadOnly("a"), 4),
        (PermissionError(13, "no"), 4),
        (Unreachable("x"), 5),
        (Interrupted("x"), 5),
        (DeadlineExceeded("x"), 5),
        (trio.TooSlowError(), 5),
        (PartlyDone("x"), 6),
        (Conflict("a", 1), 7),
        (NameTaken("a"), 7),
        (Exists("a"), 7),
        (NoNode("x"), 9),
        (KeyboardInterrupt(), 130),
        (ValueError("a defect"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("error", DECLARED, ids=lambda error: error.name)
def test_every_declared_error_has_words(error: GlowError) -> None:
    text = describe(error)
    assert text.startswith("error: ")
    assert type(error).__name__ not in text
    assert "[" not in text


def test_all_parts_of_an_error_are_told() -> None:
    assert describe(Unreachable("nas is off", "no path", "glow status")) == (
        "error: nas is off\ncause: no path\nhint: glow status\n"
    )


def test_an_error_of_the_system_names_its_file() -> None:
    assert describe(FileNotFoundError(2, "No such file or directory", "/x")) == "error: No such file or directory: /x\n"


def test_a_defect_asks_for_debug() -> None:
    assert "--debug" in describe(ZeroDivisionError("division by zero"))


def test_the_cause_of_a_group() -> None:
    inner = Unreachable("x")
    group = BaseExceptionGroup("", [GeneratorExit(), ExceptionGroup("", [inner])])
    assert root_cause(group) is inner
    stopped = KeyboardInterrupt()
    assert root_cause(BaseExceptionGroup("", [inner, stopped])) is stopped


def test_a_defect_is_not_hidden_behind_its_consequences() -> None:
    defect = TypeError("x")
    assert root_cause(ExceptionGroup("", [Interrupted("x"), defect])) is defect
