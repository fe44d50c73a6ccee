"""One topic: takes what is published and gives it to everyone who subscribed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import msgspec
import trio
from msgspec import Raw

from firefly.errors import Busy, TooLarge
from firefly.interfaces.streams import Message, Start
from firefly.messages import join
from firefly.runtime import Encoded
from processes.pubsub.backlog import Backlog

MAX_MESSAGE = 2**20
MAX_SUBSCRIBERS = 1024
"""Of one topic."""
HEAD = 6
"""Bytes that the encoding of so big a message takes beside its data."""


class Posted(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The arguments of `post`, and so a Message that says nothing of lost ones."""

    data: bytes


class _Lenient(msgspec.Struct, array_like=True, frozen=True):
    """The same from a publisher whose interface is newer."""

    data: bytes


_encode = msgspec.msgpack.Encoder().encode
_check = msgspec.msgpack.Decoder(list[Posted]).decode
_decode = msgspec.msgpack.Decoder(_Lenient).decode


class Topic:
    """Messages pass undecoded: what `post` says is, byte for byte, what a subscriber reads.

    A subscriber reads on from the number of its last message, so one that is slow holds up nobody.
    """

    def __init__(self, name: str, backlog: Backlog) -> None:
        self.name = name
        self.backlog = backlog
        self.subscribers = 0
        self._changed = trio.Event()

    @property
    def empty(self) -> bool:
        """True if nothing would be missed without it."""
        return not self.subscribers and not self.backlog.kept

    # --- publishing

    def publish(self, data: bytes) -> int:
        """Adds a message; returns by how many bytes the topic has grown. Raises TooLarge."""
        if len(data) > MAX_MESSAGE:
            raise TooLarge(
                f"a message has at most {MAX_MESSAGE} bytes, not {len(data)}", hint="send big things as files"
            )
        return self._add([Raw(_encode(Posted(data)))])

    def post(self, values: list[Raw]) -> int:
        """Adds the messages among encoded arguments, and drops what is none or too big; returns the same."""
        joined = join(values)
        try:
            _check(joined)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            values = [good for good in map(_in_order, values) if good is not None]
        if len(joined) > MAX_MESSAGE:
            values = [value for value in values if len(value) <= MAX_MESSAGE + HEAD]
        return self._add(values) if values else 0

    def _add(self, values: Sequence[Raw]) -> int:
        grown = self.backlog.append(values)
        self._changed.set()
        self._changed = trio.Event()
        return grown

    # --- subscribing

    async def subscribe(self, start: Start) -> AsyncGenerator[Message | Encoded, None]:
        """Messages from `start` on, for ever. Raises Busy."""
        if self.subscribers >= MAX_SUBSCRIBERS:
            raise Busy(f"the topic {self.name!r} has {MAX_SUBSCRIBERS} subscribers", hint="try again later")
        number = self._before(start)
        self.subscribers += 1
        try:
            while True:
                found = self.backlog.read(number)
                if found is None:
                    await self._changed.wait()
                    continue
                values, number, lost = found
                if lost:
                    yield Message(_decode(values[0]).data, lost)
                    values = values[1:]
                if values:
                    yield Encoded(values)
        finally:
            self.subscribers -= 1

    def _before(self, start: Start) -> int:
        """The number of the message after which a subscription begins."""
        last, oldest = self.backlog.last, self.backlog.first
        if start == Start.BACKLOG:
            return oldest - 1
        return max(last, oldest) - 1 if start == Start.LAST else last


def _in_order(value: Raw) -> Raw | None:
    """The message of a publisher whose interface is newer; None if it is none."""
    try:
        return Raw(_encode(Posted(_decode(value).data)))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
