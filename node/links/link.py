"""One authenticated connection to a neighbour: what all transports share (docs/concepts/wire.md, 1 Link).

A transport gives a connected stream socket; the handshake runs on it, then the router pulls and pushes bundles.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import trio

from firefly.address import address_of
from firefly.errors import BadHandshake, ProtocolError
from firefly.keys import NodeKey
from firefly.link import LinkHandshake
from firefly.transport import FramedSocket
from node.links.connection import Connection
from node.liveness import Liveness
from node.queues import LinkQueue
from node.router import Router

log = logging.getLogger("node")
HANDSHAKE_TIME = 5.0
BUNDLE = 64 * 2**10
"""Bytes of a bundle; one packet may be bigger."""
MAX_FRAME = 256 * 2**10 + 1024


class Link:
    """A link after its handshake. `kind` is its transport, `url` where it leads, `hash` binds a pairing to it."""

    def __init__(
        self,
        router: Router,
        connection: Connection,
        handshake: LinkHandshake,
        own: bytes,
    ) -> None:
        self.kind = connection.kind
        self.url = connection.url
        self.peer_key: bytes = handshake.peer_key
        self.peer_address = address_of(self.peer_key)
        self.peer_instance: bytes = handshake.peer_instance
        self.hash: bytes = handshake.hash
        self.certified = False
        self.introduced = False
        self.up, self.down = trio.Event(), trio.Event()
        self.measured: Callable[[Link], None] = lambda link: None
        self.since = trio.current_time()
        self.reason = ""
        self._router = router
        self._sealer, self._opener = handshake.sealer, handshake.opener
        self._frames = connection.frames
        self._frames.limit = MAX_FRAME
        self.queue = LinkQueue(self)
        self.liveness = Liveness(own, self.peer_address, self._probe, self.since)
        self._topology: Any = None
        self._rtt: float | None = None
        self._arrived = connection.arrived
        self._pump = FramedSocket(connection.take(), self._next_frame, self._received)

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
            return self._frames.owed() or None
        now = trio.current_time()
        packets = self.queue.next_bundle(BUNDLE, now)
        if not packets:
            return self._frames.owed() or None
        self.liveness.sent(now)
        return self._frames.frame(self._sealer.seal(packets[0] if len(packets) == 1 else b"".join(packets)))

    def _received(self, data: bytes) -> None:
        router, now, frames = self._router, trio.current_time(), self._frames
        router.begin()
        try:
            arrived = frames.feed(data)
            if self._arrived:
                arrived, self._arrived = self._arrived + arrived, []
            for ciphertext in arrived:
                router.receive(self, self._opener.open(ciphertext), now)
            frames.check()
            self.liveness.heard(now)
        finally:
            router.end()
        if frames.ended:
            self.close(f"the neighbour closed it: {frames.ended}")

    def receive_probe(self, payload: bytes, now: float) -> None:
        """Takes a PROBE; tells whoever listens when the measured round trip has changed."""
        self.liveness.receive(payload, now)
        self._router.touch(self)
        if self.liveness.rtt != self._rtt:
            self._rtt = self.liveness.rtt
            self.measured(self)

    async def run(self) -> str:
        """Carries packets until the link ends; returns why."""
        reason = await self._carry()
        self._pump.close(self._frames.farewell(reason))
        return reason

    async def _carry(self) -> str:
        try:
            self._received(b"")
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
        return self.reason or "the neighbour closed it"

    def close(self, reason: str) -> None:
        """Ends the link; `run` returns."""
        self.reason = self.reason or reason
        self._pump.close(self._frames.farewell(self.reason))


async def shake_hands(
    connection: Connection, key: NodeKey, instance: bytes, *, expected: bytes | None, initiator: bool
) -> LinkHandshake:
    """Runs the handshake; what was read behind it stays in the connection.

    Raises BadHandshake (the peer's fault, or its silence), BadFrame, OSError.
    """
    handshake = LinkHandshake(key, instance, initiator=initiator, expected=expected)
    with trio.move_on_after(HANDSHAKE_TIME):
        try:
            if initiator:
                await connection.send(handshake.start())
            while not handshake.done:
                answer = handshake.receive(await connection.receive())
                if answer is not None:
                    await connection.send(answer)
        except BadHandshake as error:
            plain = getattr(error, "answer", None)
            if plain:
                await connection.write(connection.frames.plain(plain))
            raise
        except OSError as error:
            raise BadHandshake("the connection broke during the handshake", cause=str(error)) from None
        return handshake
    raise BadHandshake("no handshake within 5 s")
