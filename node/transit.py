"""Packets of others on their way through this node: flows of whole packets, bounded in bytes and in number.

A flow is what one arrival link brought from one source to one destination at one priority. A full flow, a full link
and an arrival link that already holds more than what is left all drop the newest packet: the session that sent it
repairs that. Source: docs/concepts/wire.md, section 2, "Queues of a link".
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from firefly.packet import BULK, HEADER_SIZE, INTERACTIVE

FLOW_LIMIT = 2 * 1024 * 1024
LINK_LIMIT = 64 * 1024 * 1024
FLOWS_PER_ARRIVAL = 1024  # sources are not proven to a relay: an inventor of addresses shares one flow beyond this
OVERHEAD = 64  # bytes charged per packet for the objects that hold it

_PRIORITY = 2  # offsets in the header of a packet
_ADDRESSES = slice(8, 40)
_DESTINATION = slice(8, 24)

_FlowKey = tuple[int, bytes]  # priority; destination and source, empty for the shared flow


@dataclass(slots=True)
class TransitCounters:
    """What was not queued, by reason."""

    unforwardable: int = 0
    flow_full: int = 0
    link_full: int = 0


class _Holding:
    """What one arrival link has queued: its flows and their charged bytes."""

    __slots__ = ("arrival", "charged", "flows")

    def __init__(self, arrival: Hashable) -> None:
        self.arrival = arrival
        self.charged = 0
        self.flows: dict[_FlowKey, TransitFlow] = {}


class TransitFlow:
    """A queue of forwarded packets; answers `next_packet` like the lane of a local session does."""

    __slots__ = ("_holding", "_key", "_packets", "_transit", "charged", "destination", "priority")

    def __init__(self, transit: "Transit", holding: _Holding, key: _FlowKey, packet: bytes) -> None:
        self.priority = key[0]
        self.destination = packet[_DESTINATION]
        self.charged = 0
        self._transit = transit
        self._holding = holding
        self._key = key
        self._packets: deque[bytes] = deque()

    @property
    def shared(self) -> bool:
        """True if it holds packets of many destinations."""
        return not self._key[1]

    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        """The oldest packet, whatever its size, or None: then the flow is gone and a later packet makes a new one."""
        if not self._packets:
            self._forget()
            return None
        packet = self._packets.popleft()
        self._charge(-len(packet) - OVERHEAD)
        return packet

    def append(self, packet: bytes) -> None:
        self._packets.append(packet)
        self._charge(len(packet) + OVERHEAD)

    def drain(self) -> list[tuple[bytes, Hashable]]:
        """Take out everything: (packet, arrival link), oldest first."""
        packets = [(packet, self._holding.arrival) for packet in self._packets]
        self._packets.clear()
        self._charge(-self.charged)
        self._forget()
        return packets

    def _forget(self) -> None:
        if self._holding.flows.get(self._key) is self:
            del self._holding.flows[self._key]

    def _charge(self, size: int) -> None:
        self.charged += size
        self._holding.charged += size
        self._transit.charged += size


class Transit:
    """All transit flows of one link. `ready(flow, arrival)` is called whenever a flow may have something to send."""

    def __init__(
        self,
        ready: Callable[[TransitFlow, Hashable], None],
        *,
        flow_limit: int = FLOW_LIMIT,
        link_limit: int = LINK_LIMIT,
    ) -> None:
        self.charged = 0
        self.counters = TransitCounters()
        self._ready = ready
        self._flow_limit = flow_limit
        self._link_limit = link_limit
        self._holdings: dict[Hashable, _Holding] = {}

    def forward(self, packet: bytes | memoryview, arrival: Hashable) -> bool:
        """Queue a whole packet that came by `arrival`; False if it was dropped, which is counted.

        A view is copied: the hop limit in the header is rewritten in any case, and a copy pins no bytes but its own.
        """
        packet = bytes(packet)
        if len(packet) < HEADER_SIZE or not INTERACTIVE <= packet[_PRIORITY] <= BULK:
            self.counters.unforwardable += 1
            return False
        flow = self._flow(packet, arrival)
        if not self._room(flow, len(packet) + OVERHEAD, arrival):
            return False
        flow.append(packet)
        self._ready(flow, arrival)
        return True

    def withdraw(self, stays: Callable[[bytes, Hashable], bool]) -> list[tuple[bytes, Hashable]]:
        """Take out the packets of flows for which `stays(destination, arrival)` is false: (packet, arrival).

        Packets in a shared flow, whose destinations differ, all come out.
        """
        leaving = [
            flow
            for holding in self._holdings.values()
            for flow in holding.flows.values()
            if flow.shared or not stays(flow.destination, holding.arrival)
        ]
        return [entry for flow in leaving for entry in flow.drain()]

    def arrival_gone(self, arrival: Hashable) -> None:
        """Forget the account of a link that is down; what it brought is still sent."""
        self._holdings.pop(arrival, None)

    def _flow(self, packet: bytes, arrival: Hashable) -> TransitFlow:
        holding = self._holdings.get(arrival)
        if holding is None:
            holding = self._holdings[arrival] = _Holding(arrival)
        key = (packet[_PRIORITY], packet[_ADDRESSES])
        if key not in holding.flows and len(holding.flows) >= FLOWS_PER_ARRIVAL:
            key = (packet[_PRIORITY], b"")
        flow = holding.flows.get(key)
        if flow is None:
            flow = holding.flows[key] = TransitFlow(self, holding, key, packet)
        return flow

    def _room(self, flow: TransitFlow, size: int, arrival: Hashable) -> bool:
        """An arrival link may hold as much as it leaves free, so that no one can fill the queue for all others."""
        if flow.charged + size > self._flow_limit:
            self.counters.flow_full += 1
            return False
        if self._holdings[arrival].charged + size > self._link_limit - self.charged:
            self.counters.link_full += 1
            return False
        return True
