"""The pubsub process as its callers see it, over a real conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from firefly.errors import Busy, InvalidArgument, TooLarge
from firefly.interfaces import streams
from firefly.interfaces.pubsub import Channel, Page, TopicStatus
from firefly.interfaces.streams import Message, Start
from firefly.runtime import ResultStream
from firefly.testing import serving
from processes.configuration import BadConfiguration
from processes.pubsub.process import PubSubProcess
from processes.pubsub.topic import MAX_MESSAGE, MAX_SUBSCRIBERS
from tests.processes.running import started


@asynccontextmanager
async def channel_of(folder: Path, **configuration: str) -> AsyncIterator[Channel]:
    async with started(PubSubProcess(), folder, **configuration) as process, serving(process, Channel) as channel:
        yield channel


async def take(stream: ResultStream[Message], count: int) -> list[Message]:
    found: list[Message] = []
    with trio.fail_after(5):
        while len(found) < count:
            found += await stream.next_batch()
    return found


class Reader:
    """A subscriber that is known to have begun: its first message has come, or it waits for one."""

    def __init__(self) -> None:
        self.got: list[Message] = []

    async def read(self, stream: ResultStream[Message]) -> None:
        async with stream:
            async for message in stream:
                self.got.append(message)


def data(*texts: bytes) -> list[Message]:
    return [Message(text) for text in texts]


async def test_everyone_who_subscribed_gets_what_is_published_in_order(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel, trio.open_nursery() as nursery:
        readers = [Reader() for _ in range(3)]
        assert await channel.publish("news", b"before") == 1
        for reader in readers:
            nursery.start_soon(reader.read, channel.subscribe("news"))
        await wait_all_tasks_blocked()
        for number in range(100):
            await channel.post("news", b"%d" % number)
        assert await channel.publish("news", b"last") == 102
        await channel.publish("other", b"for others")
        await wait_all_tasks_blocked()
        wanted = data(*(b"%d" % number for number in range(100)), b"last")
        assert [reader.got for reader in readers] == [wanted] * 3
        nursery.cancel_scope.cancel()


async def test_a_subscription_begins_where_it_says(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel:
        empty = channel.subscribe("news", Start.LAST)
        for text in (b"a", b"b", b"c"):
            await channel.publish("news", text)
        async with channel.subscribe("news", Start.LAST) as last, channel.subscribe("news", Start.BACKLOG) as whole:
            assert await take(last, 1) == data(b"c")
            assert await take(whole, 3) == data(b"a", b"b", b"c")
            async with empty:
                assert await take(empty, 1) == data(b"c")  # the call is made with its first read
            await channel.publish("news", b"d")
            assert await take(last, 1) == data(b"d")
            assert await take(whole, 1) == data(b"d")


async def test_a_topic_is_an_object_of_its_own(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel:
        topic = await channel.topic("news")
        for number in range(1000):
            await topic.post(b"%d" % number)
        assert await topic.publish(b"") == 1001
        async with topic.subscribe(Start.BACKLOG) as stream:
            assert await take(stream, 1001) == data(*(b"%d" % number for number in range(1000)), b"")
        assert await channel.forget("news")
        await topic.post(b"anew")
        async with channel.subscribe("news", Start.BACKLOG) as stream:
            assert await take(stream, 1) == data(b"anew")


async def test_a_slow_subscriber_is_told_how_many_it_lost(tmp_path: Path) -> None:
    async with channel_of(tmp_path, messages="10") as channel:
        async with channel.subscribe("news", Start.BACKLOG) as stream:
            await channel.publish("news", b"0")
            assert await take(stream, 1) == data(b"0")
            # Far more than its window: what it has not asked for yet is dropped.
            for number in range(1, 101):
                await channel.publish("news", b"%d" % number + bytes(20_000))
            found = [(message.data.rstrip(b"\0"), message.lost) for message in await take(stream, 1)]
            while found[-1][0] != b"100":
                found += [(message.data.rstrip(b"\0"), message.lost) for message in await take(stream, 1)]
        assert sum(lost for _, lost in found) + len(found) == 100
        numbers = [int(text) for text, _ in found]
        assert numbers == sorted(numbers)
        for (before, _), (number, (_, lost)) in zip(found, zip(numbers[1:], found[1:], strict=True), strict=False):
            assert number - int(before) - 1 == lost
        assert any(lost for _, lost in found)


async def test_who_is_slow_holds_up_nobody(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel, trio.open_nursery() as nursery:
        quick = Reader()
        async with channel.subscribe("news", Start.BACKLOG) as slow:
            await channel.publish("news", b"first")
            await take(slow, 1)
            nursery.start_soon(quick.read, channel.subscribe("news", Start.BACKLOG))
            for _ in range(100):
                await channel.publish("news", bytes(20_000))
            await wait_all_tasks_blocked()
            assert len(quick.got) == 101
            assert not any(message.lost for message in quick.got)
        nursery.cancel_scope.cancel()


async def test_topics_are_listed_in_pages_and_forgotten(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel:
        for name in ("b", "a1", "a2", "a3"):
            await channel.publish(name, b"data")
        first = await channel.topics("a", limit=2)
        assert [topic.name for topic in first.topics] == ["a1", "a2"]
        assert first.next == "a2"
        second = await channel.topics("a", first.next)
        assert second == Page([TopicStatus("a3", 1, 1, second.topics[0].size, 0)], None)
        assert await channel.forget("b")
        assert not await channel.forget("b")
        assert [topic.name for topic in (await channel.topics()).topics] == ["a1", "a2", "a3"]


async def test_a_topic_goes_with_its_last_subscriber_if_it_keeps_nothing(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel, trio.open_nursery() as nursery:
        reader = Reader()
        nursery.start_soon(reader.read, channel.subscribe("news"))
        await wait_all_tasks_blocked()
        (status,) = (await channel.topics()).topics
        assert (status.name, status.subscribers, status.kept) == ("news", 1, 0)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
            assert (await channel.topics()).topics == []


async def test_bounds(tmp_path: Path) -> None:
    async with channel_of(tmp_path, topics="3") as channel:
        with pytest.raises(InvalidArgument, match="not empty"):
            await channel.publish("", b"")
        with pytest.raises(InvalidArgument):
            await channel.publish("x" * 257, b"")
        with pytest.raises(TooLarge, match="256 bytes"):
            await channel.publish("ü" * 129, b"")
        with pytest.raises(TooLarge, match="1048576"):
            await channel.publish("news", bytes(MAX_MESSAGE + 1))
        topic = await channel.topic("news")
        await topic.post(bytes(MAX_MESSAGE + 1))
        assert await topic.publish(bytes(MAX_MESSAGE)) == 1
        for name in ("b", "c"):
            await channel.publish(name, b"")
        with pytest.raises(Busy, match="3 topics"):
            await channel.publish("d", b"")
        await channel.forget("b")
        assert await channel.publish("d", b"") == 1


async def test_a_topic_has_a_bound_for_subscribers(tmp_path: Path) -> None:
    async with started(PubSubProcess(), tmp_path) as process:
        process.find("news").subscribers = MAX_SUBSCRIBERS
        async with serving(process, Channel) as channel:
            with pytest.raises(Busy, match="subscribers"):
                await take(channel.subscribe("news"), 1)


async def test_all_topics_share_the_channels_memory(tmp_path: Path) -> None:
    async with channel_of(tmp_path, memory="100k") as channel:
        await channel.publish("small", b"stays")
        for name in ("a", "b"):
            for _ in range(20):
                await channel.publish(name, bytes(10_000))
        found = {topic.name: topic for topic in (await channel.topics()).topics}
        assert found["small"].kept == 1
        assert sum(topic.size for topic in found.values()) <= 100_000
        assert min(found["a"].kept, found["b"].kept) >= 3


async def test_what_is_no_message_is_dropped_alone(tmp_path: Path) -> None:
    async with channel_of(tmp_path) as channel:
        topic = await channel.topic("news")
        await topic.publish(b"first")
        newer = type("Newer", (msgspec.Struct,), {"__annotations__": {"data": bytes, "more": int}}, array_like=True)
        peer = await topic._reach()
        method = next(method for method in streams.PublisherServer.methods if method.name == "post")
        for value in (newer(b"newer", 7), ["text"], {}, [], 5, newer(b"again", 0)):
            peer.notify(method.lane, topic._resource, method.selector, msgspec.msgpack.encode(value), None)
        await topic.publish(b"last")
        async with topic.subscribe(Start.BACKLOG) as stream:
            assert await take(stream, 4) == data(b"first", b"newer", b"again", b"last")


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"mesages": "5"}, "does not know 'mesages'"),
        ({"messages": "0"}, "messages is a number"),
        ({"size": "-1"}, "size is a number"),
        ({"memory": "lots"}, "memory is a number"),
        ({"topics": "1k0"}, "topics is a number"),
        ({"topics": "9" * 30}, "topics is a number"),
    ],
)
async def test_a_configuration_that_does_not_fit(tmp_path: Path, configuration: dict[str, str], reason: str) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(BadConfiguration, match=reason)):
        async with started(PubSubProcess(), tmp_path, **configuration):
            pass
