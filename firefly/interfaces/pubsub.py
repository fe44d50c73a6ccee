# Made from pubsub.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""Topics by name: messages from whoever publishes to whoever listens, kept for a while."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import runtime, scalars
from firefly.interfaces import core as _core
from firefly.interfaces import streams as _streams


Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=256)]


class TopicStatus(msgspec.Struct, array_like=True, frozen=True):
    name: Name
    published: scalars.u64
    """Number of the last message, counted from 1."""
    kept: scalars.u64
    """Messages that are kept, and their bytes."""
    size: scalars.u64
    subscribers: scalars.u32


class Page(msgspec.Struct, array_like=True, frozen=True):
    topics: Annotated[list[TopicStatus], msgspec.Meta(max_length=1000)]
    next: Name | None
    """Pass it as `after` for the next page; null at the end."""


class Channel(_core.Resource):
    """Something that answers glow.pubsub.Channel."""

    proto = "glow.pubsub.Channel"

    async def topic(self, name: Name) -> _streams.Publisher:
        """A topic to publish to and to subscribe to; it comes into being with its first use."""
        return await self._call(_CHANNEL_TOPIC, (name,))

    def post(self, topic: Name, data: bytes) -> Awaitable[None]:
        return self._notify(_CHANNEL_POST, (topic, data))

    async def publish(self, topic: Name, data: bytes) -> int:
        """Answers with the message's number in its topic, once it is kept for all subscribers."""
        return await self._call(_CHANNEL_PUBLISH, (topic, data))

    def subscribe(
        self,
        topic: Name,
        start: _streams.Start = _streams.Start.NOW,
    ) -> runtime.ResultStream[_streams.Message]:
        return self._stream(_CHANNEL_SUBSCRIBE, (topic, start))

    async def topics(self, prefix: Name = "", after: Name = "", limit: int = 256) -> Page:
        """Topics whose name begins with `prefix`, in the order of their names, after the name `after`."""
        return await self._call(_CHANNEL_TOPICS, (prefix, after, limit))

    async def forget(self, topic: Name) -> bool:
        """Drops what is kept of a topic; false if there was no such topic. Subscribers stay."""
        return await self._call(_CHANNEL_FORGET, (topic,))


class _ChannelTopicArguments(msgspec.Struct, array_like=True, frozen=True):
    name: Name


_CHANNEL_TOPIC = runtime.Method(
    "topic",
    "glow.pubsub/Channel.topic",
    0xA5B4A4C3,
    _ChannelTopicArguments,
    result=_streams.Publisher,
    scope=("name",),
)


class _ChannelPostArguments(msgspec.Struct, array_like=True, frozen=True):
    topic: Name
    data: bytes


_CHANNEL_POST = runtime.Method(
    "post",
    "glow.pubsub/Channel.post",
    0x06CEFA32,
    _ChannelPostArguments,
    notify=True,
    scope=("topic",),
)


class _ChannelPublishArguments(msgspec.Struct, array_like=True, frozen=True):
    topic: Name
    data: bytes


_CHANNEL_PUBLISH = runtime.Method(
    "publish",
    "glow.pubsub/Channel.publish",
    0x99D05937,
    _ChannelPublishArguments,
    result=scalars.u64,
    scope=("topic",),
)


class _ChannelSubscribeArguments(msgspec.Struct, array_like=True, frozen=True):
    topic: Name
    start: _streams.Start = _streams.Start.NOW


_CHANNEL_SUBSCRIBE = runtime.Method(
    "subscribe",
    "glow.pubsub/Channel.subscribe",
    0xAAE6DA52,
    _ChannelSubscribeArguments,
    result_stream=_streams.Message,
    scope=("topic",),
)


class _ChannelTopicsArguments(msgspec.Struct, array_like=True, frozen=True):
    prefix: Name = ""
    after: Name = ""
    limit: scalars.u32 = 256


_CHANNEL_TOPICS = runtime.Method(
    "topics",
    "glow.pubsub/Channel.topics",
    0x6CD84D55,
    _ChannelTopicsArguments,
    result=Page,
    idempotent=True,
    scope=("prefix",),
)


class _ChannelForgetArguments(msgspec.Struct, array_like=True, frozen=True):
    topic: Name


_CHANNEL_FORGET = runtime.Method(
    "forget",
    "glow.pubsub/Channel.forget",
    0x37D98DF4,
    _ChannelForgetArguments,
    result=bool,
    idempotent=True,
    scope=("topic",),
)


class ChannelServer(_core.ResourceServer):
    """Base of every process that serves Channel; a missing method answers NoSuchMethod."""

    proto = "glow.pubsub.Channel"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _CHANNEL_TOPIC,
        _CHANNEL_POST,
        _CHANNEL_PUBLISH,
        _CHANNEL_SUBSCRIBE,
        _CHANNEL_TOPICS,
        _CHANNEL_FORGET,
    )

    def topic(self, name: Name) -> runtime.Answer[_streams.Publisher | _streams.PublisherServer]:
        """A topic to publish to and to subscribe to; it comes into being with its first use."""
        return runtime.missing(_CHANNEL_TOPIC)

    def post(self, topic: Name, data: bytes) -> runtime.Answer[None]:
        return runtime.missing(_CHANNEL_POST)

    def publish(self, topic: Name, data: bytes) -> runtime.Answer[int]:
        """Answers with the message's number in its topic, once it is kept for all subscribers."""
        return runtime.missing(_CHANNEL_PUBLISH)

    def subscribe(self, topic: Name, start: _streams.Start) -> runtime.Items[_streams.Message]:
        return runtime.missing(_CHANNEL_SUBSCRIBE)

    def topics(self, prefix: Name, after: Name, limit: int) -> runtime.Answer[Page]:
        """Topics whose name begins with `prefix`, in the order of their names, after the name `after`."""
        return runtime.missing(_CHANNEL_TOPICS)

    def forget(self, topic: Name) -> runtime.Answer[bool]:
        """Drops what is kept of a topic; false if there was no such topic. Subscribers stay."""
        return runtime.missing(_CHANNEL_FORGET)


SCHEMA: Final = rb"""{"format":1,"library":"glow.pubsub","doc":"Topics by name: messages from whoever publishes to whoever listens, kept for a while.","declarations":[
{"kind":"alias","name":"glow.pubsub.Name","type":{"kind":"String","bound":256}},
{"kind":"struct","name":"glow.pubsub.TopicStatus","fields":[{"name":"name","type":{"kind":"Ref","name":"glow.pubsub.Name"}},{"name":"published","type":{"kind":"u64"},"doc":"Number of the last message, counted from 1."},{"name":"kept","type":{"kind":"u64"},"doc":"Messages that are kept, and their bytes."},{"name":"size","type":{"kind":"u64"}},{"name":"subscribers","type":{"kind":"u32"}}]},
{"kind":"struct","name":"glow.pubsub.Page","fields":[{"name":"topics","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.pubsub.TopicStatus"}],"bound":1000}},{"name":"next","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.pubsub.Name"}]},"doc":"Pass it as `after` for the next page; null at the end."}]},
{"kind":"proto","name":"glow.pubsub.Channel","bases":["glow.core.Resource"],"methods":[{"name":"topic","path":"glow.pubsub/Channel.topic","selector":2780079299,"arguments":[{"name":"name","type":{"kind":"Ref","name":"glow.pubsub.Name"},"scope":true}],"result":{"kind":"Ref","name":"glow.streams.Publisher"},"doc":"A topic to publish to and to subscribe to; it comes into being with its first use."},{"name":"post","path":"glow.pubsub/Channel.post","selector":114227762,"arguments":[{"name":"topic","type":{"kind":"Ref","name":"glow.pubsub.Name"},"scope":true},{"name":"data","type":{"kind":"Bytes"}}],"notify":true},{"name":"publish","path":"glow.pubsub/Channel.publish","selector":2580568375,"arguments":[{"name":"topic","type":{"kind":"Ref","name":"glow.pubsub.Name"},"scope":true},{"name":"data","type":{"kind":"Bytes"}}],"result":{"kind":"u64"},"doc":"Answers with the message's number in its topic, once it is kept for all subscribers."},{"name":"subscribe","path":"glow.pubsub/Channel.subscribe","selector":2867255890,"arguments":[{"name":"topic","type":{"kind":"Ref","name":"glow.pubsub.Name"},"scope":true},{"name":"start","type":{"kind":"Ref","name":"glow.streams.Start"},"default":[1]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.streams.Message"}]}},{"name":"topics","path":"glow.pubsub/Channel.topics","selector":1826114901,"arguments":[{"name":"prefix","type":{"kind":"Ref","name":"glow.pubsub.Name"},"default":[""],"scope":true},{"name":"after","type":{"kind":"Ref","name":"glow.pubsub.Name"},"default":[""]},{"name":"limit","type":{"kind":"u32"},"default":[256]}],"result":{"kind":"Ref","name":"glow.pubsub.Page"},"idempotent":true,"doc":"Topics whose name begins with `prefix`, in the order of their names, after the name `after`."},{"name":"forget","path":"glow.pubsub/Channel.forget","selector":937004532,"arguments":[{"name":"topic","type":{"kind":"Ref","name":"glow.pubsub.Name"},"scope":true}],"result":{"kind":"bool"},"idempotent":true,"doc":"Drops what is kept of a topic; false if there was no such topic. Subscribers stay."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]},
{"kind":"struct","name":"glow.streams.Message","fields":[{"name":"data","type":{"kind":"Bytes"}},{"name":"lost","type":{"kind":"u64"},"doc":"How many messages right before this one the subscriber has not got, because it was too slow for them.","default":[0]}]},
{"kind":"proto","name":"glow.streams.Publisher","doc":"One topic: what is published reaches everyone who subscribed.","bases":["glow.core.Resource"],"methods":[{"name":"post","path":"glow.streams/Publisher.post","selector":22938144,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"notify":true,"doc":"Publishes without an answer."},{"name":"publish","path":"glow.streams/Publisher.publish","selector":3839025294,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"result":{"kind":"u64"},"doc":"Publishes, and answers with the message's number once it is kept for all subscribers."},{"name":"subscribe","path":"glow.streams/Publisher.subscribe","selector":4109621167,"arguments":[{"name":"start","type":{"kind":"Ref","name":"glow.streams.Start"},"default":[1]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.streams.Message"}]}}]},
{"kind":"enum","name":"glow.streams.Start","doc":"Where a subscription begins.","members":[{"name":"NOW","value":1,"doc":"With what is published from now on."},{"name":"LAST","value":2,"doc":"With the last message that was published, if there was one."},{"name":"BACKLOG","value":3,"doc":"With the oldest message that is kept."}]}
]}
"""
Channel.schema = SCHEMA
ChannelServer.schema = SCHEMA
