"""What a node does with each packet, given who sent it and where it is to go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.errors import BadPacket, ProtocolError
from firefly.packet import (
    BULK,
    CONTROL,
    CROSSED,
    DATA,
    DETOUR,
    HANDSHAKE,
    HEADER_SIZE,
    INTERACTIVE,
    MAX_PAYLOAD,
    PROBE,
    TOPOLOGY,
    UNREACHABLE,
    UnreachableReason,
    pack_header,
    parse_unreachable,
)
from node.accounts import UNANSWERED
from node.queues import LinkQueue
from node.router import UNREACHABLE_PER_SECOND, Router
from node.routing import Admitted, Crossing

OWN, NEAR, FAR, NOWHERE = (bytes([number]) * 16 for number in range(1, 5))
BUDGET = 1 << 20


class FakeLink:
    """A link that writes when the test asks."""

    def __init__(self, peer: bytes, certified: bool = True) -> None:
        self.peer_key = peer * 2
        self.peer_address = peer
        self.certified = certified
        self.admitted: Admitted | None = None
        self.budget: Any = None
        self.taken = 0
        self.queue = LinkQueue(self)
        self.probes: list[bytes] = []
        self.kicks: list[bool] = []
        self.hurried = 0

    def receive_probe(self, payload: bytes, now: float) -> None:
        self.probes.append(payload)

    def kick(self, now: bool = False) -> None:
        self.kicks.append(now)

    def hurry(self) -> None:
        self.hurried += 1

    def sent(self) -> list[bytes]:
        return self.queue.next_bundle(BUDGET, 0.0)


class World:
    """A router between `near` and `far`, behind which FAR lies; its mesh and sessions note what they get."""

    def __init__(self) -> None:
        self.near, self.far = FakeLink(NEAR), FakeLink(b"r" * 16)
        self.routes: dict[bytes, Any] = {NEAR: self.near, FAR: self.far}
        self.direct: dict[bytes, Any] = {}
        self.crossings: dict[bytes, Crossing] = {}
        self.topology: list[bytes] = []
        self.arrived: list[bytes] = []
        self.now = 0.0
        self.router = Router(OWN, lambda: self.now)
        self.router.mesh = self
        self.router.sessions = self
        self.router.links |= {self.near, self.far}

    def next_hop(self, destination: bytes, arrival: Any, crossed: bool = False) -> Any:
        return self.routes.get(destination)

    def begin_leg(self, destination: bytes, arrival: Any, crossed: bool = False) -> Any:
        return self.direct.get(destination) or self.routes.get(destination)

    def across(self, destination: bytes, arrival: Any) -> Crossing | None:
        return self.crossings.get(destination)

    def receive_topology(self, link: Any, payload: bytes, now: float) -> None:
        self.topology.append(payload)

    def receive(self, packet: bytes, now: float, arrival: object) -> None:
        self.arrived.append(packet)

    def take(self, *packets: bytes) -> None:
        self.router.begin()
        try:
            self.router.receive(self.near, b"".join(packets), self.now)
        finally:
            self.router.end()


@pytest.fixture
def world() -> World:
    return World()


def packet(destination: bytes, payload: bytes = b"payload", kind: int = DATA, priority: int = INTERACTIVE) -> bytes:
    return pack_header(kind, priority, len(payload), destination, NEAR) + payload


def with_hops(given: bytes, hops: int) -> bytes:
    return given[:1] + bytes((hops,)) + given[2:]


@pytest.mark.parametrize("kind", [DATA, HANDSHAKE, UNREACHABLE])
def test_what_is_for_this_node_goes_to_its_sessions(world: World, kind: int) -> None:
    first, second = packet(OWN, b"a", kind), packet(OWN, b"b" * 9000, kind)
    world.take(first, second)
    assert world.arrived == [first, second]


def test_what_is_for_another_goes_on_with_one_hop_less(world: World) -> None:
    given = with_hops(packet(FAR), 7)
    world.take(given, packet(OWN))
    assert world.far.sent() == [with_hops(given, 6)]
    assert world.far.kicks == [True]
    assert world.router.counters["forwarded"] == 1


def detour(inner: bytes, waypoint: bytes = OWN) -> bytes:
    return pack_header(DETOUR, INTERACTIVE, len(inner), waypoint, NEAR) + inner


def test_a_waypoint_sends_on_what_is_inside_by_the_link_to_a_neighbour(world: World) -> None:
    world.direct[FAR] = other = FakeLink(FAR)
    world.router.links.add(other)
    world.take(detour(with_hops(packet(FAR), 9)), packet(FAR))
    assert other.sent() == [with_hops(packet(FAR), 8)]
    assert world.far.sent() == [with_hops(packet(FAR), 127)]
    assert world.router.counters["waypoint"] == 1


def test_a_detour_may_lead_back_to_where_it_came_from(world: World) -> None:
    """Its source wants its other neighbour to be asked; a packet by itself never turns round."""
    world.take(detour(packet(NEAR)))
    assert world.near.sent() == [with_hops(packet(NEAR), 127)]


def test_what_passes_a_waypoint_of_another_is_only_forwarded(world: World) -> None:
    given = detour(packet(NOWHERE), FAR)
    world.take(given)
    assert world.far.sent() == [with_hops(given, 127)]


def test_a_bad_detour_is_counted_and_harms_no_link(world: World) -> None:
    world.take(detour(packet(FAR, kind=TOPOLOGY)), detour(b"none"), packet(OWN))
    assert world.router.counters["bad_detours"] == 2
    assert world.arrived == [packet(OWN)]
    assert not world.far.sent()


def test_a_waypoint_without_a_way_on_says_so(world: World) -> None:
    world.take(detour(packet(NOWHERE, b"abc")))
    [hint] = world.near.sent()
    assert parse_unreachable(hint[HEADER_SIZE:]) == (UnreachableReason.NO_ROUTE, b"ab")  # no longer than its cause


def test_what_crosses_is_marked_and_accounted(world: World) -> None:
    world.crossings[NOWHERE] = Crossing(world.far, b"home", b"work")
    given = with_hops(packet(NOWHERE, bytes(4000)), 9)
    world.take(*[given] * 20)
    sent = world.far.sent()
    assert sent[0] == given[:1] + bytes((8, INTERACTIVE, CROSSED)) + given[4:]
    assert len(sent) == UNANSWERED // len(given)
    assert world.router.counters["crossed"] == len(sent)
    assert world.router.counters["crossing_refused"] == 20 - len(sent)
    hint = world.near.sent()[0]
    assert parse_unreachable(hint[HEADER_SIZE:])[0] == UnreachableReason.REFUSED


def test_what_crosses_inside_of_a_detour_is_marked_too(world: World) -> None:
    world.crossings[NOWHERE] = Crossing(world.far, b"home", b"work")
    world.take(detour(packet(NOWHERE)))
    [sent] = world.far.sent()
    assert (sent[0] & 15, sent[3]) == (DATA, CROSSED)


def test_what_waits_after_it_crossed_stays_where_it_is(world: World) -> None:
    world.crossings[NOWHERE] = Crossing(world.far, b"home", b"work")
    world.take(packet(NOWHERE))
    world.router.routes_changed()
    assert len(world.far.sent()) == 1
    assert world.router.counters["crossed"] == 1


def test_nothing_crosses_back_by_the_link_that_brought_it(world: World) -> None:
    world.crossings[NOWHERE] = Crossing(world.near, b"home", b"work")
    world.take(packet(NOWHERE))
    [hint] = world.near.sent()
    assert hint[0] & 15 == UNREACHABLE


def test_control_is_between_neighbours_and_never_forwarded(world: World) -> None:
    world.take(packet(FAR, b"t", TOPOLOGY, CONTROL), packet(FAR, b"p", PROBE, CONTROL))
    assert world.topology == [b"t"]
    assert world.near.probes == [b"p"]
    assert not world.far.sent()


@pytest.mark.parametrize("kind", [TOPOLOGY, PROBE])
def test_control_of_another_priority_ends_the_link(world: World, kind: int) -> None:
    with pytest.raises(BadPacket):
        world.take(packet(OWN, b"", kind, BULK))


def test_an_uncertified_neighbour_may_say_control_and_nothing_else(world: World) -> None:
    world.near.certified = False
    world.take(packet(OWN), packet(FAR), packet(OWN, b"t", TOPOLOGY, CONTROL))
    assert (world.arrived, world.far.sent(), world.topology) == ([], [], [b"t"])
    assert world.router.counters["uncertified"] == 2


def test_a_node_that_uses_this_hub_speaks_in_its_own_name_alone(world: World) -> None:
    world.near.certified, world.near.admitted = False, Admitted.NODE
    own = packet(FAR)
    spoofed = own[:24] + NOWHERE + own[40:]
    world.take(own, spoofed, spoofed[:8] + OWN + spoofed[24:])
    assert len(world.far.sent()) == 1
    assert world.router.counters["uncertified"] == 2


def test_a_hub_in_use_speaks_to_this_node_alone(world: World) -> None:
    world.near.certified, world.near.admitted = False, Admitted.HUB
    to_own = packet(OWN)
    world.take(packet(FAR), to_own[:24] + NOWHERE + to_own[40:])
    assert not world.far.sent()
    assert len(world.arrived) == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [(packet(NOWHERE), UnreachableReason.NO_ROUTE), (with_hops(packet(FAR), 1), UnreachableReason.HOP_LIMIT)],
)
def test_the_sender_is_told_what_cannot_go_on(world: World, given: bytes, reason: UnreachableReason) -> None:
    world.take(given)
    [hint] = world.near.sent()
    assert hint[0] & 15 == UNREACHABLE
    assert (hint[8:24], hint[24:40]) == (NEAR, OWN)
    found, quoted = parse_unreachable(hint[HEADER_SIZE:])
    assert found == reason
    assert given[HEADER_SIZE:].startswith(quoted)
    assert len(hint) <= len(given) + 8


def test_hints_are_never_about_hints_and_never_too_many(world: World) -> None:
    world.take(packet(NOWHERE, b"hint", UNREACHABLE), packet(NOWHERE, b""))
    assert not world.near.sent()
    world.take(*[packet(NOWHERE)] * (UNREACHABLE_PER_SECOND + 50))
    assert len(world.near.sent()) == UNREACHABLE_PER_SECOND
    world.now = 1.5
    world.take(packet(NOWHERE))
    assert len(world.near.sent()) == 1


def test_nothing_goes_back_where_it_came_from(world: World) -> None:
    world.take(packet(NEAR))
    [hint] = world.near.sent()
    assert hint[0] & 15 == UNREACHABLE


@pytest.mark.parametrize(
    "bundle",
    [
        packet(OWN)[:-1],
        packet(OWN)[: HEADER_SIZE - 1],
        packet(OWN) + b"x",
        b"\x21" + packet(OWN)[1:],
        pack_header(DATA, BULK, MAX_PAYLOAD + 1, OWN, NEAR) + bytes(MAX_PAYLOAD + 1),
    ],
    ids=["cut payload", "cut header", "a byte too many", "another version", "too long"],
)
def test_a_bundle_that_is_none_ends_the_link(world: World, bundle: bytes) -> None:
    with pytest.raises(BadPacket):
        world.take(bundle)


@given(st.binary(max_size=300), st.integers(0, 60), st.integers(0, 7))
def test_no_bytes_do_anything_else(noise: bytes, place: int, bit: int) -> None:
    world = World()
    mutated = bytearray(packet(FAR) + packet(OWN))
    mutated[place] ^= 1 << bit
    for bundle in (noise, bytes(mutated)):
        try:
            world.take(bundle)
        except ProtocolError:
            continue


class Flow:
    """A lane of a session of this node."""

    priority = INTERACTIVE
    way: Any = None

    def __init__(self, destination: bytes, *payloads: bytes) -> None:
        self.destination = destination
        self.packets = [packet(destination, payload) for payload in payloads]

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        return self.packets.pop(0) if self.packets else None


def test_a_flow_waits_for_a_route_and_moves_when_it_changes(world: World) -> None:
    flow = Flow(NOWHERE, b"one", b"two")
    world.router.ready(flow)
    assert not world.near.sent()
    world.routes[NOWHERE] = world.near
    world.router.routes_changed()
    assert world.near.kicks
    world.routes[NOWHERE] = world.far
    world.router.routes_changed()
    assert not world.near.sent()
    assert len(world.far.sent()) == 2


def test_what_waits_for_a_link_that_ends_goes_another_way(world: World) -> None:
    given, flow = with_hops(packet(FAR), 9), Flow(FAR, b"own")
    world.take(given)
    world.router.ready(flow)
    world.routes[FAR] = other = FakeLink(FAR)
    world.router.links.add(other)
    world.router.link_gone(world.far)
    assert sorted(other.sent()) == sorted([with_hops(given, 8), packet(FAR, b"own")])
    assert world.far not in world.router.links


def test_nothing_is_written_while_a_batch_is_read(world: World) -> None:
    world.router.begin()
    world.router.ready(Flow(NEAR, b"answer"))
    world.router.flush(True)
    assert not world.near.kicks
    world.router.end()
    assert world.near.kicks == [True]


@pytest.mark.parametrize(
    ("destination", "hurried"), [(NEAR, 1), (FAR, 0), (NOWHERE, 0)], ids=["a neighbour", "behind a relay", "no route"]
)
def test_only_a_neighbour_is_worth_a_hurry(world: World, destination: bytes, hurried: int) -> None:
    """Behind a relay every packet costs a third device its time, too."""
    world.router.hurry(destination)
    assert world.near.hurried + world.far.hurried == hurried
