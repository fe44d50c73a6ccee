"""Every error of Glow, in one tree: what happened, why, what helps, and whose fault it was.

GlowError
 +- Unreachable … Internal   system errors: can come from any call (docs/concepts/wire.md, 5 Messages)
 +- RemoteError              an error that this side does not know
 +- DeclaredError            base of the errors that an interface declares
 +- ProtocolError            a peer broke the rules of the wire; ends its link, session or attachment
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

MAX_TEXT = 1024
"""Bytes of each text that an error carries to another node."""
MAX_RETRY = 3600.0
"""Seconds that an owner may ask a caller to wait."""
SYSTEM_CODES = 256
"""Codes below are the system's, codes above come from the names of declared errors."""


class GlowError(Exception):
    """`message` says what happened, `cause` why, `hint` what helps. `fault`: caller, owner, network or peer."""

    code: ClassVar[int] = 0
    fault: ClassVar[str] = "owner"

    def __init__(self, message: str = "", cause: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint

    def body(self) -> bytes:
        """How the error travels."""
        return msgspec.msgpack.encode(self._texts())

    def _texts(self) -> list[str]:
        return [_cut(self.message), _cut(self.cause), _cut(self.hint)]


class Unreachable(GlowError):
    """No path leads to the node, or it does not answer."""

    code, fault = 1, "network"


class NoSuchResource(GlowError):
    """The node has no such resource, or not for this caller."""

    code, fault = 2, "caller"


class NoSuchMethod(GlowError):
    """The resource does not offer the method."""

    code, fault = 3, "caller"


class Denied(GlowError):
    """The caller may not do this."""

    code, fault = 4, "caller"


class InvalidArgument(GlowError):
    """A value does not fit its type or bound."""

    code, fault = 5, "caller"


class TooLarge(GlowError):
    """A value is over a limit; a stream carries more."""

    code, fault = 6, "caller"


class Busy(GlowError):
    """No room now; after `retry_after` seconds there may be."""

    code, fault = 7, "owner"

    def __init__(self, message: str = "", cause: str = "", hint: str = "", retry_after: float = 1.0) -> None:
        super().__init__(message, cause, hint)
        self.retry_after = retry_after

    def body(self) -> bytes:
        return msgspec.msgpack.encode([*self._texts(), self.retry_after])


class CallCancelled(GlowError):
    """The call was cancelled before it had an answer."""

    code, fault = 8, "caller"


class DeadlineExceeded(GlowError):
    """The caller's deadline passed first."""

    code, fault = 9, "owner"


class Interrupted(GlowError):
    """The way to the owner was lost while the call was open: it may have run."""

    code, fault = 10, "network"


class Internal(GlowError):
    """The owner failed in a way that its interface does not declare; the id finds it in the owner's log."""

    code, fault = 11, "owner"


class RemoteError(GlowError):
    """An error whose code this side does not know; `data` is its body."""

    def __init__(self, error_code: int, data: bytes) -> None:
        super().__init__(
            f"the owner answered with the unknown error {error_code:#010x}", hint="its interface may be newer"
        )
        self.error_code = error_code
        self.data = data

    def body(self) -> bytes:
        return self.data


class DeclaredError(GlowError):
    """Base of the generated errors: `name` is "library.Error", `Body` the struct of its fields."""

    fault = "caller"
    name: ClassVar[str] = ""
    Body: ClassVar[type[msgspec.Struct]]

    def __init__(self, *fields: Any) -> None:
        super().__init__(f"{self.name.rpartition('.')[2]}: {', '.join(filter(None, map(str, fields)))}")
        for name, value in zip(self.Body.__struct_fields__, fields, strict=True):
            setattr(self, name, value)

    def body(self) -> bytes:
        return msgspec.msgpack.encode([getattr(self, name) for name in self.Body.__struct_fields__])

    @classmethod
    def from_body(cls, data: bytes) -> DeclaredError:
        """Raises msgspec.DecodeError."""
        body = msgspec.msgpack.decode(data, type=cls.Body)
        return cls(*(getattr(body, name) for name in cls.Body.__struct_fields__))


class ProtocolError(GlowError):
    """A peer broke the rules of the wire."""

    fault = "peer"


class BadPacket(ProtocolError):
    """A packet or bundle is malformed."""


class BadFrame(ProtocolError):
    """A frame is too long, or does not open."""


class BadHandshake(ProtocolError):
    """A handshake is malformed, or the peer is not who it should be. `answer`: bytes to send before closing."""

    answer: bytes = b""


class BadRecord(ProtocolError):
    """A record of a session or of the routing is malformed."""


class BadMessage(ProtocolError):
    """A message breaks the rules."""


class BadEnvelope(ProtocolError):
    """A signed statement is malformed, or its signature is wrong."""


SYSTEM_ERRORS: dict[int, type[GlowError]] = {
    error.code: error
    for error in (
        Unreachable,
        NoSuchResource,
        NoSuchMethod,
        Denied,
        InvalidArgument,
        TooLarge,
        Busy,
        CallCancelled,
        DeadlineExceeded,
        Interrupted,
        Internal,
    )
}


class _Body(msgspec.Struct, array_like=True):
    """What a system error carries; `retry_after` is Busy's alone."""

    message: str
    cause: str
    hint: str
    retry_after: float = 1.0


_decode_body = msgspec.msgpack.Decoder(_Body).decode


def _cut(text: str) -> str:
    """At most MAX_TEXT bytes of UTF-8. What is no Unicode, as in the name of a file, becomes question marks."""
    return text.encode(errors="replace")[:MAX_TEXT].decode(errors="ignore")


def encode_error(error: GlowError) -> tuple[int, bytes]:
    """(code, body) of an error that travels. One that is not the caller's business goes as Internal."""
    if isinstance(error, RemoteError):
        return error.error_code, error.data
    if isinstance(error, DeclaredError) or error.code in SYSTEM_ERRORS:
        return error.code, error.body()
    return Internal.code, error.body()


def decode_error(code: int, body: bytes, declared: Mapping[int, type[DeclaredError]]) -> GlowError:
    """The error of an ERROR message; one that is unknown or malformed is a RemoteError. Never raises."""
    try:
        if code in declared:
            return declared[code].from_body(body)
        if code in SYSTEM_ERRORS:
            return _system_error(SYSTEM_ERRORS[code], _decode_body(body))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return RemoteError(code, body)
    return RemoteError(code, body)


def _system_error(kind: type[GlowError], body: _Body) -> GlowError:
    texts = _cut(body.message), _cut(body.cause), _cut(body.hint)
    if issubclass(kind, Busy):
        sane = 0 <= body.retry_after <= MAX_RETRY  # not so for NaN
        return kind(*texts, retry_after=body.retry_after if sane else 1.0)
    return kind(*texts)
