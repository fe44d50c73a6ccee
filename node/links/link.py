"""One authenticated connection to a neighbour: what all transports share (docs/concepts/wire.md, 1 Link).

A transport gives a connected stream socket; the handshake runs on it, then the router pulls and pushes bundles.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import trio

from firefly.address import address_of
from firefly.errors import BadHandshake, ProtocolError
from firefly.keys import NodeKey
from firefly.link import HANDSHAKE_FRAME, FrameReader, LinkHandshake, frame
from firefly.transport import FramedSocket
from node.liveness import Liveness
from node.queues import LinkQueue
from node.router import Router

log = logging.getLogger("node")
HANDSHAKE_TIME = 5.0
BUNDLE = 64 * 2**10
"""Bytes of a bundle; one packet may be bigger."""
MAX_FRAME = 256 * 2**10 + 1024
NOT_SENT = 128 * 2**10
"""Bytes that the operating system may hold unsent, so that priorities mean something."""


class Link:
    """A link after its handshake. `kind` is its transport, `url` where it leads, `hash` binds a pairing to it."""

    def __init__(
        self,
        router: Router,
        sock: socket.socket,
        handshake: LinkHandshake,
        kind: str,
        url: str,
        own: bytes,
        rest: bytes,
    ) -> None:
        self.kind = kind
        self.url = url
        self.peer_key: bytes = handshake.peer_key
        self.peer_address = address_of(self.peer_key)
        self.peer_instance: bytes = handshake.peer_instance
        self.hash: bytes = handshake.hash
        self.certified = False
        self.introduced = False
        self.announced = False
        self.up, self.down = trio.Event(), trio.Event()
        self.measured: Callable[[Link], None] = lambda link: None
        self.since = trio.current_time()
        self.reason = ""
        self._router = router
        self._sealer, self._opener = handshake.sealer, handshake.opener
        self._frames = FrameReader(MAX_FRAME)
        self.queue = LinkQueue(self)
        self.liveness = Liveness(own, self.peer_address, self._probe, self.since)
        self._topology: Any = None
        self._rtt: float | None = None
        self._rest = rest
        self._pump = FramedSocket(sock, self._next_frame, self._received)

    def __repr__(self) -> str:
        return f"<Link {self.kind} {self.url}>"

    @property
    def sent_bytes(self) -> int:
        return self._pump.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._pump.received_bytes

    def kick(self, now: bool = False) -> None:
        self._pump.kick(now)

    def hurry(self) -> None:
        self._pump.hurry()

    def topology_flow(self, make: Callable[[], Any]) -> Any:
        """The one flow of this link's TOPOLOGY packets."""
        if self._topology is None:
            self._topology = make()
        return self._topology

    def next_deadline(self) -> float:
        return self.liveness.next_deadline()

    def on_timer(self, now: float) -> None:
        self.liveness.on_timer(now)

    def _probe(self, flow: Any) -> None:
        self.queue.ready(flow)
        self._router.touch(self)

    def _next_frame(self) -> bytes | None:
        if not self.queue:
            return None
        now = trio.current_time()
        packets = self.queue.next_bundle(BUNDLE, now)
        if not packets:
            return None
        self.liveness.sent(now)
        return frame(self._sealer.seal(packets[0] if len(packets) == 1 else b"".join(packets)))

    def _received(self, data: bytes) -> None:
        router, now = self._router, trio.current_time()
        router.begin()
        try:
            for ciphertext in self._frames.feed(data):
                router.receive(self, self._opener.open(ciphertext), now)
            self._frames.check()
            self.liveness.heard(now)
        finally:
            router.end()

    def receive_probe(self, payload: bytes, now: float) -> None:
        """Takes a PROBE; tells whoever listens when the measured round trip has changed."""
        self.liveness.receive(payload, now)
        self._router.touch(self)
        if self.liveness.rtt != self._rtt:
            self._rtt = self.liveness.rtt
            self.measured(self)

    async def run(self) -> str:
        """Carries packets until the link ends; returns why."""
        try:
            rest, self._rest = self._rest, b""
            self._received(rest)
            await self._pump.run()
        except ProtocolError as error:
            self._router.counters["link_errors"] += 1
            return f"the neighbour broke the rules: {error.message}"
        except OSError as error:
            return f"the connection broke: {error.strerror or error}"
        except Exception as error:
            log.exception("a defect of this node ended %r; the others go on", self)
            self._router.counters["link_defects"] += 1
            return f"this node failed: {type(error).__name__}: {error}"
        finally:
            self._pump.close()
        return self.reason or "the neighbour closed it"

    def close(self, reason: str) -> None:
        """Ends the link; `run` returns."""
        self.reason = self.reason or reason
        self._pump.close()


async def shake_hands(
    stream: trio.SocketStream,
    key: NodeKey,
    instance: bytes,
    *,
    expected: bytes | None,
    initiator: bool,
    first: bytes = b"",
) -> tuple[LinkHandshake, bytes]:
    """Runs the handshake; returns it and what was already read behind it. `first` was read before.

    Raises BadHandshake (the peer's fault, or its silence), OSError.
    """
    handshake = LinkHandshake(key, instance, initiator=initiator, expected=expected)
    reader = FrameReader(HANDSHAKE_FRAME)
    frames = reader.feed(first) if first else []
    with trio.move_on_after(HANDSHAKE_TIME):
        try:
            if initiator:
                await stream.send_all(frame(handshake.start()))
            while not handshake.done:
                while not frames:
                    frames = reader.feed(await _read(stream))
                answer = handshake.receive(frames.pop(0))
                if answer is not None:
                    await stream.send_all(frame(answer))
        except BadHandshake as error:
            plain = getattr(error, "answer", None)
            if plain:
                await stream.send_all(plain)
            raise
        except trio.BrokenResourceError as error:
            raise BadHandshake("the connection broke during the handshake", cause=str(error)) from None
        return handshake, b"".join(frame(part) for part in frames) + reader.rest()
    raise BadHandshake("no handshake within 5 s")


async def _read(stream: trio.SocketStream) -> bytes:
    data = await stream.receive_some(4096)
    if not data:
        raise BadHandshake("the peer closed the connection during the handshake")
    return bytes(data)
