"""One authenticated connection to a neighbour: what all transports share (docs/concepts/wire.md, 1 Link).

A transport gives a connected stream socket; the handshake runs on it, then the router pulls and pushes bundles.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

from firefly.address import address_of
from firefly.errors import BadFrame, BadHandshake, GlowError, ProtocolError
from firefly.keys import NodeKey
from firefly.link import BUSY, WRONG_VERSION, LinkHandshake
from firefly.packet import CONTROL, TOPOLOGY, pack_header
from firefly.transport import FramedSocket
from node.limits import Budget
from node.links import LinkClosed
from node.links.connection import Connection, StreamFrames
from node.links.moment import Moment
from node.liveness import Liveness
from node.queues import LinkQueue
from node.router import Router
from node.routing import Admitted
from node.routing.messages import MAX_REASON, Close, encode_message

log = logging.getLogger("node")
HANDSHAKE_TIME = 5.0
BUNDLE = 8 * 2**10
"""Bytes of a bundle; one packet may be bigger."""
MAX_FRAME = 256 * 2**10 + 1024
TRIED = frozenset({"webrtc"})
"""Kinds whose links carry nothing but probes at first: a way through NATs can be there, and be no good."""


class NotGlow(BadHandshake):
    """What answers does not speak Glow: another service, or a command that prints something of its own."""


class Link:
    """A link after its handshake. `kind` is its transport, `url` where it leads, `local` the address that it leaves
    from and `proxy` the one that it goes through, if any; `hash` binds a pairing to it.

    `budget`: what it may have forwarded, None if that is unlimited; `taken`: packets of a neighbour that is admitted.
    Once it has ended `reason` says why, and `lost` whether it was not this side that ended it.
    """

    __slots__ = (
        "__weakref__",
        "_arrived",
        "_frames",
        "_opener",
        "_own",
        "_pump",
        "_rests",
        "_router",
        "_rtt",
        "_sealer",
        "_topology",
        "_worked",
        "admitted",
        "announced",
        "budget",
        "certified",
        "down",
        "hash",
        "hint",
        "introduced",
        "kind",
        "liveness",
        "local",
        "lost",
        "measured",
        "on_trial",
        "peer_address",
        "peer_instance",
        "peer_key",
        "proxy",
        "queue",
        "reason",
        "since",
        "taken",
        "up",
        "url",
    )

    def __init__(
        self,
        router: Router,
        connection: Connection,
        handshake: LinkHandshake,
        own: bytes,
    ) -> None:
        self.kind = connection.kind
        self.url = connection.url
        self.local, self.proxy = connection.local, connection.proxy
        self.peer_key: bytes = handshake.peer_key
        self.peer_address = address_of(self.peer_key)
        self.peer_instance: bytes = handshake.peer_instance
        self.hash: bytes = handshake.hash
        self.certified = False
        self.on_trial = self.kind in TRIED
        self.admitted: Admitted | None = None
        self.introduced: frozenset[bytes] = frozenset()  # namespaces whose certificates of ours the neighbour was shown
        self.announced = False
        self.up, self.down = Moment(), Moment()
        self.measured: Callable[[Link], None] = lambda link: None
        self.since = trio.current_time()
        self.reason = self.hint = ""
        self.lost = False
        self._router = router
        self._own = own
        self._sealer, self._opener = handshake.sealer, handshake.opener
        self._frames = connection.frames
        self.budget: Budget | None = None
        self.taken = 0
        self._frames.limit = MAX_FRAME
        self.queue = LinkQueue(self)
        self.liveness = Liveness(own, self.peer_address, self._probe, self.since)
        self._topology: Any = None
        self._rtt: float | None = None
        self._worked, self._rests = 0, False
        self._arrived = connection.arrived
        self._pump = FramedSocket(connection.take(), self._next_frame, self._received)

    def __repr__(self) -> str:
        return f"<Link {self.kind} {self.url}>"

    @property
    def work(self) -> int:
        """Grows with every packet that is no PROBE; of those that come, only an admitted neighbour's are counted."""
        return self.taken + self.queue.counters.packets - self.liveness.counters.asked - self.liveness.counters.answered

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
        if self.liveness.down:
            self.close("the neighbour has gone silent")

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
        self.liveness.sent(now, len(packets))
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

    def rest(self) -> None:
        """Gives up what only a link at work needs, if no frame went or came since the last time; it comes back by
        itself.
        """
        worked = self._sealer.number + self._opener.number
        if worked != self._worked:
            self._worked, self._rests = worked, False
        elif not self._rests:
            self._rests = True
            self._sealer.rest()
            self._opener.rest()
            self.queue.shrink()
            self.liveness.shrink()
            self._pump.rest()

    async def run(self) -> str:
        """Carries packets until the link ends; returns why."""
        lost = "the neighbour closed it"
        try:
            self._received(b"")
            await self._pump.run()
        except ProtocolError as error:
            self._router.counters["link_errors"] += 1
            self.close(f"the neighbour broke the rules: {error.message}")
        except OSError as error:
            lost = f"the connection broke: {error.strerror or error}"
        except Exception as error:
            log.exception("a defect of this node ended %r; the others go on", self)
            self._router.counters["link_defects"] += 1
            self.close(f"this node failed: {type(error).__name__}: {error}")
        self.lost = not self.reason
        self.reason = self.reason or lost
        self._close()
        return self.reason

    def close(self, reason: str, hint: str = "") -> None:
        """Ends the link; `run` returns."""
        if not self.reason:
            self.reason, self.hint = reason, hint
        self._close()

    def _close(self) -> None:
        self._pump.close(self._frames.farewell(self.reason) or self._frames.frame(self._farewell()))

    def _farewell(self) -> bytes:
        """A last bundle that says why, for a transport that has no words for it."""
        payload = encode_message(Close(self.reason[:MAX_REASON]))
        header = pack_header(TOPOLOGY, CONTROL, len(payload), self.peer_address, self._own)
        return self._sealer.seal(header + payload)


async def shake_hands(
    connection: Connection, key: NodeKey, instance: bytes, *, expected: bytes | None, initiator: bool
) -> LinkHandshake:
    """Runs the handshake; what was read behind it stays in the connection.

    Raises BadHandshake: the peer's fault, or its silence; NotGlow if what was dialled is no node; LinkClosed.
    """
    handshake = LinkHandshake(key, instance, initiator=initiator, expected=expected)
    try:
        with trio.fail_after(HANDSHAKE_TIME):
            await _exchange(connection, handshake, initiator)
            return handshake
    except (LinkClosed, BadHandshake) as error:
        failure: GlowError = error
    except BadFrame as error:
        failure = BadHandshake(error.message)
    except trio.TooSlowError:
        failure = BadHandshake("no handshake within 5 s", hint="see whether a node answers there, and try again")
    except OSError as error:
        failure = LinkClosed("the connection broke during the handshake", cause=error.strerror or str(error))
    raise _not_glow(connection.heard) if initiator and _is_foreign(connection) else failure


async def _exchange(connection: Connection, handshake: LinkHandshake, initiator: bool) -> None:
    """Both sides' frames."""
    if initiator:
        with suppress(OSError):  # what the peer said before it closed can still be read
            await connection.send(handshake.start())
    while not handshake.done:
        try:
            answer = handshake.receive(await connection.receive())
        except BadHandshake as error:
            if error.answer:
                await connection.write(connection.frames.plain(error.answer))
            raise
        if answer is not None:
            await connection.send(answer)


def _is_foreign(connection: Connection) -> bool:
    """Whether what was read first cannot be a frame of a handshake, nor the answer to another version."""
    heard = connection.heard
    ours = heard.startswith((WRONG_VERSION[:7], BUSY))
    foreign = heard[:2] != bytes(min(len(heard), 2)) and not ours
    return bool(heard) and foreign and isinstance(connection.frames, StreamFrames)


def _not_glow(heard: bytearray) -> NotGlow:
    line = bytes(heard).strip().partition(b"\n")[0].rstrip()
    return NotGlow(
        "what answers there is not Glow",
        cause=f"it began with {line.decode(errors='replace')!r}",
        hint="see whether the address is that of a node: `glow status` on the other device shows where it listens",
    )
