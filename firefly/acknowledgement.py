"""Lane 0 of a session: what is said there, and when an ACK is due (docs/concepts/wire.md, 4 Session)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from firefly.errors import BadRecord
from firefly.lane import MAX_RANGES, Receiving

DELAY = 0.005
RECORDS = 64
BYTES = 256 * 2**10
"""An ACK is due after so many seconds, records or bytes, whatever comes first."""
MAX_COUNTER = 2**48
MAX_REASON = 256
"""Characters of the reason in a CLOSE."""

Counter = Annotated[int, Meta(ge=0, le=MAX_COUNTER)]
Ranges = Annotated[list[tuple[Counter, Counter]], Meta(max_length=MAX_RANGES)]
LaneAck = tuple[Annotated[int, Meta(ge=1, le=2)], Counter, Ranges]


class Ack(msgspec.Struct, array_like=True, tag=1):
    """Per lane the next counter wanted, and ranges that came above it; µs since the newest record came; how many
    records have come twice: so many were sent again in vain."""

    lanes: Annotated[list[LaneAck], Meta(max_length=2)]
    delay: Annotated[int, Meta(ge=0)] = 0
    duplicates: Annotated[int, Meta(ge=0)] = 0


class Ping(msgspec.Struct, array_like=True, tag=2):
    """Asks for an ACK at once."""


class Close(msgspec.Struct, array_like=True, tag=3):
    """The sender has ended the session."""

    reason: Annotated[str, Meta(max_length=MAX_REASON)] = ""


Control = Ack | Ping | Close

_decode: Callable[[bytes], Control] = msgspec.msgpack.Decoder(Control).decode
encode_control: Callable[[Control], bytes] = msgspec.msgpack.Encoder().encode


def decode_control(plaintext: bytes) -> Control:
    """Raises BadRecord, the peer's fault."""
    try:
        return _decode(plaintext)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRecord("a control record is malformed", cause=str(error)) from None


class Acknowledging:
    """When the receiver owes an ACK. `due(at)` hears of a deadline, `announce()` that one may leave now."""

    __slots__ = ("_announce", "_bytes", "_due", "_records", "at", "duplicates", "newest", "wanted")

    def __init__(self, due: Callable[[float], None], announce: Callable[[], None], now: float) -> None:
        self._due = due
        self._announce = announce
        self._records = self._bytes = 0
        self.at = math.inf
        self.wanted = False
        self.newest = now
        self.duplicates = 0

    def count(self, size: int, now: float) -> None:
        """A record has come in order."""
        self.newest = now
        self._bytes += size
        self._records += 1
        if self._records == 1:
            self.at = now + DELAY
            self._due(self.at)
        elif self._records >= RECORDS or self._bytes >= BYTES:
            self.want()

    def want(self) -> None:
        """It is due at once: on a gap, a duplicate, a PING."""
        self.at = math.inf
        self.wanted = True
        self._announce()

    def take(self, receiving: dict[int, Receiving], now: float) -> Ack | None:
        """The ACK, if it is due."""
        if not self.wanted and self.at > now:
            return None
        self.at = math.inf
        self.wanted = False
        self._records = self._bytes = 0
        lanes: list[LaneAck] = [
            (lane, part.wanted, part.ranges()) for lane, part in receiving.items() if part.wanted or part.held
        ]
        return Ack(lanes, max(0, int((now - self.newest) * 1e6)), self.duplicates)
