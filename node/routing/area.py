"""One namespace as this node sees it: the records, the live neighbours, and the routes that follow from both.

Routes are a pure function of the records; live neighbours only decide by which link the first hop is reached. From the
loss of a neighbour until our own record has told of it, its destinations go over a loop-free alternate if there is one
and nowhere else: the record leaves ahead of any packet that takes a new route, so that no packet meets a neighbour
that does not know yet. Source: docs/concepts/wire.md, section 3.
"""

import math
from collections.abc import Hashable, Iterable, Mapping

from firefly.detour import Way
from node.routing.graph import Graph, Paths, broken, graph_of, is_loop_free, shortest_paths
from node.routing.neighbour import Neighbour
from node.routing.record import Record
from node.routing.waypoints import find_way

Routes = dict[bytes, tuple[int, Hashable]]  # destination -> distance in µs, link

EAGER_NODES = 64  # up to here every change is computed at once
PACE = 50e-6  # seconds between computations per node of a bigger area: about a tenth of a core
ALTERNATES = 8  # neighbours that are asked for an alternate


class Area:
    """The routes from the node `own` in one namespace. `due` is when `compute` wants to be called, or infinity."""

    def __init__(self, namespace: bytes, own: bytes) -> None:
        self.namespace = namespace
        self.records: dict[bytes, Record] = {}
        self.neighbours: dict[bytes, Neighbour] = {}
        self.paths: Paths = shortest_paths(Graph(), own)
        self.due = math.inf
        self._own = own
        self._graph = Graph()
        self._computed = -math.inf
        self._settles = math.inf  # when a neighbour may change to another link

    def put(self, record: Record, now: float) -> None:
        """Keep a record in place of the one that its node sent before."""
        before = self.records.get(record.address)
        self.records[record.address] = record
        if before is None or not before.same_edges(record):
            self._plan(now)

    def discard(self, address: bytes, now: float) -> None:
        """Forget a node."""
        if self.records.pop(address, None) is not None:
            self._plan(now)

    def link_up(self, link: Hashable, address: bytes, cost: int, now: float) -> None:
        """A link came up, or its cost (µs) changed."""
        neighbour = self.neighbours.get(address)
        if neighbour is None:
            self.neighbours[address] = Neighbour(link, cost)
        else:
            neighbour.add(link, cost, now)
            self._settles = min(self._settles, neighbour.next_deadline())

    def link_down(self, link: Hashable, address: bytes) -> bool:
        """True if the neighbour is lost with it."""
        neighbour = self.neighbours.get(address)
        if neighbour is None or not neighbour.remove(link):
            return False
        del self.neighbours[address]
        return True

    def compute(self, now: float) -> set[bytes]:
        """Find the shortest paths anew; return the destinations whose way so far has broken further on.

        A way over a neighbour that is lost is none of these: who lost the link knows already what left by it.
        """
        self.due = math.inf
        self._computed = now
        before, self._graph = self.paths, graph_of(self.records)
        self.paths = shortest_paths(self._graph, self._own)
        return {node for node in broken(before, self._graph) if before.first[node] in self.neighbours}

    def routes(self) -> Routes:
        """By which link to send to each destination; every link is that of a live neighbour."""
        routes: Routes = {}
        stranded = []
        for destination, hop in self.paths.first.items():
            neighbour = self.neighbours.get(hop)
            if neighbour is None:
                stranded.append(destination)
            else:
                routes[destination] = (self.paths.distance[destination], neighbour.link)
        if stranded:
            self._bridge(stranded, routes)
        return routes

    def way(self, destination: bytes, suspicion: Mapping[bytes, int]) -> Way | None:
        """The best way by nodes that are suspected the least."""
        return find_way(self._graph, self.paths, destination, suspicion)

    def costs(self) -> dict[bytes, int]:
        """The cost of each live neighbour in µs."""
        return {address: neighbour.cost for address, neighbour in self.neighbours.items()}

    def next_deadline(self) -> float:
        return min(self.due, self._settles)

    def settle(self, now: float) -> bool:
        """Let neighbours change to links that have been better for long enough; True if one did."""
        if now < self._settles:
            return False
        changed = [neighbour.on_timer(now) for neighbour in self.neighbours.values()]
        self._settles = min((neighbour.next_deadline() for neighbour in self.neighbours.values()), default=math.inf)
        return any(changed)

    def _plan(self, now: float) -> None:
        nodes = len(self.records)
        pause = PACE * nodes if nodes > EAGER_NODES else 0.0
        self.due = min(self.due, max(now, self._computed + pause))

    def _bridge(self, stranded: list[bytes], routes: Routes) -> None:
        """Route what lost its first hop over the nearest neighbour that will not send it back."""
        for destination, (distance, address) in self.alternates(stranded).items():
            routes[destination] = (distance, self.neighbours[address].link)

    def alternates(self, destinations: Iterable[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """For each the neighbour, beside its first hop, that is nearest to it and will not send packets back.

        Distance in µs and address; nothing for a destination that has no such neighbour.
        """
        found: dict[bytes, tuple[int, bytes]] = {}
        nearest = sorted((neighbour.cost, address) for address, neighbour in self.neighbours.items())[:ALTERNATES]
        wanted = [(destination, self.paths.first.get(destination)) for destination in destinations]
        for cost, address in nearest:
            there = shortest_paths(self._graph, address)
            relays = address not in self._graph.ends
            for destination, first in wanted:
                usable = address != first and (relays or destination == address)
                if usable and is_loop_free(self.paths, there, destination):
                    distance = cost + there.distance[destination]
                    if destination not in found or distance < found[destination][0]:
                        found[destination] = (distance, address)
        return found
