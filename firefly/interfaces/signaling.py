# Made from signaling.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""How nodes that cannot yet reach each other meet: what a hub's signaling process does for those attached to it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import errors, runtime, scalars
from firefly.interfaces import core as _core


class Attached(msgspec.Struct, array_like=True, frozen=True):
    """A node of the caller's namespace that listens at this hub."""

    node: _core.Address
    key: _core.Key
    since: scalars.Timestamp


class Knock(msgspec.Struct, array_like=True, frozen=True):
    """What another node left: an offer, an answer, or nothing, which only wakes."""

    sender: _core.Key
    content: Annotated[bytes, msgspec.Meta(max_length=16384)]


class _NotAttachedBody(msgspec.Struct, array_like=True, frozen=True):
    node: _core.Address


class NotAttached(errors.DeclaredError):
    """No node of this address that the caller may see listens here."""

    code = 0x1133D588
    name = "glow.signaling.NotAttached"
    Body = _NotAttachedBody

    node: _core.Address

    def __init__(self, node: _core.Address) -> None:
        super().__init__(node)
        self.node = node


class _NotListeningBody(msgspec.Struct, array_like=True, frozen=True):
    node: _core.Address


class NotListening(errors.DeclaredError):
    """The node listens, but does not take what waits for it."""

    code = 0x6682B242
    name = "glow.signaling.NotListening"
    Body = _NotListeningBody

    node: _core.Address

    def __init__(self, node: _core.Address) -> None:
        super().__init__(node)
        self.node = node


class Rendezvous(_core.Resource):
    """Something that answers glow.signaling.Rendezvous."""

    proto = "glow.signaling.Rendezvous"

    async def attached(self, after: _core.Address | None = None) -> list[Attached]:
        """Nodes of the caller's namespace, in the order of their addresses, after the address `after`."""
        return await self._call(_RENDEZVOUS_ATTACHED, (after,))

    def listen(self) -> runtime.ResultStream[Knock]:
        """Listens until the stream is closed: the caller is attached meanwhile. A newer call ends an older one's stream."""
        return self._stream(_RENDEZVOUS_LISTEN, ())

    async def knock(self, node: _core.Address, content: bytes = b"") -> None:
        """Hands something to a node of the caller's namespace."""
        await self._call(_RENDEZVOUS_KNOCK, (node, content))


Slot: TypeAlias = scalars.u32
"""Where something waits to be taken, once."""


class _FullBody(msgspec.Struct, array_like=True, frozen=True):
    why: str


class Full(errors.DeclaredError):
    """Every slot is taken, or every one that this caller may have."""

    code = 0x8E0F4908
    name = "glow.signaling.Full"
    Body = _FullBody

    why: str

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _NoSuchSlotBody(msgspec.Struct, array_like=True, frozen=True):
    slot: Slot


class NoSuchSlot(errors.DeclaredError):
    """The slot was never opened, has expired, or was used up."""

    code = 0xEA5A09CF
    name = "glow.signaling.NoSuchSlot"
    Body = _NoSuchSlotBody

    slot: Slot

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self.slot = slot


class Mailbox(_core.Resource):
    """Slots for two who do not know each other: single-use, expiring, and few. Two messages can wait in each direction."""

    proto = "glow.signaling.Mailbox"

    async def open(self, lifetime: float = 600.0) -> Slot:
        """A new slot of the caller's, for at most 10 minutes."""
        return await self._call(_MAILBOX_OPEN, (lifetime,))

    async def put(self, slot: Slot, content: bytes) -> None:
        """Leaves a message for the other side. The first who is not the opener is the other side from then on."""
        await self._call(_MAILBOX_PUT, (slot, content))

    async def take(self, slot: Slot) -> bytes:
        """Waits for the next message of the other side; the slot is used up when the opener closes it, or time has."""
        return await self._call(_MAILBOX_TAKE, (slot,))

    async def close(self, slot: Slot) -> None:
        """By either side."""
        await self._call(_MAILBOX_CLOSE, (slot,))


class IceServer(msgspec.Struct, array_like=True, frozen=True):
    """A STUN or TURN server as ICE wants it (RFC 7064, RFC 7065)."""

    urls: Annotated[list[Annotated[str, msgspec.Meta(max_length=256)]], msgspec.Meta(max_length=8)]
    username: Annotated[str, msgspec.Meta(max_length=512)] = ""
    credential: Annotated[str, msgspec.Meta(max_length=512)] = ""
    lifetime: float | None = None
    """How long username and credential serve."""


class Turn(_core.Resource):
    """Something that answers glow.signaling.Turn."""

    proto = "glow.signaling.Turn"

    async def servers(self) -> list[IceServer]:
        """Servers with which the caller finds out its addresses and, where nothing else helps, relays."""
        return await self._call(_TURN_SERVERS, ())


class Signaling(Mailbox, Rendezvous, Turn):
    """What a hub's signaling process offers."""

    proto = "glow.signaling.Signaling"


class _RendezvousAttachedArguments(msgspec.Struct, array_like=True, frozen=True):
    after: _core.Address | None = None


_RENDEZVOUS_ATTACHED = runtime.Method(
    "attached",
    "glow.signaling/Rendezvous.attached",
    0x9937016F,
    _RendezvousAttachedArguments,
    result=Annotated[list[Attached], msgspec.Meta(max_length=1024)],
    idempotent=True,
)


class _RendezvousListenArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_RENDEZVOUS_LISTEN = runtime.Method(
    "listen",
    "glow.signaling/Rendezvous.listen",
    0x4F8653A2,
    _RendezvousListenArguments,
    result_stream=Knock,
)


class _RendezvousKnockArguments(msgspec.Struct, array_like=True, frozen=True):
    node: _core.Address
    content: Annotated[bytes, msgspec.Meta(max_length=16384)] = b""


_RENDEZVOUS_KNOCK = runtime.Method(
    "knock",
    "glow.signaling/Rendezvous.knock",
    0xE0C2BA0A,
    _RendezvousKnockArguments,
    errors=(NotAttached, NotListening),
)


class _MailboxOpenArguments(msgspec.Struct, array_like=True, frozen=True):
    lifetime: float = 600.0


_MAILBOX_OPEN = runtime.Method(
    "open",
    "glow.signaling/Mailbox.open",
    0x3F1E7ABB,
    _MailboxOpenArguments,
    result=Slot,
    errors=(Full,),
)


class _MailboxPutArguments(msgspec.Struct, array_like=True, frozen=True):
    slot: Slot
    content: Annotated[bytes, msgspec.Meta(max_length=1024)]


_MAILBOX_PUT = runtime.Method(
    "put",
    "glow.signaling/Mailbox.put",
    0x163FB2B8,
    _MailboxPutArguments,
    errors=(NoSuchSlot, Full),
)


class _MailboxTakeArguments(msgspec.Struct, array_like=True, frozen=True):
    slot: Slot


_MAILBOX_TAKE = runtime.Method(
    "take",
    "glow.signaling/Mailbox.take",
    0x5E57D958,
    _MailboxTakeArguments,
    result=bytes,
    errors=(NoSuchSlot,),
)


class _MailboxCloseArguments(msgspec.Struct, array_like=True, frozen=True):
    slot: Slot


_MAILBOX_CLOSE = runtime.Method(
    "close",
    "glow.signaling/Mailbox.close",
    0xD651BB53,
    _MailboxCloseArguments,
    idempotent=True,
)


class _TurnServersArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_TURN_SERVERS = runtime.Method(
    "servers",
    "glow.signaling/Turn.servers",
    0x54670D89,
    _TurnServersArguments,
    result=Annotated[list[IceServer], msgspec.Meta(max_length=8)],
    idempotent=True,
)


class RendezvousServer(_core.ResourceServer):
    """Base of every process that serves Rendezvous; a missing method answers NoSuchMethod."""

    proto = "glow.signaling.Rendezvous"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _RENDEZVOUS_ATTACHED,
        _RENDEZVOUS_LISTEN,
        _RENDEZVOUS_KNOCK,
    )

    def attached(self, after: _core.Address | None) -> runtime.Answer[list[Attached]]:
        """Nodes of the caller's namespace, in the order of their addresses, after the address `after`."""
        return runtime.missing(_RENDEZVOUS_ATTACHED)

    def listen(self) -> runtime.Items[Knock]:
        """Listens until the stream is closed: the caller is attached meanwhile. A newer call ends an older one's stream."""
        return runtime.missing(_RENDEZVOUS_LISTEN)

    def knock(self, node: _core.Address, content: bytes) -> runtime.Answer[None]:
        """Hands something to a node of the caller's namespace."""
        return runtime.missing(_RENDEZVOUS_KNOCK)


class MailboxServer(_core.ResourceServer):
    """Base of every process that serves Mailbox; a missing method answers NoSuchMethod."""

    proto = "glow.signaling.Mailbox"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _MAILBOX_OPEN,
        _MAILBOX_PUT,
        _MAILBOX_TAKE,
        _MAILBOX_CLOSE,
    )

    def open(self, lifetime: float) -> runtime.Answer[Slot]:
        """A new slot of the caller's, for at most 10 minutes."""
        return runtime.missing(_MAILBOX_OPEN)

    def put(self, slot: Slot, content: bytes) -> runtime.Answer[None]:
        """Leaves a message for the other side. The first who is not the opener is the other side from then on."""
        return runtime.missing(_MAILBOX_PUT)

    def take(self, slot: Slot) -> runtime.Answer[bytes]:
        """Waits for the next message of the other side; the slot is used up when the opener closes it, or time has."""
        return runtime.missing(_MAILBOX_TAKE)

    def close(self, slot: Slot) -> runtime.Answer[None]:
        """By either side."""
        return runtime.missing(_MAILBOX_CLOSE)


class TurnServer(_core.ResourceServer):
    """Base of every process that serves Turn; a missing method answers NoSuchMethod."""

    proto = "glow.signaling.Turn"
    methods: ClassVar[tuple[runtime.Method, ...]] = (*_core.ResourceServer.methods, _TURN_SERVERS)

    def servers(self) -> runtime.Answer[list[IceServer]]:
        """Servers with which the caller finds out its addresses and, where nothing else helps, relays."""
        return runtime.missing(_TURN_SERVERS)


class SignalingServer(MailboxServer, RendezvousServer, TurnServer):
    """Base of every process that serves Signaling; a missing method answers NoSuchMethod."""

    proto = "glow.signaling.Signaling"
    methods: ClassVar[tuple[runtime.Method, ...]] = tuple(
        dict.fromkeys(
            (
                *MailboxServer.methods,
                *RendezvousServer.methods,
                *TurnServer.methods,
            )
        )
    )


SCHEMA: Final = rb"""{"format":1,"library":"glow.signaling","doc":"How nodes that cannot yet reach each other meet: what a hub's signaling process does for those attached to it.","declarations":[
{"kind":"struct","name":"glow.signaling.Attached","doc":"A node of the caller's namespace that listens at this hub.","fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"key","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"since","type":{"kind":"Timestamp"}}]},
{"kind":"struct","name":"glow.signaling.Knock","doc":"What another node left: an offer, an answer, or nothing, which only wakes.","fields":[{"name":"sender","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"content","type":{"kind":"Bytes","bound":16384}}]},
{"kind":"error","name":"glow.signaling.NotAttached","doc":"No node of this address that the caller may see listens here.","code":288609672,"fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}}]},
{"kind":"error","name":"glow.signaling.NotListening","doc":"The node listens, but does not take what waits for it.","code":1719841346,"fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}}]},
{"kind":"proto","name":"glow.signaling.Rendezvous","bases":["glow.core.Resource"],"methods":[{"name":"attached","path":"glow.signaling/Rendezvous.attached","selector":2570518895,"arguments":[{"name":"after","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]},"default":[null]}],"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.signaling.Attached"}],"bound":1024},"idempotent":true,"doc":"Nodes of the caller's namespace, in the order of their addresses, after the address `after`."},{"name":"listen","path":"glow.signaling/Rendezvous.listen","selector":1334203298,"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.signaling.Knock"}]},"doc":"Listens until the stream is closed: the caller is attached meanwhile. A newer call ends an older one's stream."},{"name":"knock","path":"glow.signaling/Rendezvous.knock","selector":3770857994,"arguments":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"content","type":{"kind":"Bytes","bound":16384},"default":[""]}],"throws":["glow.signaling.NotAttached","glow.signaling.NotListening"],"doc":"Hands something to a node of the caller's namespace."}]},
{"kind":"alias","name":"glow.signaling.Slot","doc":"Where something waits to be taken, once.","type":{"kind":"u32"}},
{"kind":"error","name":"glow.signaling.Full","doc":"Every slot is taken, or every one that this caller may have.","code":2383366408,"fields":[{"name":"why","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.signaling.NoSuchSlot","doc":"The slot was never opened, has expired, or was used up.","code":3931769295,"fields":[{"name":"slot","type":{"kind":"Ref","name":"glow.signaling.Slot"}}]},
{"kind":"proto","name":"glow.signaling.Mailbox","doc":"Slots for two who do not know each other: single-use, expiring, and few. Two messages can wait in each direction.","bases":["glow.core.Resource"],"methods":[{"name":"open","path":"glow.signaling/Mailbox.open","selector":1058962107,"arguments":[{"name":"lifetime","type":{"kind":"Duration"},"default":[600.0]}],"result":{"kind":"Ref","name":"glow.signaling.Slot"},"throws":["glow.signaling.Full"],"doc":"A new slot of the caller's, for at most 10 minutes."},{"name":"put","path":"glow.signaling/Mailbox.put","selector":373273272,"arguments":[{"name":"slot","type":{"kind":"Ref","name":"glow.signaling.Slot"}},{"name":"content","type":{"kind":"Bytes","bound":1024}}],"throws":["glow.signaling.NoSuchSlot","glow.signaling.Full"],"doc":"Leaves a message for the other side. The first who is not the opener is the other side from then on."},{"name":"take","path":"glow.signaling/Mailbox.take","selector":1582815576,"arguments":[{"name":"slot","type":{"kind":"Ref","name":"glow.signaling.Slot"}}],"result":{"kind":"Bytes"},"throws":["glow.signaling.NoSuchSlot"],"doc":"Waits for the next message of the other side; the slot is used up when the opener closes it, or time has."},{"name":"close","path":"glow.signaling/Mailbox.close","selector":3595680595,"arguments":[{"name":"slot","type":{"kind":"Ref","name":"glow.signaling.Slot"}}],"idempotent":true,"doc":"By either side."}]},
{"kind":"struct","name":"glow.signaling.IceServer","doc":"A STUN or TURN server as ICE wants it (RFC 7064, RFC 7065).","fields":[{"name":"urls","type":{"kind":"Array","of":[{"kind":"String","bound":256}],"bound":8}},{"name":"username","type":{"kind":"String","bound":512},"default":[""]},{"name":"credential","type":{"kind":"String","bound":512},"default":[""]},{"name":"lifetime","type":{"kind":"Optional","of":[{"kind":"Duration"}]},"doc":"How long username and credential serve.","default":[null]}]},
{"kind":"proto","name":"glow.signaling.Turn","bases":["glow.core.Resource"],"methods":[{"name":"servers","path":"glow.signaling/Turn.servers","selector":1416039817,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.signaling.IceServer"}],"bound":8},"idempotent":true,"doc":"Servers with which the caller finds out its addresses and, where nothing else helps, relays."}]},
{"kind":"proto","name":"glow.signaling.Signaling","doc":"What a hub's signaling process offers.","bases":["glow.signaling.Rendezvous","glow.signaling.Mailbox","glow.signaling.Turn"]},
{"kind":"alias","name":"glow.core.Address","doc":"The first 16 bytes of BLAKE2b-256 of a node's Ed25519 key.","type":{"kind":"Bytes","size":16}},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"alias","name":"glow.core.Key","doc":"An Ed25519 public key.","type":{"kind":"Bytes","size":32}},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Rendezvous.schema = SCHEMA
Mailbox.schema = SCHEMA
Turn.schema = SCHEMA
Signaling.schema = SCHEMA
RendezvousServer.schema = SCHEMA
MailboxServer.schema = SCHEMA
TurnServer.schema = SCHEMA
SignalingServer.schema = SCHEMA
