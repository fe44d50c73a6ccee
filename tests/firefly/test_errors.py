"""Errors travel as what they are; what is malformed or unknown arrives as RemoteError and never raises."""

import math
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly import errors
from firefly.errors import (
    MAX_RETRY,
    MAX_TEXT,
    SYSTEM_CODES,
    SYSTEM_ERRORS,
    BadFrame,
    BadHandshake,
    Busy,
    DeclaredError,
    Denied,
    GlowError,
    Internal,
    NoSuchMethod,
    ProtocolError,
    RemoteError,
    decode_error,
    encode_error,
)
from tests.firefly.mutation import garbage


class _ConflictBody(msgspec.Struct, array_like=True):
    revision: int
    key: str


class Conflict(DeclaredError):
    """As a generated one looks."""

    code: ClassVar[int] = 0xC0FFEE
    name: ClassVar[str] = "glow.kv.Conflict"
    Body: ClassVar[type[msgspec.Struct]] = _ConflictBody

    def __init__(self, revision: int, key: str) -> None:
        super().__init__(revision, key)
        self.revision = revision
        self.key = key


DECLARED = {Conflict.code: Conflict}
texts = st.text(max_size=50)


def _travelled(error: GlowError) -> GlowError:
    return decode_error(*encode_error(error), DECLARED)


def test_the_codes_are_those_of_the_wire() -> None:
    names = (
        "Unreachable NoSuchResource NoSuchMethod Denied InvalidArgument TooLarge Busy CallCancelled "
        "DeadlineExceeded Interrupted Internal"
    )
    assert [SYSTEM_ERRORS[code].__name__ for code in range(1, 12)] == names.split()
    assert max(SYSTEM_ERRORS) < SYSTEM_CODES


def test_every_error_says_what_it_means_and_whose_fault_it_is() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GlowError)]
    assert len(kinds) == 21
    for kind in kinds:
        assert kind.__doc__
        assert kind.fault in ("caller", "owner", "network", "peer")
        assert (kind.fault == "peer") == issubclass(kind, ProtocolError)


@given(st.sampled_from(list(SYSTEM_ERRORS.values())), texts, texts, texts)
def test_a_system_error_arrives_as_it_was(kind: type[GlowError], message: str, cause: str, hint: str) -> None:
    arrived = _travelled(kind(message, cause, hint))
    assert type(arrived) is kind
    assert (arrived.message, arrived.cause, arrived.hint, str(arrived)) == (message, cause, hint, message)


@given(st.floats(0, MAX_RETRY))
def test_busy_says_when_to_come_back(retry_after: float) -> None:
    arrived = _travelled(Busy("full", retry_after=retry_after))
    assert isinstance(arrived, Busy)
    assert arrived.retry_after == retry_after


@pytest.mark.parametrize("retry_after", [math.nan, math.inf, -1.0, MAX_RETRY + 1])
def test_an_owner_cannot_make_a_caller_wait_for_ever(retry_after: float) -> None:
    arrived = _travelled(Busy("full", retry_after=retry_after))
    assert isinstance(arrived, Busy)
    assert arrived.retry_after == 1.0


def test_a_declared_error_arrives_with_its_fields() -> None:
    arrived = _travelled(Conflict(7, "name"))
    assert isinstance(arrived, Conflict)
    assert (arrived.revision, arrived.key) == (7, "name")
    assert str(arrived) == "Conflict: 7, name"


def test_an_unknown_error_keeps_its_code_and_body_and_can_be_passed_on() -> None:
    code, body = encode_error(Conflict(7, "name"))
    arrived = decode_error(code, body, {})
    assert isinstance(arrived, RemoteError)
    assert "0x00c0ffee" in arrived.message
    assert encode_error(arrived) == (code, body)


def test_what_is_not_the_callers_business_is_internal() -> None:
    for error in (BadFrame("a frame does not open"), GlowError("something")):
        arrived = _travelled(error)
        assert isinstance(arrived, Internal)
        assert arrived.message == error.message


@pytest.mark.parametrize(
    ("long", "cut"), [("x" * 5000, MAX_TEXT), ("ä" * 5000, MAX_TEXT // 2), ("x" + "ä" * 5000, 512)]
)
def test_texts_are_cut_on_both_sides(long: str, cut: int) -> None:
    code, body = encode_error(Denied(long, long, long))
    assert len(body) <= 3 * (MAX_TEXT + 3) + 1
    assert len(_travelled(Denied(long)).message) == cut
    lying = decode_error(code, msgspec.msgpack.encode([long] * 3), {})
    assert [len(text) for text in (lying.message, lying.cause, lying.hint)] == [cut] * 3


def test_a_text_that_is_no_unicode_travels() -> None:
    """As the name of a file that os.fsdecode gave."""
    assert _travelled(Denied("no file caf\udce9")).message == "no file caf?"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (Denied.code, []),
        (Denied.code, ["message", "cause"]),
        (Denied.code, ["message", "cause", 1]),
        (Denied.code, "message"),
        (Busy.code, ["message", "cause", "hint", "soon"]),
        (Conflict.code, [1]),
        (Conflict.code, ["1", "name"]),
        (200, ["message", "cause", "hint"]),
        (0, ["message", "cause", "hint"]),
    ],
)
def test_a_malformed_error_is_a_remote_error(code: int, value: Any) -> None:
    body = msgspec.msgpack.encode(value)
    arrived = decode_error(code, body, DECLARED)
    assert isinstance(arrived, RemoteError)
    assert (arrived.error_code, arrived.data) == (code, body)


@given(
    st.sampled_from([Denied.code, Busy.code, Conflict.code, 99]),
    garbage(Busy("message", "cause", "hint").body()) | garbage(Conflict(1, "name").body()),
)
def test_garbage_never_raises(code: int, body: bytes) -> None:
    assert isinstance(decode_error(code, body, DECLARED), GlowError)


def test_a_deep_nest_never_raises() -> None:
    assert isinstance(decode_error(NoSuchMethod.code, b"\x91" * 100_000, {}), RemoteError)


def test_a_handshake_error_has_no_answer_unless_given_one() -> None:
    assert BadHandshake("x").answer == b""
