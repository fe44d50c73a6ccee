"""Zenoh between two peers, or through its router, plain text: queries are the calls, a publisher sends what is pushed.

Its Python interface blocks and calls back on threads of its own, which is how it is used here too. On one machine it
moves large messages through shared memory. Loopback stands for a network here, where there is none of that, so it is
switched off except in a mode of its own.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import zenoh

from bench.client import HOST, Client, Place

LIBRARY = "asyncio"
SHARED_MEMORY = "shared memory"
THROUGH_ROUTER = "router between"


def session(place: Place, mode: str, *, listen: int | None = None, connect: int | None = None) -> Any:
    """A session that neither looks for others nor is found, but by the given ports."""
    config = zenoh.Config()
    config.insert_json5("transport/shared_memory/enabled", json.dumps(place.mode == SHARED_MEMORY))
    config.insert_json5("mode", json.dumps(mode))
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("scouting/gossip/enabled", "false")
    for key, port in (("listen", listen), ("connect", connect)):
        config.insert_json5(f"{key}/endpoints", json.dumps([f"tcp/{HOST}:{port}"] if port else []))
    return zenoh.open(config)


@asynccontextmanager
async def broker(place: Place) -> AsyncIterator[None]:
    with session(place, "router", listen=place.broker_port):
        yield


def end(place: Place, *, serves: bool) -> Any:
    if place.mode == THROUGH_ROUTER:
        return session(place, "client", connect=place.broker_port)
    return session(place, "peer", **{"listen" if serves else "connect": place.port})


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    count = 0

    def push(sample: Any) -> None:
        nonlocal count
        sample.payload.to_bytes()
        count += 1

    def echo(query: Any) -> None:
        query.reply(query.key_expr, query.payload.to_bytes())

    def received(query: Any) -> None:
        query.reply(query.key_expr, count.to_bytes(8, "big"))

    def reset(query: Any) -> None:
        nonlocal count
        count = 0
        query.reply(query.key_expr, b"")

    with end(place, serves=True) as opened:
        declared = [opened.declare_subscriber("bench/push", push)]
        for name, handler in (("echo", echo), ("received", received), ("reset", reset)):
            declared.append(opened.declare_queryable(f"bench/{name}", handler))
        yield


class ZenohClient(Client):
    """One session; queriers and publisher are declared once."""

    def __init__(self, opened: Any) -> None:
        self._queriers = {name: opened.declare_querier(f"bench/{name}") for name in ("echo", "received", "reset")}
        self._publisher = opened.declare_publisher("bench/push", congestion_control=zenoh.CongestionControl.BLOCK)

    def _ask(self, name: str, data: bytes = b"") -> bytes:
        for reply in self._queriers[name].get(payload=data):
            return bytes(reply.ok.payload.to_bytes())
        raise ConnectionError(f"nobody answers {name}")

    async def call(self, data: bytes) -> bytes:
        return self._ask("echo", data)

    async def calls(self, data: bytes, at_once: int, seconds: float) -> int:
        # Calls that wait for their answers in order: faster than a thread for each, and than calling back.
        querier = self._queriers["echo"]
        waiting = deque(querier.get(payload=data) for _ in range(at_once))
        answered = 0
        until = perf_counter() + seconds
        while waiting:
            for reply in waiting.popleft():
                reply.ok.payload.to_bytes()
                answered += 1
            if perf_counter() < until:
                waiting.append(querier.get(payload=data))
        return answered

    async def push(self, data: bytes, count: int) -> None:
        put = self._publisher.put
        for _ in range(count):
            put(data)

    async def received(self) -> int:
        return int.from_bytes(self._ask("received"), "big")

    async def reset(self) -> None:
        self._ask("reset")

    def is_reachable(self) -> bool:
        return bool(self._publisher.matching_status.matching and self._queriers["echo"].matching_status.matching)


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    with end(place, serves=False) as opened:
        client = ZenohClient(opened)
        while not client.is_reachable():  # noqa: ASYNC110  # zenoh tells of it on another thread
            await asyncio.sleep(0.01)
        yield client
