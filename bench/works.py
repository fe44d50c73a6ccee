"""What is measured."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench import wasm
from bench.client import Client
from bench.concurrency import pause

SMALL = bytes(64)
LARGE = bytes(64 * 1024)
AT_ONCE = 64
WARM_UP = 200
PATIENCE = 5.0
"""Seconds without progress after which messages count as lost."""


class Lost(Exception):
    """The receiver has not got every message, or has got more than were sent."""


async def one_call_at_a_time(client: Client, seconds: float) -> float:
    """µs per call."""
    for _ in range(WARM_UP):
        await client.call(SMALL)
    count = 0
    start = perf_counter()
    while (elapsed := perf_counter() - start) < seconds:
        for _ in range(10):
            await client.call(SMALL)
        count += 10
    return elapsed / count * 1e6


async def calls_at_once(client: Client, seconds: float) -> float:
    """Thousand calls per second."""
    await client.calls(SMALL, AT_ONCE, seconds / 5)
    start = perf_counter()
    answered = await client.calls(SMALL, AT_ONCE, seconds)
    return answered / (perf_counter() - start) / 1e3


async def small_messages(client: Client, seconds: float) -> float:
    """Thousand messages per second."""
    await push_for(client, SMALL, 1000, seconds / 5)
    return await push_for(client, SMALL, 1000, seconds) / 1e3


async def large_messages(client: Client, seconds: float) -> float:
    """MB per second."""
    await push_for(client, LARGE, 16, seconds / 5)
    return await push_for(client, LARGE, 16, seconds) * len(LARGE) / 1e6


async def push_for(client: Client, data: bytes, step: int, seconds: float) -> float:
    """Messages per second, from the first one sent until the receiver's handler has got the last. Raises Lost."""
    await client.reset()
    sent = 0
    start = perf_counter()
    while perf_counter() - start < seconds:
        await client.push(data, step)
        sent += step
    await all_received(client, sent)
    return sent / (perf_counter() - start)


async def all_received(client: Client, sent: int) -> None:
    received, progress = 0, perf_counter()
    while (count := await client.received()) != sent:
        if count > received:
            received, progress = count, perf_counter()
        if count > sent or perf_counter() - progress > PATIENCE:
            raise Lost(f"{sent} messages sent, {count} received")
        await pause(0.001)


async def command(run: Callable[[], None], seconds: float) -> float:
    """ms from the start of a command to its exit."""
    run()
    count = 0
    start = perf_counter()
    while (elapsed := perf_counter() - start) < seconds or not count:
        run()
        count += 1
    return elapsed / count * 1e3


async def figure(measure_once: Callable[[], float], seconds: float) -> float:
    """What the system measures by itself."""
    return measure_once()


@dataclass(frozen=True)
class Work:
    """One thing to measure. `measure` takes what the system's `connected` gives (a `Client`, or for commands a function
    that runs one) and how many seconds to spend, and returns one figure."""

    name: str
    title: str
    unit: str
    lower_is_better: bool
    measure: Callable[[Any, float], Awaitable[float]]


WORKS = (
    Work("call", "64 B call, one at a time", "µs", True, one_call_at_a_time),
    Work("calls", "64 B calls, 64 at once", "k/s", False, calls_at_once),
    Work("messages", "64 B messages one way, none lost", "k/s", False, small_messages),
    Work("chunks", "64 KiB messages one way, none lost", "MB/s", False, large_messages),
    Work("copy", "copy of 1 GiB by the command line, verified", "MB/s", False, figure),
    Work("status", "command line, a question to the node", "ms", True, figure),
    Work("ready", "node, from start to ready", "ms", True, figure),
    Work("memory", "node, idle", "MB", True, figure),
    Work("wasm", "empty WebAssembly program, warm", "ms", True, wasm.warm),
    Work("wasm-cold", "empty WebAssembly program, from the cache on disk", "ms", True, wasm.cold),
    Work("wasm-many", "empty WebAssembly programs, 32 callers, two workers", "per s", False, wasm.at_once),
    Work("command", "command line, from start to exit", "ms", True, command),
)
MESSAGING = ("call", "calls", "messages", "chunks")
WASM = ("wasm", "wasm-cold", "wasm-many")
BY_NAME = {work.name: work for work in WORKS}
