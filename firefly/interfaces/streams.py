# Made from streams.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""The three ways in which things flow: in order, lossy, and to whoever listens."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, ClassVar, Final

import msgspec

from firefly import runtime, scalars
from firefly.interfaces import core as _core


class Sequence(_core.Resource):
    """An ordered conversation of bytes, like a tcp connection."""

    proto = "glow.streams.Sequence"

    def exchange(self, data: runtime.Source[bytes]) -> runtime.ResultStream[bytes]:
        """Sends `data` to the other side and streams what comes back; once only. The end of `data` tells the other side that
        no more comes. The end of the result ends the conversation.
        """
        return self._stream(_SEQUENCE_EXCHANGE, (), data)


class Datagram(msgspec.Struct, array_like=True, frozen=True):
    data: Annotated[bytes, msgspec.Meta(max_length=65507)]


class Flow(_core.Resource):
    """Datagrams, like udp's: each whole or not at all, in any order, maybe never."""

    proto = "glow.streams.Flow"

    def send(self, datagram: Datagram) -> Awaitable[None]:
        """Sends one datagram. It is dropped where there is no room for it."""
        return self._notify(_FLOW_SEND, (datagram,))

    def receive(self) -> runtime.ResultStream[Datagram]:
        """Datagrams that come from the other side. They are dropped when they are not read in time."""
        return self._stream(_FLOW_RECEIVE, ())


class Start(runtime.OpenEnum):
    """Where a subscription begins."""

    NOW = 1
    """With what is published from now on."""
    LAST = 2
    """With the last message that was published, if there was one."""
    BACKLOG = 3
    """With the oldest message that is kept."""


class Message(msgspec.Struct, array_like=True, frozen=True):
    data: bytes
    lost: scalars.u64 = 0
    """How many messages right before this one the subscriber has not got, because it was too slow for them."""


class Publisher(_core.Resource):
    """One topic: what is published reaches everyone who subscribed."""

    proto = "glow.streams.Publisher"

    def post(self, data: bytes) -> Awaitable[None]:
        """Publishes without an answer."""
        return self._notify(_PUBLISHER_POST, (data,))

    async def publish(self, data: bytes) -> int:
        """Publishes, and answers with the message's number once it is kept for all subscribers."""
        return await self._call(_PUBLISHER_PUBLISH, (data,))

    def subscribe(self, start: Start = Start.NOW) -> runtime.ResultStream[Message]:
        return self._stream(_PUBLISHER_SUBSCRIBE, (start,))


class _SequenceExchangeArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_SEQUENCE_EXCHANGE = runtime.Method(
    "exchange",
    "glow.streams/Sequence.exchange",
    0xBD508244,
    _SequenceExchangeArguments,
    result_stream=bytes,
    argument_stream=bytes,
)


class _FlowSendArguments(msgspec.Struct, array_like=True, frozen=True):
    datagram: Datagram


_FLOW_SEND = runtime.Method(
    "send",
    "glow.streams/Flow.send",
    0x755E96A2,
    _FlowSendArguments,
    notify=True,
)


class _FlowReceiveArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FLOW_RECEIVE = runtime.Method(
    "receive",
    "glow.streams/Flow.receive",
    0x1220C1F4,
    _FlowReceiveArguments,
    result_stream=Datagram,
)


class _PublisherPostArguments(msgspec.Struct, array_like=True, frozen=True):
    data: bytes


_PUBLISHER_POST = runtime.Method(
    "post",
    "glow.streams/Publisher.post",
    0x015E0220,
    _PublisherPostArguments,
    notify=True,
)


class _PublisherPublishArguments(msgspec.Struct, array_like=True, frozen=True):
    data: bytes


_PUBLISHER_PUBLISH = runtime.Method(
    "publish",
    "glow.streams/Publisher.publish",
    0xE4D2E08E,
    _PublisherPublishArguments,
    result=scalars.u64,
)


class _PublisherSubscribeArguments(msgspec.Struct, array_like=True, frozen=True):
    start: Start = Start.NOW


_PUBLISHER_SUBSCRIBE = runtime.Method(
    "subscribe",
    "glow.streams/Publisher.subscribe",
    0xF4F3D7AF,
    _PublisherSubscribeArguments,
    result_stream=Message,
)


class SequenceServer(_core.ResourceServer):
    """Base of every process that serves Sequence; a missing method answers NoSuchMethod."""

    proto = "glow.streams.Sequence"
    methods: ClassVar[tuple[runtime.Method, ...]] = (*_core.ResourceServer.methods, _SEQUENCE_EXCHANGE)

    def exchange(self, data: runtime.ArgumentStream[bytes]) -> runtime.Items[bytes]:
        """Sends `data` to the other side and streams what comes back; once only. The end of `data` tells the other side that
        no more comes. The end of the result ends the conversation.
        """
        return runtime.missing(_SEQUENCE_EXCHANGE)


class FlowServer(_core.ResourceServer):
    """Base of every process that serves Flow; a missing method answers NoSuchMethod."""

    proto = "glow.streams.Flow"
    methods: ClassVar[tuple[runtime.Method, ...]] = (*_core.ResourceServer.methods, _FLOW_SEND, _FLOW_RECEIVE)

    def send(self, datagram: Datagram) -> runtime.Answer[None]:
        """Sends one datagram. It is dropped where there is no room for it."""
        return runtime.missing(_FLOW_SEND)

    def receive(self) -> runtime.Items[Datagram]:
        """Datagrams that come from the other side. They are dropped when they are not read in time."""
        return runtime.missing(_FLOW_RECEIVE)


class PublisherServer(_core.ResourceServer):
    """Base of every process that serves Publisher; a missing method answers NoSuchMethod."""

    proto = "glow.streams.Publisher"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _PUBLISHER_POST,
        _PUBLISHER_PUBLISH,
        _PUBLISHER_SUBSCRIBE,
    )

    def post(self, data: bytes) -> runtime.Answer[None]:
        """Publishes without an answer."""
        return runtime.missing(_PUBLISHER_POST)

    def publish(self, data: bytes) -> runtime.Answer[int]:
        """Publishes, and answers with the message's number once it is kept for all subscribers."""
        return runtime.missing(_PUBLISHER_PUBLISH)

    def subscribe(self, start: Start) -> runtime.Items[Message]:
        return runtime.missing(_PUBLISHER_SUBSCRIBE)


SCHEMA: Final = rb"""{"format":1,"library":"glow.streams","doc":"The three ways in which things flow: in order, lossy, and to whoever listens.","declarations":[
{"kind":"proto","name":"glow.streams.Sequence","doc":"An ordered conversation of bytes, like a tcp connection.","bases":["glow.core.Resource"],"methods":[{"name":"exchange","path":"glow.streams/Sequence.exchange","selector":3176170052,"arguments":[{"name":"data","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Stream","of":[{"kind":"Bytes"}]},"doc":"Sends `data` to the other side and streams what comes back; once only. The end of `data` tells the other side that\nno more comes. The end of the result ends the conversation."}]},
{"kind":"struct","name":"glow.streams.Datagram","fields":[{"name":"data","type":{"kind":"Bytes","bound":65507}}]},
{"kind":"proto","name":"glow.streams.Flow","doc":"Datagrams, like udp's: each whole or not at all, in any order, maybe never.","bases":["glow.core.Resource"],"methods":[{"name":"send","path":"glow.streams/Flow.send","selector":1969133218,"arguments":[{"name":"datagram","type":{"kind":"Ref","name":"glow.streams.Datagram"}}],"notify":true,"doc":"Sends one datagram. It is dropped where there is no room for it."},{"name":"receive","path":"glow.streams/Flow.receive","selector":304136692,"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.streams.Datagram"}]},"doc":"Datagrams that come from the other side. They are dropped when they are not read in time."}]},
{"kind":"enum","name":"glow.streams.Start","doc":"Where a subscription begins.","members":[{"name":"NOW","value":1,"doc":"With what is published from now on."},{"name":"LAST","value":2,"doc":"With the last message that was published, if there was one."},{"name":"BACKLOG","value":3,"doc":"With the oldest message that is kept."}]},
{"kind":"struct","name":"glow.streams.Message","fields":[{"name":"data","type":{"kind":"Bytes"}},{"name":"lost","type":{"kind":"u64"},"doc":"How many messages right before this one the subscriber has not got, because it was too slow for them.","default":[0]}]},
{"kind":"proto","name":"glow.streams.Publisher","doc":"One topic: what is published reaches everyone who subscribed.","bases":["glow.core.Resource"],"methods":[{"name":"post","path":"glow.streams/Publisher.post","selector":22938144,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"notify":true,"doc":"Publishes without an answer."},{"name":"publish","path":"glow.streams/Publisher.publish","selector":3839025294,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"result":{"kind":"u64"},"doc":"Publishes, and answers with the message's number once it is kept for all subscribers."},{"name":"subscribe","path":"glow.streams/Publisher.subscribe","selector":4109621167,"arguments":[{"name":"start","type":{"kind":"Ref","name":"glow.streams.Start"},"default":[1]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.streams.Message"}]}}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Sequence.schema = SCHEMA
Flow.schema = SCHEMA
Publisher.schema = SCHEMA
SequenceServer.schema = SCHEMA
FlowServer.schema = SCHEMA
PublisherServer.schema = SCHEMA
