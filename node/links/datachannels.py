"""The program that carries a node's data channels: aiortc speaks asyncio, in Python, and would hold up all else.

    python -m node.links.datachannels DESCRIPTOR

The descriptor is a socket to the node (channels.py). The program ends with it. It knows nothing of what the channels
carry: frames of a link, sealed by the node.
"""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from firefly.link import LENGTH, FrameReader
from node.links.channels import LAST, MAX_MESSAGE, MORE, Ask, Server, Tell, to_line
from node.links.names import SUFFIX, look_up
from node.links.nat import look

READ = 64 * 2**10
MAX_FRAME = 257 * 2**10
MAX_ASK = 64 * 2**10
BUFFERED = 64 * 2**10
"""Bytes that a channel may hold unsent before no more is taken from the node."""
MAX_UNREAD = 8 * 2**20
"""Bytes that may wait for a node that does not read; then the channel ends."""
LABEL = "glow"
COLLECT_AFTER = 100_000
"""Objects made before the collector looks for cycles: every packet is some, and none are cycles."""


def cut(frame: bytes) -> Iterator[bytes]:
    """The messages of a frame."""
    step = MAX_MESSAGE - 1
    for start in range(0, len(frame), step):
        yield bytes((MORE if start + step < len(frame) else LAST,)) + frame[start : start + step]


class Channel:
    """One data channel, and the socket whose frames it carries. `tell` hears how it gets on."""

    def __init__(self, sock: socket.socket, servers: list[Server], tell: Callable[[str, str], None]) -> None:
        self._sock = sock
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        # None would stand for the library's own choice of a server.
        ice = [RTCIceServer(each.urls, each.username or None, each.credential or None) for each in servers]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=ice))
        self._connection.on("datachannel", self._use)
        self._connection.on("connectionstatechange", self._changed)
        self._servers = [url for each in servers for url in each.urls]
        self._channel: RTCDataChannel | None = None
        self._sending: asyncio.Task[None] | None = None
        self._low = asyncio.Event()
        self._met = asyncio.Event()
        self._adding: list[asyncio.Task[None]] = []
        self._not_found = ""
        self._parts: list[bytes] = []
        self._partial = 0
        self._unread: deque[bytes] = deque()
        self._unread_size = 0
        self.ended = False

    # --- meeting

    async def take(self, ask: Ask) -> None:
        """Does what the node asks; whatever is wrong with it ends the channel."""
        try:
            await getattr(self, f"_{ask.do}")(ask.description)
        except Exception as error:  # what a description holds is checked by the library alone
            await self.end(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    async def _offer(self, _: str) -> None:
        self._use(self._connection.createDataChannel(LABEL))
        await self._describe(await self._connection.createOffer())

    async def _answer(self, description: str) -> None:
        if "webrtc-datachannel" not in description:
            raise ValueError("it describes no data channel")
        await self._meet(description, "offer")
        await self._describe(await self._connection.createAnswer())

    async def _describe(self, description: RTCSessionDescription) -> None:
        """Finds out how this end can be reached, and what it is behind."""
        nat, _ = await asyncio.gather(look(self._servers), self._connection.setLocalDescription(description))
        self._tell("behind", nat)
        self._tell("described", self._connection.localDescription.sdp)

    async def _accept(self, description: str) -> None:
        await self._meet(description, "answer")

    async def _meet(self, description: str, kind: str) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(description, kind))
        self._met.set()

    async def _candidate(self, candidate: str) -> None:
        """Tries one address of the other side, once that is described; an empty one is the end of them."""
        await self._met.wait()
        if candidate:
            adding = self._loop.create_task(self._add(candidate))
            self._adding.append(adding)
            await adding
        else:
            await asyncio.gather(*self._adding)  # names are still being looked up
            await self._connection.addIceCandidate(None)

    async def _add(self, candidate: str) -> None:
        """One whose name is not found is left out: others may lead there."""
        found = candidate_from_sdp(candidate)
        found.sdpMLineIndex = 0
        try:
            if found.ip.endswith(SUFFIX):
                found.ip = await look_up(found.ip)
        except OSError as error:
            self._not_found = f"; {error}"
        else:
            await self._connection.addIceCandidate(found)

    async def _changed(self) -> None:
        if self._connection.connectionState == "failed":
            await self.end(f"no way between the two was found, or it was lost{self._not_found}")

    def _use(self, channel: RTCDataChannel) -> None:
        """The one channel of this connection."""
        reliable = channel.ordered and channel.maxRetransmits is None and channel.maxPacketLifeTime is None
        if self._channel is not None or not reliable:
            channel.close()
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = BUFFERED // 2
        channel.on("open", self._open)
        channel.on("message", self._received)
        channel.on("bufferedamountlow", self._low.set)
        channel.on("close", self._closed)
        if channel.readyState == "open":
            self._open()

    def _open(self) -> None:
        self._tell("open", self._how())
        self._sending = self._loop.create_task(self._send())

    def _how(self) -> str:
        """Direct or relayed, and where the other end is: the library keeps it to itself."""
        with suppress(AttributeError, KeyError):
            sctp: Any = self._connection.sctp
            pair = sctp.transport.transport._connection._nominated[1]
            local, remote = pair.local_candidate, pair.remote_candidate
            host = f"[{remote.host}]" if ":" in remote.host else remote.host
            return f"{'relayed' if 'relay' in (local.type, remote.type) else 'direct'} {host}:{remote.port}"
        return "direct "

    # --- what goes over it

    async def _send(self) -> None:
        """Takes frames from the node until it closes the socket, and no faster than they leave."""
        frames = FrameReader(MAX_FRAME)
        channel: Any = self._channel
        with suppress(OSError):
            while channel.readyState == "open" and (data := await self._loop.sock_recv(self._sock, READ)):
                for frame in frames.feed(data):
                    for message in cut(frame):
                        channel.send(message)
                while channel.bufferedAmount > BUFFERED and channel.readyState == "open":
                    self._low.clear()
                    await self._low.wait()
        self._sending = None
        await self.end("the node let it go")

    def _received(self, message: bytes | str) -> None:
        if not isinstance(message, bytes) or message[:1] not in (b"\0", b"\1"):
            self._loop.create_task(self.end("a message on the channel is no part of a frame"))
            return
        self._parts.append(message[1:])
        self._partial += len(message) - 1
        if self._partial > MAX_FRAME:
            self._loop.create_task(self.end("a frame on the channel is too long"))
        elif message[0] == LAST:
            self._write(LENGTH.pack(self._partial) + b"".join(self._parts))
            self._parts, self._partial = [], 0

    def _write(self, data: bytes) -> None:
        if self.ended:
            return
        if not self._unread:
            self._loop.add_writer(self._sock, self._flush)
        self._unread.append(data)
        self._unread_size += len(data)
        if self._unread_size > MAX_UNREAD:
            self._loop.create_task(self.end("the node does not read"))

    def _flush(self) -> None:
        try:
            while self._unread:
                data = self._unread[0]
                sent = self._sock.send(data)
                self._unread_size -= sent
                if sent < len(data):
                    self._unread[0] = data[sent:]
                    return
                self._unread.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the node has gone; what reads from it notices, too
            self._unread.clear()
        self._loop.remove_writer(self._sock)

    def _closed(self) -> None:
        self._loop.create_task(self.end("the other side closed it"))

    async def end(self, why: str) -> None:
        """Closes everything, once; what has arrived is still given to the node, as far as it fits."""
        if self.ended:
            return
        self.ended = True
        if self._unread:
            self._loop.remove_writer(self._sock)
            with suppress(OSError):
                self._sock.send(b"".join(self._unread))
        self._tell("ended", why)
        self._sock.close()
        self._low.set()
        self._met.set()
        if self._sending is not None:
            self._sending.cancel()
        await self._connection.close()


class Program:
    """All channels of a node, by the numbers that it gives them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, Channel] = {}
        self._sockets: deque[int] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._decoder = msgspec.json.Decoder(Ask)

    async def run(self) -> None:
        """Until the node closes the control socket."""
        loop, rest = asyncio.get_running_loop(), b""
        self._control.setblocking(False)
        readable = asyncio.Event()
        loop.add_reader(self._control, readable.set)
        while True:
            await readable.wait()
            readable.clear()
            try:
                data, sockets, _, _ = socket.recv_fds(self._control, MAX_ASK, 16)
            except (BlockingIOError, InterruptedError):
                continue
            if not data:
                break
            readable.set()
            self._sockets.extend(sockets)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(self._decoder.decode(line))
        loop.remove_reader(self._control)
        await asyncio.gather(*(channel.end("the node has gone") for channel in list(self._channels.values())))

    def _take(self, ask: Ask) -> None:
        channel = self._channels.get(ask.number)
        if channel is None and ask.do in ("offer", "answer"):
            sock = socket.socket(fileno=self._sockets.popleft())
            sock.setblocking(False)
            channel = self._channels[ask.number] = Channel(sock, ask.servers, self._teller(ask.number))
        if channel is not None:
            task = asyncio.get_running_loop().create_task(channel.take(ask))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _teller(self, number: int) -> Callable[[str, str], None]:
        def tell(what: str, text: str) -> None:
            if what == "ended":
                self._channels.pop(number, None)
            self._say(to_line(Tell(number, what, text)))

        return tell

    def _say(self, line: bytes) -> None:
        """The node always reads: to wait for it holds up nothing for long."""
        left = memoryview(line)
        with suppress(ConnectionError):  # it has gone, which ends everything
            while left:
                try:
                    left = left[self._control.send(left) :]
                except BlockingIOError:
                    select.select([], [self._control], [])


def main() -> None:
    gc.set_threshold(COLLECT_AFTER)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        asyncio.run(Program(control).run())


if __name__ == "__main__":
    main()
