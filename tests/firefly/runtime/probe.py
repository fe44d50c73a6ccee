"""An interface as the generator would write it, and two OS processes that meet, are cut off and meet again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar

import msgspec
import trio

from firefly import runtime
from firefly.errors import DeclaredError, Interrupted, Unreachable
from firefly.loopback import Loopback
from firefly.rpc import Conversation
from firefly.runtime import Caller, Host, Method, Source, Workers, open_workers

NEAR, FAR, THIRD = b"the caller node.", b"the owner's node", b"some third node."
RESOURCE = b"a probe resource"
CALLER = Caller(bytes(32), bytes(32), 2, NEAR)
OWNER = Caller(bytes(32), bytes(32), 2, FAR)


class Nothing(msgspec.Struct, array_like=True):
    pass


class Data(msgspec.Struct, array_like=True):
    data: bytes


class Number(msgspec.Struct, array_like=True):
    number: int


class Two(msgspec.Struct, array_like=True):
    text: Annotated[str, msgspec.Meta(max_length=5)]
    number: int = 7


class Conflict(DeclaredError):
    class Body(msgspec.Struct, array_like=True):
        key: str
        version: int

    code, name = 0x1234_5678, "probe.Conflict"
    key: str
    version: int


class Thing(runtime.Stub):
    """An object that can be passed."""

    proto = "probe.Thing"

    async def name(self) -> str:
        result: str = await self._call(NAME, ())
        return result

    def poke(self, number: int) -> Awaitable[None]:
        return self._notify(POKE, (number,))


class ThingServer(runtime.Server):
    proto = "probe.Thing"
    methods: ClassVar[tuple[Method, ...]] = ()

    def name(self) -> runtime.Answer[str]:
        runtime.missing(NAME)

    def poke(self, number: int) -> runtime.Answer[None]:
        runtime.missing(POKE)


class Passed(msgspec.Struct, array_like=True):
    thing: Thing
    more: list[Thing] = []


NAME = Method("name", "probe/Thing.name", 101, Nothing, str)
POKE = Method("poke", "probe/Thing.poke", 102, Number, notify=True)
ThingServer.methods = (NAME, POKE)

ECHO = Method("echo", "probe/Probe.echo", 1, Data, bytes, idempotent=True, errors=(Conflict,))
ONCE = Method("once", "probe/Probe.once", 2, Number, int, errors=(Conflict,))
TWO = Method("two", "probe/Probe.two", 3, Two, str)
NOTE = Method("note", "probe/Probe.note", 4, Number, notify=True)
FILL = Method("fill", "probe/Probe.fill", 5, Data, notify=True)
COUNT = Method("count", "probe/Probe.count", 6, Number, result_stream=int, idempotent=True, errors=(Conflict,))
READ = Method("read", "probe/Probe.read", 7, Number, result_stream=bytes)
TOTAL = Method("total", "probe/Probe.total", 8, Number, int, argument_stream=int, errors=(Conflict,))
PIPE = Method("pipe", "probe/Probe.pipe", 9, Nothing, argument_stream=int, result_stream=int)
MAKE = Method("make", "probe/Probe.make", 10, Nothing, Thing)
TAKE = Method("take", "probe/Probe.take", 11, Passed, str)
HINT = Method("hint", "probe/Probe.hint", 12, Passed, notify=True)
MAKES = Method("makes", "probe/Probe.makes", 13, Number, result_stream=Thing)
TAKES = Method("takes", "probe/Probe.takes", 14, Nothing, int, argument_stream=Thing)


class Probe(runtime.Stub):
    proto = "probe.Probe"

    async def echo(self, data: bytes) -> bytes:
        result: bytes = await self._call(ECHO, (data,))
        return result

    async def once(self, number: int) -> int:
        result: int = await self._call(ONCE, (number,))
        return result

    async def two(self, text: str, number: int = 7) -> str:
        result: str = await self._call(TWO, (text, number))
        return result

    def note(self, number: int) -> Awaitable[None]:
        return self._notify(NOTE, (number,))

    def fill(self, data: bytes) -> Awaitable[None]:
        return self._notify(FILL, (data,))

    def count(self, number: int) -> runtime.ResultStream[int]:
        stream: runtime.ResultStream[int] = self._stream(COUNT, (number,))
        return stream

    def read(self, number: int) -> runtime.ResultStream[bytes]:
        stream: runtime.ResultStream[bytes] = self._stream(READ, (number,))
        return stream

    async def total(self, number: int, items: Source[int]) -> int:
        result: int = await self._call(TOTAL, (number,), items)
        return result

    def pipe(self, items: Source[int]) -> runtime.ResultStream[int]:
        stream: runtime.ResultStream[int] = self._stream(PIPE, (), items)
        return stream

    async def make(self) -> Thing:
        result: Thing = await self._call(MAKE, ())
        return result

    async def take(self, thing: Thing | ThingServer, *more: Thing | ThingServer) -> str:
        result: str = await self._call(TAKE, (thing, list(more)))
        return result

    def hint(self, thing: Thing | ThingServer) -> Awaitable[None]:
        return self._notify(HINT, (thing, []))

    def makes(self, number: int) -> runtime.ResultStream[Thing]:
        stream: runtime.ResultStream[Thing] = self._stream(MAKES, (number,))
        return stream

    async def takes(self, things: Source[Thing | ThingServer]) -> int:
        result: int = await self._call(TAKES, (), things)
        return result


class ProbeServer(runtime.Server):
    proto = "probe.Probe"
    methods = (ECHO, ONCE, TWO, NOTE, FILL, COUNT, READ, TOTAL, PIPE, MAKE, TAKE, HINT, MAKES, TAKES)

    def echo(self, data: bytes) -> runtime.Answer[bytes]:
        runtime.missing(ECHO)

    def once(self, number: int) -> runtime.Answer[int]:
        runtime.missing(ONCE)

    def two(self, text: str, number: int) -> runtime.Answer[str]:
        runtime.missing(TWO)

    def note(self, number: int) -> runtime.Answer[None]:
        runtime.missing(NOTE)

    def fill(self, data: bytes) -> runtime.Answer[None]:
        runtime.missing(FILL)

    def count(self, number: int) -> AsyncIterator[int]:
        runtime.missing(COUNT)

    def read(self, number: int) -> AsyncIterator[bytes]:
        runtime.missing(READ)

    def total(self, number: int, items: runtime.ArgumentStream[int]) -> runtime.Answer[int]:
        runtime.missing(TOTAL)

    def pipe(self, items: runtime.ArgumentStream[int]) -> AsyncIterator[int]:
        runtime.missing(PIPE)

    def make(self) -> runtime.Answer[Thing | ThingServer]:
        runtime.missing(MAKE)

    def take(self, thing: Thing, more: list[Thing]) -> runtime.Answer[str]:
        runtime.missing(TAKE)

    def hint(self, thing: Thing, more: list[Thing]) -> runtime.Answer[None]:
        runtime.missing(HINT)

    def makes(self, number: int) -> AsyncIterator[Thing | ThingServer]:
        runtime.missing(MAKES)

    def takes(self, things: runtime.ArgumentStream[Thing]) -> runtime.Answer[int]:
        runtime.missing(TAKES)


class Side:
    """One of two OS processes: its resources, and the other as its only peer."""

    def __init__(self, address: bytes, wire: Wire, workers: Workers) -> None:
        self.address = address
        self.host = Host(self, workers)
        self.conversation: Conversation | None = None
        self.introduced: list[tuple[bytes, bytes, bytes]] = []
        self._wire = wire

    def peer(self, node: bytes) -> Conversation | None:
        open_now = self.conversation is not None and self.conversation.closed is None
        return self.conversation if open_now else None

    async def reach(self, node: bytes) -> Conversation:
        await trio.lowlevel.checkpoint()
        return self.peer(node) or self._wire.connect(self)

    async def introduce(self, node: bytes, resource: bytes, receiver: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        self.introduced.append((node, resource, receiver))
        return resource[::-1]


class Wire:
    """`near` calls, `far` owns. `connections` counts how often they met; after `limit` times they cannot."""

    def __init__(self, calling: Workers, owning: Workers) -> None:
        self.near, self.far = Side(NEAR, self, calling), Side(FAR, self, owning)
        self.connections = 0
        self.limit = 100
        self._pair: Loopback | None = None

    def connect(self, side: Side) -> Conversation:
        if self.connections >= self.limit:
            raise Unreachable("the wire is cut")
        self.connections += 1
        self._pair = pair = Loopback(self.near.host, self.far.host, trio.current_time, caller_is=CALLER, owner_is=OWNER)
        self.near.conversation, self.far.conversation = pair.caller, pair.owner
        return pair.caller if side is self.near else pair.owner

    @property
    def caller(self) -> Conversation:
        """The caller's end of the conversation."""
        assert self.near.conversation is not None
        return self.near.conversation

    @property
    def owner(self) -> Conversation:
        """The owner's end of the conversation."""
        assert self.far.conversation is not None
        return self.far.conversation

    def cut(self) -> None:
        """The session is lost on both sides."""
        for conversation in (self.caller, self.owner):
            conversation.close(Interrupted("the wire was cut"))

    def open(self, stub: type[Any] = Probe, resource: bytes = RESOURCE) -> Any:
        return stub(self.near, FAR, resource)


@asynccontextmanager
async def wired(server: runtime.Server, access: int | None = None) -> AsyncIterator[tuple[Wire, Probe]]:
    """`server` at the far side, and a client of it at the near one."""
    async with open_workers() as calling, open_workers() as owning:
        wire = Wire(calling, owning)
        wire.far.host.add(RESOURCE, server, access)
        wire.connect(wire.near)
        yield wire, wire.open()
        wire.cut()
