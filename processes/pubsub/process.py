"""The pubsub process: topics by name, in the memory of its node."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from msgspec import Raw

from firefly import Context
from firefly.errors import Busy, InvalidArgument, TooLarge
from firefly.interfaces.pubsub import ChannelServer, Page, TopicStatus
from firefly.interfaces.streams import Message, PublisherServer, Start
from firefly.runtime import Encoded, takes_batches
from processes.configuration import check_names, number
from processes.pubsub.backlog import Backlog
from processes.pubsub.topic import Topic

MAX_NAME = 256
"""Bytes of a topic's name in UTF-8."""
MAX_PAGE = 1000
MESSAGES, SIZE = 65_536, 8 * 10**6
"""What a topic keeps unless it is configured otherwise; bytes."""
TOPICS, MEMORY = 1024, 64 * 10**6
HINT = "glow create pubsub --label news messages=1000 size=4M topics=100 memory=64M"


class PubSubProcess(ChannelServer):
    """Configuration: `messages` and `size` (bytes) that a topic keeps, `topics`, and `memory` (bytes) of all topics."""

    async def start(self, context: Context) -> None:
        """Raises BadConfiguration."""
        given = context.configuration
        check_names("pubsub", given, ("messages", "size", "topics", "memory"), HINT)
        self._messages = number(given, "messages", MESSAGES, 10**7, HINT)
        self._size = number(given, "size", SIZE, 10**9, HINT)
        self._most = number(given, "topics", TOPICS, 10**5, HINT)
        self._memory = number(given, "memory", MEMORY, 10**10, HINT)
        self._used = 0
        self._topics: dict[str, Topic] = {}

    # --- publishing

    def topic(self, name: str) -> PublisherServer:
        check_name(name)
        return Handle(self, name)

    def post(self, topic: str, data: bytes) -> None:
        self.publish(topic, data)

    def publish(self, topic: str, data: bytes) -> int:
        found = self.find(topic)
        self._grown(found.publish(data))
        return found.backlog.last

    def post_all(self, topic: str, values: list[Raw]) -> None:
        """Publishes messages that are encoded as the arguments of `Publisher.post`."""
        self._grown(self.find(topic).post(values))

    def find(self, name: str) -> Topic:
        """A topic, made if there is none. Raises InvalidArgument, TooLarge, Busy."""
        found = self._topics.get(name)
        if found is None:
            check_name(name)
            if len(self._topics) >= self._most:
                self._drop_empty()
            found = self._topics[name] = Topic(name, Backlog(self._messages, self._size))
        return found

    def _drop_empty(self) -> None:
        self._topics = {name: topic for name, topic in self._topics.items() if not topic.empty}
        if len(self._topics) >= self._most:
            raise Busy(
                f"the channel has {self._most} topics",
                hint="forget one: glow call NODE/LABEL.forget topic=NAME, or create the channel with topics=NUMBER",
            )

    def _grown(self, size: int) -> None:
        """Over the channel's memory the topics that keep most lose their oldest, until a sixteenth is free."""
        self._used += size
        if self._used <= self._memory:
            return
        while self._used > self._memory - self._memory // 16:
            self._used -= max(self._topics.values(), key=lambda topic: topic.backlog.size).backlog.drop_oldest()

    # --- subscribing

    async def subscribe(self, topic: str, start: Start) -> AsyncGenerator[Message | Encoded, None]:  # type: ignore[override]
        found = self.find(topic)
        try:
            async with aclosing(found.subscribe(start)) as messages:
                async for message in messages:
                    yield message
        finally:
            if found.empty and self._topics.get(topic) is found:
                del self._topics[topic]

    # --- looking

    def topics(self, prefix: str, after: str, limit: int) -> Page:
        names = sorted(name for name in self._topics if name.startswith(prefix))
        first = bisect_right(names, after)
        last = first + max(1, min(limit, MAX_PAGE))
        found = [status_of(self._topics[name]) for name in names[first:last]]
        return Page(found, found[-1].name if last < len(names) else None)

    def forget(self, topic: str) -> bool:
        found = self._topics.get(topic)
        if found is None:
            return False
        while size := found.backlog.drop_oldest():
            self._used -= size
        if found.empty:
            del self._topics[topic]
        return True


class Handle(PublisherServer):
    """A topic as an object of its own. It finds the topic anew each time: that may have been forgotten meanwhile."""

    def __init__(self, channel: PubSubProcess, name: str) -> None:
        self._channel = channel
        self._name = name

    def post(self, data: bytes) -> None:
        self._channel.publish(self._name, data)

    @takes_batches("post")
    def post_all(self, values: list[Raw]) -> None:
        self._channel.post_all(self._name, values)

    def publish(self, data: bytes) -> int:
        return self._channel.publish(self._name, data)

    def subscribe(self, start: Start) -> AsyncIterator[Message]:
        return self._channel.subscribe(self._name, start)  # type: ignore[return-value]


def check_name(name: str) -> None:
    """Raises InvalidArgument for an empty name, TooLarge for one over 256 bytes of UTF-8."""
    if not name:
        raise InvalidArgument("a topic's name is not empty")
    if len(name.encode()) > MAX_NAME:
        raise TooLarge(f"a topic's name has at most {MAX_NAME} bytes of UTF-8")


def status_of(topic: Topic) -> TopicStatus:
    backlog = topic.backlog
    return TopicStatus(topic.name, backlog.last, backlog.kept, backlog.size, topic.subscribers)
