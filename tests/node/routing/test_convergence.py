"""Any order, duplication and delay ends in the tables that a fresh computation finds, and no table ever lies."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.routing import Mesh, MeshEvents, Record, Relay, Standing
from node.routing.graph import graph_of, shortest_paths
from node.routing.messages import Signed, encode_message
from node.routing.record import sign_record
from tests.node.routing.network import HOME, SEQUENCE, Network, key_of

OTHERS = range(2, 8)
NEIGHBOURS = range(2, 5)  # that may have links to node 1
LINKS = st.sampled_from([f"{number}{letter}" for number in NEIGHBOURS for letter in "ab"])
COSTS = st.integers(1, 4) | st.sampled_from([1000, 2**32 - 1])


class Records(RuleBasedStateMachine):
    """One mesh, node 1, fed with the records of six others as a bad network would feed it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.links: dict[str, int] = {}
        self.latest: dict[int, Record] = {}
        self.pool: list[bytes] = []
        self.mesh = Mesh(
            key_of(1),
            b"instance",
            lambda namespace, key, now: Standing.CERTIFIED,
            MeshEvents(ready=lambda link: None),
            lambda: 0.5,
        )
        self.mesh.join(HOME, SEQUENCE, self.now)

    @initialize()
    def begin(self) -> None:
        self.up("2a")

    @rule(link=LINKS, cost=COSTS)
    def up(self, link: str, cost: int = 1) -> None:
        if link not in self.links:
            self.links[link] = int(link[0])
            self.mesh.link_up(link, key_of(int(link[0])).public, [HOME], self.now, cost)

    @precondition(lambda self: self.links)
    @rule(data=st.data())
    def down(self, data: st.DataObject) -> None:
        link = data.draw(st.sampled_from(sorted(self.links)))
        del self.links[link]
        self.mesh.link_down(link, self.now)

    @rule(
        number=st.sampled_from(OTHERS),
        edges=st.dictionaries(st.sampled_from([1, *OTHERS]), COSTS),
        relay=st.sampled_from(Relay),
    )
    def say(self, number: int, edges: dict[int, int], relay: Relay) -> None:
        """A node says something new; it is on its way from now on, and its age counts."""
        before = self.latest.get(number)
        record = self.latest[number] = Record(
            namespace=HOME,
            address=key_of(number).address,
            instance=b"of peers",
            sequence=before.sequence + 1 if before else 1,
            relay=relay,
            neighbours={key_of(other).address: cost for other, cost in edges.items() if other != number},
        )
        self.pool.append(encode_message(Signed(0, sign_record(record, key_of(number)))))

    @precondition(lambda self: self.links and self.pool)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        link = data.draw(st.sampled_from(sorted(self.links)))
        payload = data.draw(st.sampled_from(self.pool))
        self.mesh.receive_topology(link, payload, self.now)

    @rule(seconds=st.sampled_from([0.001, 0.02, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.mesh.next_deadline()) <= end:
            self.now = max(self.now, due)
            self.mesh.on_timer(self.now)
        self.now = end

    @invariant()
    def every_next_hop_is_a_live_neighbour(self) -> None:
        for number in [1, *OTHERS]:
            for arrival in [None, *self.links]:
                hop = self.mesh.next_hop(key_of(number).address, arrival)
                assert hop is None or hop in self.links

    @invariant()
    def routes_lead_over_edges_that_both_ends_list(self) -> None:
        records = self.mesh.areas[HOME].records
        for number in OTHERS:
            path = [key_of(1).address, *self.mesh.path(key_of(number).address)]
            for one, other in pairwise(path):
                assert other in records[one].neighbours
                assert one in records[other].neighbours

    def teardown(self) -> None:
        self.up("2a")
        for payload in reversed(self.pool):
            self.mesh.receive_topology("2a", payload, self.now)
        self.wait(10.0)
        area = self.mesh.areas[HOME]
        records = {key_of(number).address: record for number, record in self.latest.items()}
        own = key_of(1).address
        assert area.records.keys() - {own} == records.keys()
        fresh = shortest_paths(graph_of({**records, own: area.records[own]}), own)
        assert area.paths == fresh
        for number in OTHERS:
            destination = key_of(number).address
            hop = self.mesh.next_hop(destination)
            expected = fresh.first.get(destination)
            assert (key_of(self.links[str(hop)]).address if hop is not None else None) == expected


class Meshes(RuleBasedStateMachine):
    """Six whole meshes whose links come and go at any moment of their conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.edges: set[tuple[int, int]] = set()
        for number in range(1, 7):
            self.network.add(number, relay=Relay.NEVER if number == 6 else Relay.ALWAYS)

    @rule(one=st.integers(1, 5), two=st.integers(2, 6), cost=COSTS, delay=st.sampled_from([0.0, 0.001, 0.3]))
    def connect(self, one: int, two: int, cost: int, delay: float) -> None:
        if one < two and (one, two) not in self.edges:
            self.edges.add((one, two))
            self.network.connect(one, two, cost, delay=delay)

    @precondition(lambda self: self.edges)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        edge = data.draw(st.sampled_from(sorted(self.edges)))
        self.edges.remove(edge)
        self.network.disconnect(*edge)

    @rule(seconds=st.sampled_from([0.0, 0.0005, 0.02, 0.021, 0.1, 1.0, 3000.0]))
    def wait(self, seconds: float) -> None:
        self.network.run(seconds)

    def teardown(self) -> None:
        self.network.run(30.0)
        for part in self.parts():
            hosts = [self.network.hosts[number] for number in sorted(part)]
            records = {host.address: host.mesh.areas[HOME].records.get(host.address) for host in hosts}
            known = {address: record for address, record in records.items() if record is not None}
            for host in hosts:
                area = host.mesh.areas[HOME]
                assert {address: area.records.get(address) for address in records} == records
                fresh = shortest_paths(graph_of(known), host.address)
                assert area.paths == fresh
                for other in hosts:
                    assert host.path_to(other) == fresh.to(other.address)
            self.assert_no_loops(part)

    def parts(self) -> list[set[int]]:
        parts = [{number} for number in self.network.hosts]
        for one, two in self.edges:
            joined = [part for part in parts if part & {one, two}]
            parts = [part for part in parts if part not in joined] + [set().union(*joined)]
        return parts

    def assert_no_loops(self, part: set[int]) -> None:
        for start in part:
            for goal in part - {start}:
                at, arrival, hops = self.network.hosts[start], None, 0
                while at.number != goal and at.mesh.next_hop(key_of(goal).address, arrival) is not None:
                    link = at.mesh.next_hop(key_of(goal).address, arrival)
                    at, arrival, hops = link.other.host, link.other, hops + 1
                    assert hops < len(part)
                reachable = bool(self.network.hosts[start].path_to(self.network.hosts[goal]))
                assert (at.number == goal) == reachable


TestRecords = Records.TestCase
TestRecords.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMeshes = Meshes.TestCase
TestMeshes.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
