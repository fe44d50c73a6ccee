"""The routing core of a node, in one object: links and TOPOLOGY payloads in, next hops out.

Sans-I/O: the router's driver reports links, payloads and the time, sends what `next_payload` yields, and calls
`on_timer` at `next_deadline`. `link` is any hashable object of the driver's. Each namespace is an area of its own.
Source: docs/concepts/wire.md, sections 2 and 3.
"""

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from firefly.address import address_of
from firefly.detour import Way
from firefly.keys import NodeKey
from node.routing.area import Area, Routes
from node.routing.flooding import Flooding, PairHandler
from node.routing.hubs import Admitted, Crossing, Hubs, NoHubs
from node.routing.linkstate import LinkStateRecords
from node.routing.origin import Origin
from node.routing.record import COST_MAX, KIND, NEIGHBOURS, Record, Relay, sign_record
from node.routing.statements import Certifier, Kind
from node.routing.tables import Roster, Table, Tables, Ways, make_table

UNMEASURED_COST = 100_000  # µs, of a link until its first measurement
RELUCTANT_COST = 2**28  # µs: more than any path of willing relays
FOREIGNERS_PACE = 2.5e-3  # seconds, per link, that records wait for more foreigners to come or go
PAYLOADS = 64  # that `outgoing` hands out at once


@dataclass(frozen=True, slots=True)
class MeshEvents:
    """What the mesh tells the driver, who may ask it in return but report nothing to it from inside of these."""

    ready: Callable[[Hashable], None]  # (link): `next_payload` has something for it
    changed: Callable[[], None] = lambda: None  # next hops have changed
    broken: Callable[[set[bytes]], None] = lambda destinations: None  # what is on its way to these may be lost
    restarted: Callable[[bytes, bytes, float], None] = lambda address, instance, now: None
    cloned: Callable[[bytes], None] = lambda instance: None  # another device runs under our identity
    pair: PairHandler = lambda link, step, body, now: None
    earlier: Callable[[], None] = lambda: None  # `next_deadline` may have come closer
    closed: Callable[[Hashable, str], None] = lambda link, reason: None  # the neighbour ends the link


@dataclass(slots=True)
class _Link:
    address: bytes
    cost: int | None  # µs; None until measured
    namespaces: frozenset[bytes] = frozenset()
    admitted: Admitted | None = None


@dataclass(slots=True)
class Membership:
    """This node in one namespace."""

    area: Area
    origin: Origin
    routes: Routes = field(default_factory=dict)


class Mesh:
    """All areas of the node that owns `key`. `random` returns floats in [0, 1); `roster` tells who is a hub."""

    def __init__(
        self,
        key: NodeKey,
        instance: bytes,
        certified: Certifier,
        events: MeshEvents,
        random: Callable[[], float],
        *,
        kinds: Iterable[Kind] = (),
        relay: Relay = Relay.ALWAYS,
        roster: Roster | None = None,
    ) -> None:
        self.areas: dict[bytes, Area] = {}
        self._key = key
        self._instance = instance
        self._events = events
        self._random = random
        self._relay = relay
        self._roster = roster or NoHubs()
        self._memberships: dict[bytes, Membership] = {}
        self._links: dict[Hashable, _Link] = {}
        self._tables = Tables(self._table)
        self._ways = Ways()
        self._hubs = Hubs(key.address, self._roster, self._ways)
        self._foreigners_due = math.inf
        self._attached: list[bytes] | None = None  # found when it is asked for
        records = LinkStateRecords(key.address, self.areas, certified, self._own_heard, events.restarted)
        self.flooding = Flooding((*kinds, records), ready=events.ready, pair=events.pair, closed=events.closed)

    # What the driver reports.

    def join(self, namespace: bytes, sequence: int, now: float) -> None:
        """Take part in a namespace. `sequence`: max(last one stored + 1, Unix time in ms)."""
        self.areas[namespace] = Area(namespace, self._key.address)
        origin = Origin(sequence, self._instance, now, self._random)
        self._memberships[namespace] = Membership(self.areas[namespace], origin)
        self._tables.forget([namespace])

    def link_up(
        self, link: Hashable, peer_key: bytes, namespaces: Iterable[bytes], now: float, cost: int | None = None
    ) -> None:
        """A link is authenticated, and both ends are certified in `namespaces`: none yet for one that is still to be.

        `cost` in µs, if it is known already.
        """
        self._links[link] = _Link(address_of(peer_key), cost)
        self.flooding.link_up(link)
        self.link_certified(link, namespaces, now)

    def link_certified(self, link: Hashable, namespaces: Iterable[bytes], now: float) -> None:
        """The namespaces of a link are now these: a certificate came, ended, or was revoked."""
        state = self._links[link]
        before, state.namespaces = state.namespaces, frozenset(self.areas).intersection(namespaces)
        for namespace in state.namespaces - before:
            self.areas[namespace].link_up(link, state.address, state.cost or UNMEASURED_COST, now)
        for namespace in before - state.namespaces:
            self.areas[namespace].link_down(link, state.address)
        for namespace in before ^ state.namespaces:
            self._memberships[namespace].origin.touch(now)
        if before != state.namespaces:
            self._tell_of_foreigners(now)
        self.flooding.certify(link, state.namespaces)
        self._update(now, before ^ state.namespaces)

    def link_down(self, link: Hashable, now: float) -> None:
        """A link is gone. Harmless if it was never up."""
        state = self._links.pop(link, None)
        if state is None:
            return
        self.flooding.link_down(link)
        for namespace in state.namespaces:
            membership = self._memberships[namespace]
            if membership.area.link_down(link, state.address):
                membership.origin.touch(now)
            membership.origin.costs_moved(membership.area.costs(), now)
        if state.namespaces:
            self._tell_of_foreigners(now)
        if state.admitted is not None:
            self._admissions_changed(now)
        self._update(now, state.namespaces)

    def link_admitted(self, link: Hashable, admitted: Admitted | None, now: float) -> None:
        """What a neighbour without a certificate is to this node; None: nothing any more."""
        state = self._links[link]
        if state.admitted is admitted:
            return
        state.admitted = admitted
        self._admissions_changed(now)

    def _admissions_changed(self, now: float) -> None:
        links = [(state.admitted, state.address, link) for link, state in self._links.items()]
        self._hubs.admitted = {address: link for admitted, address, link in links if admitted is Admitted.NODE}
        self._hubs.used = {address: link for admitted, address, link in links if admitted is Admitted.HUB}
        self._tell_of_foreigners(now)
        self._refresh(self.areas)

    def cost(self, link: Hashable, value: int, now: float) -> None:
        """What a link costs now in µs: its quantized minimum RTT plus the penalty of its kind."""
        state = self._links[link]
        first, state.cost = state.cost is None, min(max(value, 1), COST_MAX)
        for namespace in state.namespaces:
            membership = self._memberships[namespace]
            membership.area.link_up(link, state.address, state.cost, now)
            if first:
                membership.origin.touch(now)
            membership.origin.costs_moved(membership.area.costs(), now)

    def receive_topology(self, link: Hashable, payload: bytes | memoryview, now: float) -> None:
        """Take the payload of a TOPOLOGY packet. Raises a ProtocolError by which the link must end."""
        try:
            self.flooding.receive(link, payload, now)
        finally:
            self._update(now)
            self._events.earlier()

    def set_relay(self, relay: Relay, now: float) -> None:
        """How willing this node is to forward for others, from now on."""
        self._relay = relay
        for membership in self._memberships.values():
            membership.origin.touch(now)
        self._refresh(self.areas)

    def roster_changed(self, now: float) -> None:
        """Certificates came, ended or were revoked: others may be hubs now."""
        changed = self._hubs.look(self.areas)
        if changed is None:
            return
        for namespace in changed:
            self._memberships[namespace].origin.touch(now)
        self._tell_of_foreigners(now)
        self._refresh(self.areas)

    def expel(self, namespace: bytes, address: bytes, now: float) -> None:
        """Forget the record of a node that has lost its certificate; the driver closes its links."""
        statement = self.flooding.store.get((namespace, KIND, address))
        if statement is not None:
            self.flooding.drop(statement, now)
            self._update(now)

    def next_deadline(self) -> float:
        """When `on_timer` is due; infinity if there is nothing to wait for."""
        deadline = min(self.flooding.next_deadline(), self._foreigners_due)
        for membership in self._memberships.values():
            deadline = min(deadline, membership.area.next_deadline(), membership.origin.next_deadline())
        return deadline

    def on_timer(self, now: float) -> None:
        self.flooding.on_timer(now)
        if now >= self._foreigners_due:
            self._look_for_foreigners(now)
        moved = set()
        for namespace, membership in self._memberships.items():
            if membership.area.settle(now):
                moved.add(namespace)
                membership.origin.costs_moved(membership.area.costs(), now)
            if now >= membership.origin.next_deadline():
                self._publish(namespace, membership, now)
        self._update(now, moved)

    # What the driver asks.

    def next_payload(self, link: Hashable, now: float) -> bytes | None:
        """The next TOPOLOGY payload for a link, made as it leaves; None if there is nothing to say."""
        return self.flooding.next_payload(link, now)

    def outgoing(self, link: Hashable, now: float) -> list[bytes]:
        """At most 64 payloads at once, for drivers without a queue."""
        payloads: list[bytes] = []
        while len(payloads) < PAYLOADS and (payload := self.next_payload(link, now)) is not None:
            payloads.append(payload)
        return payloads

    def next_hop(self, destination: bytes, arrival: Hashable = None, crossed: bool = False) -> Hashable | None:
        """The link by which a packet leaves, or None if there is no way that its arrival link entitles it to.

        A packet from a link is looked up only in the areas in which both ends of that link are certified. An address
        that has no certificate there leads to a hub, unless the packet has `crossed` one.
        """
        table = self._table_of(arrival) if arrival is not None else None
        if table is None and arrival is not None:
            return None
        link = table.members.get(destination) if table is not None else self._own_way(destination)
        if link is not None or crossed:
            return link
        hub = self.hub_for(destination, arrival)
        if hub is None:
            return None
        return table.members.get(hub) if table is not None else self._own_way(hub)

    def _table_of(self, arrival: Hashable) -> Table | None:
        """Where what a link brings may go on; None if nowhere."""
        state = self._links.get(arrival)
        if state is None or not state.namespaces or self._relay is Relay.NEVER:
            return None
        return self._tables.of(state.namespaces)

    def _own_way(self, destination: bytes) -> Hashable | None:
        way = self._ways.find(destination)
        return way[0] if way is not None else self._hubs.neighbour(destination)

    def hub_for(self, destination: bytes, arrival: Hashable = None) -> bytes | None:
        """Another hub, which takes packets to an address that has no certificate; None if there is none."""
        namespaces = frozenset(self.areas) if arrival is None else self._links[arrival].namespaces
        table = self._tables.of(namespaces)
        return self._hubs.other(destination, table, self._entitled(arrival), arrival is None)

    def across(self, destination: bytes, arrival: Hashable) -> Crossing | None:
        """The way into another namespace, if this node is a hub both there and where the packet comes from."""
        if arrival not in self._links or self._relay is Relay.NEVER:
            return None
        return self._hubs.cross(destination, self._entitled(arrival))

    def _entitled(self, arrival: Hashable) -> Collection[bytes]:
        """The namespaces in which packets of a link are looked up; all for those of this node itself.

        An admitted node stands for itself.
        """
        if arrival is None:
            return self.areas.keys()
        state = self._links[arrival]
        return (state.address,) if state.admitted is Admitted.NODE else state.namespaces

    def begin_leg(self, destination: bytes, arrival: Hashable = None, crossed: bool = False) -> Hashable | None:
        """As `next_hop`, for the beginning of a leg of a detour: to a neighbour by the link to it, however costly.

        So each edge can be a leg, and there is a detour wherever there is a path.
        """
        if arrival is None or self._table_of(arrival) is not None:
            for namespace in sorted(self._entitled(arrival)):
                neighbour = self.areas[namespace].neighbours.get(destination)
                if neighbour is not None:
                    return neighbour.link
        return self.next_hop(destination, arrival, crossed)

    def way(self, destination: bytes, suspicion: Mapping[bytes, int]) -> Way | None:
        """The best way by nodes that are suspected the least; None if there is none. See `firefly/detour.py`."""
        best = self._best(destination)
        return best.area.way(destination, suspicion) if best is not None else None

    def path(self, destination: bytes) -> list[bytes]:
        """The addresses on the way, ours not included, the destination last; empty if it is unreachable."""
        best = self._best(destination)
        return best.area.paths.to(destination) if best is not None else []

    def distance(self, destination: bytes) -> int | None:
        """The cost of that way in µs."""
        best = self._best(destination)
        return best.routes[destination][0] if best is not None else None

    def sequence(self, namespace: bytes) -> int:
        """The last sequence number used, to be stored."""
        return self._memberships[namespace].origin.sequence

    def _best(self, destination: bytes) -> Membership | None:
        candidates = [
            (membership.routes[destination][0], namespace)
            for namespace, membership in self._memberships.items()
            if destination in membership.routes
        ]
        return self._memberships[min(candidates)[1]] if candidates else None

    # Inside.

    def _own_heard(self, record: Record, now: float) -> bool:
        origin = self._memberships[record.namespace].origin
        if record.instance == self._instance and record.sequence == origin.sequence:
            return True
        if origin.heard(record, now):
            self._events.cloned(record.instance)
        return False

    def _publish(self, namespace: bytes, membership: Membership, now: float) -> None:
        costs = membership.area.costs()
        extra = RELUCTANT_COST if self._relay is Relay.RELUCTANT else 0
        nearest = sorted((cost, address) for address, cost in costs.items())[:NEIGHBOURS]
        record = Record(
            namespace=namespace,
            address=self._key.address,
            instance=self._instance,
            sequence=membership.origin.publish(costs, now),
            relay=self._relay,
            neighbours={address: min(cost + extra, COST_MAX) for cost, address in nearest},
            attached=self._hubs.foreigners(namespace, self._attached_nodes()),
        )
        self.flooding.publish(sign_record(record, self._key), now)

    def _attached_nodes(self) -> list[bytes]:
        if self._attached is None:
            self._attached = self._hubs.attached((state.address, state.namespaces) for state in self._links.values())
        return self._attached

    def _tell_of_foreigners(self, now: float) -> None:
        """Those attached to this node may be others than before: its records tell, where it is a hub."""
        self._attached = None
        if self._hubs.served:
            self._foreigners_due = min(self._foreigners_due, now + FOREIGNERS_PACE * len(self._links))

    def _look_for_foreigners(self, now: float) -> None:
        self._foreigners_due = math.inf
        attached = self._attached_nodes()
        for namespace in self._hubs.served:
            own = self.areas[namespace].records.get(self._key.address)
            if own is not None and own.attached != self._hubs.foreigners(namespace, attached):
                self._memberships[namespace].origin.touch(now)

    def _update(self, now: float, moved: Collection[bytes] = ()) -> None:
        """Compute the areas that are due; take what follows from them, and from links of areas that have `moved`."""
        due = [area for area in self.areas.values() if now >= area.due]
        broken = {destination for area in due for destination in area.compute(now)}
        if due or moved:
            self._refresh({area.namespace for area in due}.union(moved))
        if broken:
            self._events.broken(broken)

    def _refresh(self, namespaces: Collection[bytes]) -> None:
        """Take the routes of these areas as they are now."""
        for namespace in namespaces:
            membership = self._memberships[namespace]
            membership.routes = membership.area.routes()
            self._ways.update(namespace, membership.routes)
        self._tables.forget(namespaces)
        self._events.changed()

    def _table(self, namespaces: frozenset[bytes]) -> Table:
        return make_table(self._key.address, [self._pair(namespace) for namespace in sorted(namespaces)], self._roster)

    def _pair(self, namespace: bytes) -> tuple[Area, Routes]:
        membership = self._memberships[namespace]
        return membership.area, membership.routes
