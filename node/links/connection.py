"""A connection on its way to become a link: whatever it runs over, the handshake sees whole frames."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

import trio

from firefly.link import HANDSHAKE_FRAME, FrameReader, frame
from firefly.transport import WOULD_BLOCK, Socket
from node.links import LinkClosed

READ = 4096
"""Bytes read at once before the handshake is over."""
QUOTED = 80
"""Bytes of what was heard first that an error may quote."""


class Frames(Protocol):
    """How a transport tells frames apart: what a link's pump writes and reads (wire.md, 1 Link). No I/O.

    `limit`: bytes of a frame that may come; it may be changed between two calls of `feed`. `ended`: why the peer ended
    the connection in the transport's own way, empty if it has not.
    """

    limit: int
    ended: str

    def frame(self, content: bytes) -> bytes:
        """The bytes to write for a frame."""

    def plain(self, content: bytes) -> bytes:
        """The bytes to write for what is said without a frame of ours around it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises BadFrame, but not before the frames in front are handed out."""

    def check(self) -> None:
        """Raises BadFrame if one is due already."""

    def owed(self) -> bytes:
        """What the transport itself must say to the peer; it counts as written."""

    def farewell(self, reason: str) -> bytes:
        """The last words of the transport."""


class StreamFrames(FrameReader):
    """`u32 length, content`: the frames of byte streams, which have nothing to say of their own."""

    ended = ""

    def frame(self, content: bytes) -> bytes:
        return frame(content)

    def plain(self, content: bytes) -> bytes:
        return content

    def owed(self) -> bytes:
        return b""

    def farewell(self, reason: str) -> bytes:
        return b""


class Connection:
    """Owns the stream's socket. `kind` is the transport's; `url` is where it leads, by default the host of the peer.

    What it runs over may be wrapped while it is made: `sock` and `frames` are then replaced. `peer` is None if the
    other end has no address: a socket of this device; so is `local`, where it leaves from. `proxy` is the address of
    one that it goes through, or empty. Raises OSError, and takes nothing, if the other end has gone.
    """

    def __init__(self, stream: trio.SocketStream, kind: str, url: str = "") -> None:
        self.peer = _address_of(stream.socket.getpeername())
        self.local = _address_of(stream.socket.getsockname())
        self.sock: Socket = socket.socket(fileno=stream.socket.detach())
        self.sock.setblocking(False)
        self.kind = kind
        self.url = url or f"{kind}://{self.host}"
        self.proxy = ""
        self.frames: Frames = StreamFrames(HANDSHAKE_FRAME)
        self.arrived: list[bytes] = []
        self.heard = bytearray()
        self._taken = False

    @property
    def host(self) -> str:
        """What half-open handshakes are counted by: an IPv4 address, an IPv6 /64, or "" for a socket of this device."""
        if isinstance(self.peer, IPv6Address):
            return str(IPv6Address(int(self.peer) >> 64 << 64))
        return str(self.peer or "")

    async def peek(self) -> bytes:
        """The first byte, which stays to be read; none at the end. Raises OSError."""
        assert isinstance(self.sock, socket.socket)
        while True:
            try:
                return self.sock.recv(1, socket.MSG_PEEK)
            except WOULD_BLOCK:
                await trio.lowlevel.wait_readable(self.sock)

    async def read(self, size: int = READ) -> bytes:
        """Some bytes; none at the end of the stream. Raises OSError."""
        while True:
            try:
                return self.sock.recv(size)
            except WOULD_BLOCK:
                await trio.lowlevel.wait_readable(self.sock)

    async def write(self, data: bytes) -> None:
        """All of them. Raises OSError."""
        left = memoryview(data)
        while left:
            try:
                left = left[self.sock.send(left) :]
            except WOULD_BLOCK:
                await trio.lowlevel.wait_writable(self.sock)

    async def send(self, content: bytes) -> None:
        await self.write(self.frames.frame(content))

    async def receive(self) -> bytes:
        """The next frame. Raises LinkClosed at the end, BadFrame, OSError."""
        while not self.arrived:
            self.frames.check()
            data = await self.read()
            self.heard += data[: max(QUOTED - len(self.heard), 0)]
            self.arrived += self.frames.feed(data) if data else []
            await self.write(self.frames.owed())
            if not data or (self.frames.ended and not self.arrived):
                reason = "the peer closed the connection during the handshake"
                raise LinkClosed(reason, cause=self.frames.ended)
        return self.arrived.pop(0)

    def take(self) -> Socket:
        """The socket; closing the connection does nothing from now on."""
        self._taken = True
        return self.sock

    def close(self, reason: str = "") -> None:
        """Closes the socket, with the transport's farewell if it can be said at once."""
        if self._taken or self.sock.fileno() < 0:
            return
        self._taken = True
        with suppress(OSError), closing(self.sock):
            if last := self.frames.farewell(reason):
                self.sock.send(memoryview(last))


def _address_of(name: object) -> IPv4Address | IPv6Address | None:
    if not isinstance(name, tuple):
        return None
    address = ip_address(name[0].partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
