"""A link between two devices: what `node/links/link.py` is over a socket, over a wire with delay and bandwidth.

A wire keeps the order and loses nothing while it is there, as tcp does. When it goes silently, what is sent into it is
gone, and only the liveness of each end finds out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firefly.packet import PROBE, TOPOLOGY
from node.limits import Budget
from node.liveness import Liveness
from node.queues import LinkQueue
from node.routing import Admitted

if TYPE_CHECKING:
    from node.simulator.device import Device
    from node.simulator.events import Events

BUNDLE = 8 * 2**10
UNSENT = 8 * 2**10
"""Bytes that wait below a link, where nothing can overtake them any more: what the operating system keeps."""
_CONTROL = (PROBE, TOPOLOGY)


class Wire:
    """`latency` in seconds, `bandwidth` in bytes per second each way (infinity: none is asked)."""

    def __init__(self, events: Events, latency: float, bandwidth: float) -> None:
        self.events = events
        self.latency = latency
        self.bandwidth = bandwidth
        self.cut = False
        self.ends: tuple[End, End]

    def connect(self, one: Device, other: Device, numbers: tuple[int, int]) -> None:
        """Both ends come up."""
        first, second = End(self, one, other, numbers[0]), End(self, other, one, numbers[1])
        first.other, second.other = second, first
        self.ends = first, second
        for end in self.ends:
            end.device.link_up(end)


class End:
    """One end of a wire: what the router of `device` takes for a link. `number` is unique and gives it its place in
    every set, so that these are the same in every run."""

    other: End

    def __init__(self, wire: Wire, device: Device, peer: Device, number: int) -> None:
        self.wire = wire
        self.device = device
        self.number = number
        self.peer_key = peer.key.public
        self.peer_address = peer.key.address
        self.certified = True
        self.admitted: Admitted | None = None
        self.budget: Budget | None = None
        self.taken = 0
        self.up = True
        self.queue = LinkQueue(self)
        self.sent: Counter[int] = Counter()
        self._events = wire.events
        self._topology: Any = None
        self._busy = False
        self._leaves = 0.0
        self._rtt: float | None = None
        self._due = float("inf")
        self.liveness = Liveness(device.key.address, self.peer_address, self._probe, wire.events.now)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<End {self.number} of {self.device.name}>"

    def _probe(self, flow: Any) -> None:
        self.queue.ready(flow)
        self.device.router.touch(self)

    def topology_flow(self, make: Callable[[], Any]) -> Any:
        if self._topology is None:
            self._topology = make()
        return self._topology

    # --- what the router asks

    def kick(self, now: bool = False) -> None:
        if not self._busy and self.up:
            self._write()

    def hurry(self) -> None:
        self.kick()

    def receive_probe(self, payload: bytes, now: float) -> None:
        self.liveness.receive(payload, now)
        self.device.router.touch(self)
        if self.liveness.rtt != self._rtt:
            self._rtt = self.liveness.rtt
            self.device.mesh.cost(self, self.liveness.cost, now)

    # --- the wire

    def _write(self) -> None:
        """Sends bundles for as long as the wire takes them at once."""
        events, wire = self._events, self.wire
        while self.up and self.queue:
            now = events.now
            packets = self.queue.next_bundle(BUNDLE, now)
            if not packets:
                return
            self.liveness.sent(now, len(packets))
            self._arm()
            size = self._count(packets, now)
            leaves = max(now, self._leaves) + size / wire.bandwidth
            self._leaves = leaves
            events.at(leaves + wire.latency, lambda packets=packets: self.other.arrive(packets))  # type: ignore[misc]
            if leaves - UNSENT / wire.bandwidth > now:
                self._busy = True
                events.at(leaves - UNSENT / wire.bandwidth, self._free)
                return

    def _free(self) -> None:
        self._busy = False
        self.kick()

    def _count(self, packets: list[bytes], now: float) -> int:
        for packet in packets:
            kind = packet[0] & 15
            self.sent[kind] += len(packet)
            if kind not in _CONTROL:
                self.device.trails.left(packet, self.device, self.other.device, now)
        return sum(map(len, packets))

    def arrive(self, packets: list[bytes]) -> None:
        """A bundle has come over the wire."""
        if not self.up or self.wire.cut or not self.device.alive:
            return
        now = self._events.now
        self.device.receive(self, b"".join(packets), now)
        self.liveness.heard(now)
        self._arm()

    # --- time

    def _arm(self) -> None:
        """Wakes the liveness in time; a deadline that has moved away is looked at when it was due."""
        due = self.liveness.next_deadline()
        if due < self._due:
            self._due = due
            self._events.at(due, self._wake)

    def begin(self) -> None:
        self._arm()

    def _wake(self) -> None:
        self._due = float("inf")
        if not self.up or not self.device.alive:
            return
        self.liveness.on_timer(self._events.now)
        if self.liveness.down:
            self.device.link_down(self)
            return
        self._arm()
        self.device.settle()

    @property
    def control_bytes(self) -> int:
        return sum(self.sent[kind] for kind in _CONTROL)
