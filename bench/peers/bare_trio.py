"""The floor: length-prefixed frames on a trio socket, no names, no types, no encryption.

A frame is `u32 length, u8 kind, u32 call number, data`, the length being that of the data.
"""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import trio

from bench.client import HOST, Client, Place

LIBRARY = "trio"
HEADER = struct.Struct(">IBI")
CALL, PUSH, COUNT, RESET = range(4)
READ_SIZE = 256 * 1024
WRITE_SIZE = 64 * 1024


def frame(kind: int, number: int, data: bytes) -> bytes:
    return HEADER.pack(len(data), kind, number) + data


class Frames:
    """Splits what arrives into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Kind, number and data of each frame that is complete now."""
        buffer, complete, start = self._buffer, [], 0
        buffer += data
        while len(buffer) - start >= HEADER.size:
            length, kind, number = HEADER.unpack_from(buffer, start)
            end = start + HEADER.size + length
            if end > len(buffer):
                break
            complete.append((kind, number, bytes(buffer[start + HEADER.size : end])))
            start = end
        del buffer[:start]
        return complete


async def answer(stream: trio.SocketStream) -> None:
    """Serves one connection."""
    frames, received = Frames(), 0
    while data := await stream.receive_some(READ_SIZE):
        answers = []
        for kind, number, content in frames.feed(data):
            if kind == PUSH:
                received += 1
            elif kind == CALL:
                answers.append(frame(CALL, number, content))
            else:
                received = 0 if kind == RESET else received
                answers.append(frame(kind, number, received.to_bytes(8, "big")))
        if answers:
            await stream.send_all(b"".join(answers))


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_tcp, answer, place.port)
        yield
        nursery.cancel_scope.cancel()


class BareClient(Client):
    """One connection. Alone in flight, a call reads its answer itself; many share a reader."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._frames = Frames()
        self._unsent = bytearray()

    async def _ask(self, kind: int, data: bytes) -> bytes:
        await self._stream.send_all(frame(kind, 0, data))
        while not (complete := self._frames.feed(await self._stream.receive_some(READ_SIZE))):
            pass
        return complete[0][2]

    async def call(self, data: bytes) -> bytes:
        return await self._ask(CALL, data)

    async def calls(self, data: bytes, at_once: int, seconds: float) -> int:
        answered = 0
        waiting: dict[int, trio.Event] = {}
        until = perf_counter() + seconds

        async def one_after_the_other(number: int) -> None:
            nonlocal answered
            while perf_counter() < until:
                waiting[number] = trio.Event()
                await self._stream.socket.send(frame(CALL, number, data))
                await waiting[number].wait()
                answered += 1

        async def read() -> None:
            while True:
                for _, number, _ in self._frames.feed(await self._stream.receive_some(READ_SIZE)):
                    waiting[number].set()

        async with trio.open_nursery() as reader:
            reader.start_soon(read)
            async with trio.open_nursery() as callers:
                for number in range(at_once):
                    callers.start_soon(one_after_the_other, number)
            reader.cancel_scope.cancel()
        return answered

    async def push(self, data: bytes, count: int) -> None:
        for _ in range(count):
            self._unsent += frame(PUSH, 0, data)
            if len(self._unsent) >= WRITE_SIZE:
                await self._flush()

    async def _flush(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        await self._stream.send_all(unsent)

    async def received(self) -> int:
        await self._flush()
        return int.from_bytes(await self._ask(COUNT, b""), "big")

    async def reset(self) -> None:
        await self._flush()
        await self._ask(RESET, b"")


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    async with await trio.open_tcp_stream(HOST, place.port) as stream:
        yield BareClient(stream)
