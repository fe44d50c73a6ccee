"""What a system offers so that it can be measured.

A module of a system has, as async context managers that take a `Place`:

    broker(place)       what stands between both ends, if anything does; an OS process of its own
    serving(place)      the server's end; it answers from entering to leaving
    connected(place)    the client's end: gives a `Client`, or what else the system's works measure

and `LIBRARY`, "trio" or "asyncio".
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from bench.concurrency import together

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Where the OS processes of one system meet: a temporary folder and free ports of the loopback interface."""

    folder: Path
    mode: str
    port: int
    broker_port: int


class Client(ABC):
    """The client's end. Every method raises what its system raises; a measurement then fails with that."""

    @abstractmethod
    async def call(self, data: bytes) -> bytes:
        """Sends `data` to the server's handler, which answers with it."""

    async def calls(self, data: bytes, at_once: int, seconds: float) -> int:
        """Keeps `at_once` calls in flight for that long. Returns how many were answered."""
        answered = 0
        until = perf_counter() + seconds

        async def one_after_the_other() -> None:
            nonlocal answered
            while perf_counter() < until:
                await self.call(data)
                answered += 1

        await together(one_after_the_other, at_once)
        return answered

    @abstractmethod
    async def push(self, data: bytes, count: int) -> None:
        """Sends `count` messages to which nothing is answered, one by one, waiting only for room."""

    @abstractmethod
    async def received(self) -> int:
        """How many pushes the server's handler has been given since the last reset, each as `bytes`."""

    @abstractmethod
    async def reset(self) -> None:
        """Starts the counting at 0."""


class SystemModule(Protocol):
    """A module that describes a system."""

    LIBRARY: str
    broker: Callable[[Place], AbstractAsyncContextManager[None]]
    serving: Callable[[Place], AbstractAsyncContextManager[None]]
    connected: Callable[[Place], AbstractAsyncContextManager[Any]]
