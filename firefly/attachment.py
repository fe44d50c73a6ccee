"""How OS processes attach to their node (docs/concepts/wire.md, 6 Local attachment). Sans-I/O.

The same messages as in a session, in plain frames `u32 length, record`, with a few of their own: the attached side
says ATTACH, the node answers ATTACHED; REGISTER is answered by REGISTERED. REQUEST and NOTIFY name the node they go
to, or the caller they come from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw, Struct

from firefly.calls import OutgoingCall
from firefly.errors import BadMessage, GlowError
from firefly.messages import (
    Cancel,
    Capabilities,
    Credit,
    End,
    Error,
    Fragment,
    Grant,
    Item,
    Notify,
    Release,
    Request,
    Result,
    Signed,
)
from firefly.outbox import Run
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import Conversation, Dispatcher

VERSION = 1
ATTACHES, LINKS, PIPES = b"a", b"l", b"p"
"""The first byte on the unix socket: what follows is an attachment, a link, or a link that comes through a command."""
RECORD = 65_536
MAX_SCHEMA = 2**20
"""Bytes of the schema that is registered with a resource."""
MAX_FRAME = MAX_SCHEMA + 2 * RECORD
LENGTH = struct.Struct(">I")
REMOTE_ROUND_TRIP = 5e-3
"""Seconds; what the far end's credit is renewed by, since an attachment cannot see the session behind the node."""


class AttachedRequest(Request, array_like=True, tag=1):
    """`peer`: the target's address, or `[node key, namespace, role, address]` of the caller."""

    peer: Any = None
    lane: int = INTERACTIVE


class AttachedNotify(Notify, array_like=True, tag=4):
    peer: Any = None
    lane: int = INTERACTIVE


class Attach(Struct, array_like=True, tag=13):
    """The first message of the attached side; `token` is what a program was started with, else empty."""

    version: int
    token: bytes


class Register(Struct, array_like=True, tag=14):
    """Offers a resource: `resource` must be of the program's specification, or is None for a fresh one."""

    label: str
    resource: bytes | None
    proto: str
    schema: bytes


class Attached(Struct, array_like=True, tag=15):
    """The node's answer: who it is, and for a program what its specification says."""

    version: int
    address: bytes
    key: bytes
    identity: bytes = b""
    label: str = ""
    folder: str = ""
    configuration: dict[str, str] = {}


class Registered(Struct, array_like=True, tag=16):
    """The id of a registered resource, or why it was refused."""

    resource: bytes
    refused: str = ""


AttachmentMessage = (
    AttachedRequest
    | Result
    | Error
    | AttachedNotify
    | Cancel
    | Item
    | End
    | Credit
    | Fragment
    | Grant
    | Release
    | Signed
    | Attach
    | Register
    | Attached
    | Registered
)
_decode = msgspec.msgpack.Decoder(list[AttachmentMessage]).decode
encode = msgspec.msgpack.Encoder().encode


def decode_frame(frame: bytes | memoryview) -> list[Any]:
    """Splits a frame of an attachment. Raises BadMessage for anything else than messages."""
    try:
        return _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("the attached side sent a frame that is no list of messages", cause=str(error)) from None


def pack_frame(record: bytes) -> bytes:
    return LENGTH.pack(len(record)) + record


class AttachedConversation(Conversation):
    """A conversation over an attachment. `control` gets the messages that only attachments have."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        odd: bool,
        wake: Callable[[int], None],
        now: Callable[[], float],
        control: Callable[[Any], None],
    ) -> None:
        super().__init__(
            dispatcher, odd=odd, wake=wake, now=now, round_trip=lambda: REMOTE_ROUND_TRIP, decode=decode_frame
        )
        self._control = control

    def _attached_request(self, _: int, request: AttachedRequest) -> None:
        self._request(_checked(request.lane), request)

    def _attached_notify(self, _: int, notification: AttachedNotify) -> None:
        self._notified(_checked(notification.lane), notification)

    def _controlled(self, _: int, message: Any) -> None:
        self._control(message)

    _handlers = Conversation._handlers | {
        AttachedRequest: _attached_request,
        AttachedNotify: _attached_notify,
        **dict.fromkeys((Attach, Register, Attached, Registered), _controlled),
    }
    _complete = Conversation._complete | {
        AttachedRequest: Conversation._serve,
        AttachedNotify: Conversation._deliver,
    }

    def next_frame(self) -> bytes | None:
        """The next frame to write: interactive messages before bulk ones."""
        record = self.outbox.take(INTERACTIVE, RECORD) or self.outbox.take(BULK, RECORD)
        return None if record is None else pack_frame(record)

    def alone(self) -> bool:
        """True while one call is all that goes on, so that waiting for more to send is of no use."""
        return len(self.calls) + len(self.serving) == 1


def _checked(lane: int) -> int:
    if lane not in (INTERACTIVE, BULK):
        raise BadMessage(f"there is no lane {lane}")
    return lane


class AttachedPeer:
    """One node as an attached program talks to it: the conversation with the own node, and the target's address."""

    def __init__(self, conversation: AttachedConversation, peer: Any) -> None:
        self.conversation = conversation
        self._peer = peer
        self._notify = {lane: partial(_notification, peer, lane) for lane in (INTERACTIVE, BULK)}
        self.next_number = conversation.next_number
        self.when_room = conversation.when_room
        self.notify_credit = conversation.notify_credit
        self.when_credit = conversation.when_credit

    @property
    def closed(self) -> GlowError | None:
        return self.conversation.closed

    @property
    def full(self) -> bool:
        return self.conversation.full

    def call(
        self,
        call: OutgoingCall,
        resource: bytes,
        selector: int,
        arguments: bytes,
        deadline: int | None,
        capabilities: Capabilities | None,
    ) -> None:
        stowed = Raw(self.conversation.stow(arguments))
        request = AttachedRequest(
            call.number, resource, selector, deadline, None, stowed, capabilities, self._peer, call.lane
        )
        self.conversation.call_with(call, request, len(stowed))

    def notify(
        self, lane: int, resource: bytes, selector: int, arguments: bytes, capabilities: Capabilities | None
    ) -> Run | None:
        return self.conversation.notify_with(self._notify[lane], lane, resource, selector, arguments, capabilities)


def _notification(
    peer: Any,
    lane: int,
    resource: bytes,
    selector: int,
    arguments: list[Raw],
    capabilities: Capabilities | None = None,
) -> AttachedNotify:
    return AttachedNotify(resource, selector, arguments, capabilities, peer, lane)
