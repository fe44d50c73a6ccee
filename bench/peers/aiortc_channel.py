"""A bare aiortc data channel: ordered, reliable, a message each, encrypted by DTLS. What Glow's WebRTC links stand on.

A message is `u8 kind, data`. The ends meet by two files in the place's folder.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import sleep
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from bench.client import Client, Place

LIBRARY = "asyncio"
CALL, PUSH, COUNT, RESET = (bytes((kind,)) for kind in range(4))
BUFFERED = 256 * 1024
LOOK = 0.02
"""Seconds between two looks at a file."""


def connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


async def written(path: Path) -> str:
    return await asyncio.to_thread(_written, path)


def _written(path: Path) -> str:
    while not path.exists():
        sleep(LOOK)
    return path.read_text()


def answer(channel: Any) -> None:
    """Serves the channel."""
    received = 0

    def take(message: bytes) -> None:
        nonlocal received
        kind = message[:1]
        if kind == PUSH:
            received += 1
        elif kind == CALL:
            channel.send(message)
        else:
            received = 0 if kind == RESET else received
            channel.send(kind + received.to_bytes(8, "big"))

    channel.on("message", take)


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    peer = connection()
    peer.on("datachannel", answer)

    async def meet() -> None:
        await peer.setRemoteDescription(RTCSessionDescription(await written(place.folder / "offer"), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        write(place.folder / "answer", peer.localDescription.sdp)

    meeting = asyncio.create_task(meet())
    try:
        yield
    finally:
        meeting.cancel()
        await peer.close()


class ChannelClient(Client):
    """Answers come in the order of the questions."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._low = asyncio.Event()
        channel.bufferedAmountLowThreshold = BUFFERED // 2
        channel.on("message", lambda message: self._waiting.popleft().set_result(message[1:]))
        channel.on("bufferedamountlow", self._low.set)

    async def _ask(self, kind: bytes, data: bytes) -> bytes:
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(answered)
        self._channel.send(kind + data)
        return await answered

    async def call(self, data: bytes) -> bytes:
        return await self._ask(CALL, data)

    async def push(self, data: bytes, count: int) -> None:
        for _ in range(count):
            self._channel.send(PUSH + data)
            while self._channel.bufferedAmount > BUFFERED:
                self._low.clear()
                await self._low.wait()

    async def received(self) -> int:
        return int.from_bytes(await self._ask(COUNT, b""), "big")

    async def reset(self) -> None:
        await self._ask(RESET, b"")


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    peer, opened = connection(), asyncio.Event()
    channel = peer.createDataChannel("bench")
    channel.on("open", opened.set)
    try:
        await peer.setLocalDescription(await peer.createOffer())
        write(place.folder / "offer", peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(await written(place.folder / "answer"), "answer"))
        await opened.wait()
        yield ChannelClient(channel)
    finally:
        await peer.close()
