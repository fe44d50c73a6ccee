"""Publish and subscribe through Glow: the publisher on one node, the channel and its subscriber on another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from bench.client import Client, Place
from bench.generated.bench import Bench, BenchServer
from bench.glow import LABEL, LIBRARY, NODE_TIME, broker, end, found, invite
from firefly.interfaces.core import ProcessKind, Specification
from firefly.interfaces.pubsub import Channel
from firefly.interfaces.streams import Publisher

__all__ = ["LIBRARY", "broker", "connected", "serving"]
CHANNEL, TOPIC = "channel", "figures"


class Subscriber(BenchServer):
    """Counts what comes, and what it is told that it missed."""

    def __init__(self) -> None:
        self._count = 0

    def echo(self, data: bytes) -> bytes:
        return data

    def received(self) -> int:
        return self._count

    def reset(self) -> None:
        self._count = 0

    async def by_batches(self, channel: Channel) -> None:
        async for messages in channel.subscribe(TOPIC).batches():
            self._count += len(messages)

    async def one_by_one(self, channel: Channel) -> None:
        async for _ in channel.subscribe(TOPIC):
            self._count += 1


class PubSubClient(Client):
    """A message that the subscriber lost is missing in its count, so the work reports it."""

    def __init__(self, stub: Bench, topic: Publisher) -> None:
        self._stub = stub
        self._topic = topic

    async def call(self, data: bytes) -> bytes:
        return await self._stub.echo(data)

    async def push(self, data: bytes, count: int) -> None:
        post = self._topic.post
        for _ in range(count):
            await post(data)

    async def received(self) -> int:
        return await self._stub.received()

    async def reset(self) -> None:
        await self._stub.reset()


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    subscriber = Subscriber()
    async with end(place, "server", attached=False) as glow, trio.open_nursery() as nursery:
        await glow.serve(LABEL, subscriber)
        await glow.node.create(Specification(CHANNEL, ProcessKind.BUILTIN, "pubsub"))
        channel = await glow.open(f"self/{CHANNEL}", Channel)
        nursery.start_soon(subscriber.by_batches if "batches" in place.mode else subscriber.one_by_one, channel)
        await invite(glow, place.folder / "client.link")
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[PubSubClient]:
    async with end(place, "client", attached=False) as glow:
        with trio.fail_after(NODE_TIME):
            stub = await found(glow)
            channel: Any = await glow.open(f"server/{CHANNEL}", Channel)
            topic = await channel.topic(TOPIC)
        yield PubSubClient(stub, topic)
