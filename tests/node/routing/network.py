"""A network of meshes in memory and virtual time: reliable links that keep their order, with a delay each."""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from heapq import heappop, heappush
from itertools import count
from random import Random

from firefly.keys import NodeKey
from node.routing import Kind, Mesh, MeshEvents, Relay, Standing

HOME = b"home".ljust(32, b".")
WORK = b"work".ljust(32, b".")
SEQUENCE = 1_000_000


@cache
def key_of(number: int) -> NodeKey:
    return NodeKey(number.to_bytes(32, "big"))


class End:
    """One end of a link: what a mesh knows as its link."""

    def __init__(self, host: "Host", delay: float) -> None:
        self.host = host
        self.delay = delay
        self.up = True
        self.other: End = self

    def __repr__(self) -> str:
        return f"{self.host.number}->{self.other.host.number}"


class Host:
    """A node: its mesh, and what that reported."""

    def __init__(
        self,
        network: "Network",
        number: int,
        namespaces: Iterable[bytes] = (HOME,),
        relay: Relay = Relay.ALWAYS,
        kinds: Iterable[Kind] = (),
        instance: bytes = b"",
    ) -> None:
        self.number = number
        self.key = key_of(number)
        self.address = self.key.address
        self.changes = 0
        self.broken: list[set[bytes]] = []
        self.restarts: list[tuple[bytes, bytes]] = []
        self.clones: list[bytes] = []
        self.pairs: list[tuple[End, int, bytes]] = []
        self.ends: dict[int, list[End]] = {}
        self.mesh = Mesh(
            self.key,
            instance or number.to_bytes(8, "big"),
            network.certified,
            MeshEvents(
                ready=network.pump,
                changed=self._changed,
                broken=self.broken.append,
                restarted=lambda address, instance, now: self.restarts.append((address, instance)),
                cloned=self.clones.append,
                pair=lambda link, step, body, now: self.pairs.append((link, step, body)),
            ),
            Random(number).random,
            kinds=kinds,
            relay=relay,
            roster=network,
        )
        for namespace in namespaces:
            self.mesh.join(namespace, SEQUENCE, network.now)

    def _changed(self) -> None:
        self.changes += 1

    def hop_to(self, other: "Host", arrival: End | None = None) -> int | None:
        """The number of the next node on the way."""
        link = self.mesh.next_hop(other.address, arrival)
        return link.other.host.number if isinstance(link, End) else None

    def path_to(self, other: "Host") -> list[bytes]:
        return self.mesh.path(other.address)


class Network:
    def __init__(self) -> None:
        self.now = 0.0
        self.hosts: dict[int, Host] = {}
        self.refused: set[bytes] = set()
        self.unknown: set[bytes] = set()
        self.relays: dict[bytes, set[bytes]] = {}
        self.payloads = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._pumping: set[End] = set()

    def certified(self, namespace: bytes, key: bytes, now: float) -> Standing:
        if key in self.refused:
            return Standing.REFUSED
        return Standing.UNKNOWN if key in self.unknown else Standing.CERTIFIED

    def hubs(self, namespace: bytes) -> set[bytes]:
        """Roster: those that `serve` made so."""
        return self.relays.get(namespace, set())

    def lists(self, namespace: bytes, address: bytes) -> bool:
        """Roster: whoever is in it."""
        return any(host.address == address and namespace in host.mesh.areas for host in self.hosts.values())

    def serve(self, number: int, *namespaces: bytes) -> None:
        """Makes a host a hub of namespaces that it is in; all others hear of it."""
        for namespace in namespaces:
            self.relays.setdefault(namespace, set()).add(self.hosts[number].address)
        for host in self.hosts.values():
            host.mesh.roster_changed(self.now)

    def walk(self, source: int, target: int, crossed: bool = False) -> list[int]:
        """The hosts that a packet visits as routers would send it, the source first; it ends where no way leads on."""
        here, arrival, destination = self.hosts[source], None, self.hosts[target].address
        visited = [source]
        while here.address != destination and len(visited) < 100:
            link = here.mesh.next_hop(destination, arrival, crossed)
            if link is None or link is arrival:
                crossing = here.mesh.across(destination, arrival)
                if crossing is None or crossing.link is arrival:
                    return visited
                link, crossed = crossing.link, True
            assert isinstance(link, End)
            here, arrival = link.other.host, link.other
            visited.append(here.number)
        return visited

    def add(
        self,
        number: int,
        namespaces: Iterable[bytes] = (HOME,),
        relay: Relay = Relay.ALWAYS,
        kinds: Iterable[Kind] = (),
        instance: bytes = b"",
    ) -> Host:
        host = self.hosts[number] = Host(self, number, namespaces, relay, kinds, instance)
        return host

    def connect(
        self,
        one: int,
        two: int,
        cost: int = 1000,
        *,
        delay: float = 0.001,
        namespaces: Iterable[bytes] = (HOME,),
    ) -> tuple[End, End]:
        ends = End(self.hosts[one], delay), End(self.hosts[two], delay)
        ends[0].other, ends[1].other = ends[1], ends[0]
        for end in ends:
            end.host.ends.setdefault(end.other.host.number, []).append(end)
        for end in ends:
            end.host.mesh.link_up(end, end.other.host.key.public, namespaces, self.now, cost)
        return ends

    def disconnect(self, one: int, two: int) -> None:
        """Both ends notice at once; what is under way is lost."""
        for host, other in ((self.hosts[one], two), (self.hosts[two], one)):
            for end in host.ends.pop(other, []):
                end.up = False
                host.mesh.link_down(end, self.now)

    def links(self) -> Iterator[End]:
        for host in self.hosts.values():
            for ends in host.ends.values():
                yield from ends

    def pump(self, link: object) -> None:
        """A mesh has something to send: at the present moment, after whatever is going on."""
        assert isinstance(link, End)
        if link not in self._pumping:
            self._pumping.add(link)
            self.at(self.now, lambda: self._send(link))

    def at(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._events, (when, next(self._order), action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := min(self._next_event(), self._next_timer())) <= end:
            self.now = max(self.now, due)
            if self._next_event() <= self.now:
                heappop(self._events)[2]()
            else:
                for host in self.hosts.values():
                    if host.mesh.next_deadline() <= self.now:
                        host.mesh.on_timer(self.now)
        self.now = end

    def _next_event(self) -> float:
        return self._events[0][0] if self._events else math.inf

    def _next_timer(self) -> float:
        return min((host.mesh.next_deadline() for host in self.hosts.values()), default=math.inf)

    def _send(self, link: End) -> None:
        self._pumping.discard(link)
        while link.up and (payload := link.host.mesh.next_payload(link, self.now)) is not None:
            self.payloads += 1
            self.at(self.now + link.delay, self._delivery(link.other, payload))

    def _delivery(self, link: End, payload: bytes) -> Callable[[], None]:
        def deliver() -> None:
            if link.up:
                link.host.mesh.receive_topology(link, payload, self.now)

        return deliver


def line(length: int, cost: int = 1000) -> Network:
    """Nodes 1, 2, … in a row, converged."""
    network = Network()
    for number in range(1, length + 1):
        network.add(number)
    for number in range(1, length):
        network.connect(number, number + 1, cost)
    network.run(1.0)
    return network
