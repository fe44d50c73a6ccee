"""Whole meshes in memory and virtual time."""

import pytest

from firefly.packet import CONTROL, HEADER, HEADER_SIZE, TOPOLOGY
from node.routing import Mesh, Relay, TopologyFlow
from node.routing.exchange import MESSAGES
from node.routing.graph import graph_of, shortest_paths
from node.routing.mesh import PAYLOADS
from node.routing.messages import Signed, encode_message
from node.routing.record import KIND
from tests.node.routing.network import HOME, SEQUENCE, WORK, Host, Network, key_of, line


def assert_settled(network: Network, *numbers: int) -> None:
    """Every node's routes are those that a fresh computation finds from the records of all of them."""
    hosts = [network.hosts[number] for number in numbers]
    records = {host.address: host.mesh.areas[HOME].records[host.address] for host in hosts}
    for host in hosts:
        fresh = shortest_paths(graph_of(records), host.address)
        for other in hosts:
            assert host.path_to(other) == fresh.to(other.address)


def test_three_in_a_line_reach_each_other_through_the_middle() -> None:
    network = line(3)
    laptop, relay, nas = network.hosts.values()
    assert laptop.hop_to(nas) == 2
    assert laptop.path_to(nas) == [relay.address, nas.address]
    assert laptop.mesh.distance(nas.address) == 2000
    assert relay.hop_to(nas, relay.ends[1][0]) == 3
    assert_settled(network, 1, 2, 3)


def test_an_unknown_destination_and_oneself_have_no_way() -> None:
    laptop = line(2).hosts[1]
    assert laptop.mesh.next_hop(bytes(16)) is None
    assert laptop.mesh.path(laptop.address) == []
    assert laptop.mesh.distance(bytes(16)) is None


def test_convergence_takes_the_coalescing_and_the_delays_only() -> None:
    network = Network()
    for number in range(1, 6):
        network.add(number)
    for number in range(1, 5):
        network.connect(number, number + 1)
    network.run(0.02 + 4 * 0.001 + 0.001)
    assert network.hosts[1].hop_to(network.hosts[5]) == 2


def test_the_cheaper_way_is_taken_and_a_lost_link_leads_to_the_other() -> None:
    network = Network()
    for number in range(1, 5):
        network.add(number)
    for one, two, cost in ((1, 2, 1000), (2, 4, 1000), (1, 3, 5000), (3, 4, 5000)):
        network.connect(one, two, cost)
    network.run(1.0)
    first, last = network.hosts[1], network.hosts[4]
    assert first.hop_to(last) == 2
    network.disconnect(2, 4)
    network.run(0.1)
    assert first.hop_to(last) == 3
    assert_settled(network, 1, 2, 3, 4)


def test_a_way_that_breaks_further_on_is_told_and_a_better_way_breaks_none() -> None:
    network = Network()
    for number in range(1, 6):
        network.add(number)
    for one, two in ((1, 2), (2, 3), (3, 4), (4, 5), (5, 1)):
        network.connect(one, two)
    network.run(1.0)
    first, second, third = (network.hosts[number] for number in (1, 2, 3))
    network.disconnect(2, 3)
    network.run(0.1)
    assert first.broken == [{third.address}]
    assert first.hop_to(third) == 5
    assert not second.broken  # it lost the link itself
    network.connect(2, 3)
    network.run(0.1)
    assert first.hop_to(third) == 2
    assert first.broken == [{third.address}]


def test_a_loop_free_alternate_serves_at_once_and_nothing_else_does() -> None:
    square = Network()
    for number in range(1, 5):
        square.add(number)
    for one, two in ((1, 2), (2, 4), (1, 3), (3, 4)):
        square.connect(one, two)
    square.run(1.0)
    first = square.hosts[1]
    used = first.hop_to(square.hosts[4])
    assert used is not None
    square.disconnect(1, used)
    assert first.hop_to(square.hosts[4]) == 5 - used  # the other of 2 and 3, not depending on us
    assert first.hop_to(square.hosts[used]) is None  # it would send that back to us until it knows
    square.run(0.1)
    assert first.hop_to(square.hosts[used]) == 5 - used


def test_a_dead_node_is_unreachable_when_its_neighbours_drop_their_edges() -> None:
    network = line(4)
    network.disconnect(3, 4)
    network.run(0.1)
    assert network.hosts[1].hop_to(network.hosts[4]) is None
    assert network.hosts[4].address in network.hosts[1].mesh.areas[HOME].records


def test_a_partition_heals() -> None:
    network = line(4)
    network.disconnect(2, 3)
    network.run(10.0)
    network.connect(3, 4, 500)
    network.run(10.0)
    network.connect(2, 3)
    network.run(0.1)
    assert_settled(network, 1, 2, 3, 4)


def test_records_live_as_long_as_they_are_refreshed() -> None:
    network = line(3)
    network.disconnect(2, 3)
    network.run(76 * 60)
    first = network.hosts[1].mesh.areas[HOME]
    assert network.hosts[2].address in first.records
    assert network.hosts[3].address not in first.records


def test_a_link_that_comes_and_goes_costs_the_network_little() -> None:
    network = line(3)
    before = network.hosts[3].mesh.flooding.counters["new"]
    for _ in range(200):
        network.disconnect(1, 2)
        network.run(0.03)
        network.connect(1, 2)
        network.run(0.03)
    news = network.hosts[3].mesh.flooding.counters["new"] - before
    assert news <= 2 * (10 + 200 * 0.06 / 0.5 + 1)  # two origins: a bucket of ten and two per second


def test_end_points_and_reluctant_relays() -> None:
    network = Network()
    network.add(1)
    network.add(2, relay=Relay.NEVER)
    network.add(3, relay=Relay.RELUCTANT)
    network.add(4)
    for one, two, cost in ((1, 2, 10), (2, 4, 10), (1, 3, 90_000), (3, 4, 90_000)):
        network.connect(one, two, cost)
    network.run(1.0)
    first, end, phone, last = network.hosts.values()
    assert first.hop_to(last) == 3
    assert first.hop_to(end) == 2
    assert end.hop_to(last) == 4
    assert end.mesh.next_hop(last.address, end.ends[1][0]) is None
    phone.mesh.set_relay(Relay.NEVER, network.now)
    network.run(0.1)
    assert first.hop_to(last) is None
    phone.mesh.set_relay(Relay.ALWAYS, network.now)
    network.run(0.1)
    assert first.mesh.distance(last.address) == 180_000


def test_a_reluctant_relay_is_no_short_cut() -> None:
    network = Network()
    for number in range(1, 6):
        network.add(number, relay=Relay.RELUCTANT if number == 5 else Relay.ALWAYS)
    for one, two, cost in ((1, 2, 500_000), (2, 3, 500_000), (3, 4, 500_000), (1, 5, 10), (5, 4, 10)):
        network.connect(one, two, cost)
    network.run(1.0)
    assert network.hosts[1].hop_to(network.hosts[4]) == 2


def test_costs_are_told_when_they_stay_off_by_a_quarter_for_five_seconds() -> None:
    network = line(2)
    one, two = network.hosts.values()

    def set_cost(value: int) -> None:
        for end in network.links():
            end.host.mesh.cost(end, value, network.now)

    set_cost(1200)
    network.run(10)
    assert one.mesh.distance(two.address) == 1000
    set_cost(4000)
    network.run(4)
    set_cost(1100)
    network.run(10)
    assert one.mesh.distance(two.address) == 1000
    set_cost(4000)
    network.run(4.9)
    assert one.mesh.distance(two.address) == 1000
    network.run(0.2)
    assert one.mesh.distance(two.address) == 4000


def test_the_first_measurement_is_told_at_once() -> None:
    network = Network()
    for number in (1, 2):
        network.add(number)
    one, two = network.hosts.values()
    ends = network.connect(1, 2)
    for end in ends:
        end.host.mesh.link_down(end, network.now)
        end.host.mesh.link_up(end, end.other.host.key.public, [HOME], network.now)
    network.run(0.1)
    assert one.mesh.distance(two.address) == 100_000
    for end in ends:
        end.host.mesh.cost(end, 300, network.now)
    network.run(0.1)
    assert one.mesh.distance(two.address) == 300


def test_of_two_links_to_a_neighbour_the_better_is_used_and_the_other_takes_over_at_once() -> None:
    network = Network()
    one, two = network.add(1), network.add(2)
    slow, _ = network.connect(1, 2, 5000)
    fast, _ = network.connect(1, 2, 900)
    network.run(2.9)
    assert one.mesh.next_hop(two.address) is slow
    network.run(0.2)
    assert one.mesh.next_hop(two.address) is fast
    one.mesh.link_down(fast, network.now)
    assert one.mesh.next_hop(two.address) is slow


def test_a_packet_from_a_link_is_looked_up_only_in_the_areas_of_that_link() -> None:
    network = Network()
    network.add(1, [HOME])
    network.add(2, [HOME, WORK])
    network.add(3, [WORK])
    network.connect(1, 2, namespaces=[HOME])
    network.connect(2, 3, namespaces=[WORK])
    network.run(1.0)
    one, both, three = network.hosts.values()
    assert both.hop_to(one) == 1
    assert both.hop_to(three) == 3
    assert both.hop_to(three, both.ends[1][0]) is None
    assert both.hop_to(one, both.ends[3][0]) is None
    assert one.hop_to(three) is None
    assert three.address not in one.mesh.areas[HOME].records


def test_a_link_without_a_certificate_leads_nowhere_until_there_is_one() -> None:
    network = Network()
    one, two = network.add(1), network.add(2)
    ends = network.connect(1, 2, namespaces=[])
    network.run(1.0)
    assert one.hop_to(two) is None
    assert not one.mesh.areas[HOME].records
    for end in ends:
        end.host.mesh.link_certified(end, [HOME, WORK], network.now)
    network.run(0.1)
    assert one.hop_to(two) == 2
    ends[0].host.mesh.link_certified(ends[0], [], network.now)
    assert one.hop_to(two) is None


def test_a_restart_is_reported_and_outbids_the_earlier_life() -> None:
    network = line(3)
    before = network.hosts[2]
    network.disconnect(1, 2)
    network.disconnect(2, 3)
    again = network.add(2, instance=b"restart!")
    network.connect(1, 2)
    network.connect(2, 3)
    network.run(0.2)
    assert_settled(network, 1, 2, 3)
    assert network.hosts[1].restarts == [(again.address, b"restart!")]
    assert again.mesh.sequence(HOME) > before.mesh.sequence(HOME)
    assert again.clones == []


def test_two_devices_with_one_identity_are_reported() -> None:
    network = line(3)
    twin = Host(network, 1, instance=b"the twin")
    twin.number = 9
    network.hosts[9] = twin
    network.connect(9, 3)
    network.run(60)
    assert b"the twin" in network.hosts[1].clones or bytes(7) + b"\x01" in twin.clones


def test_changes_are_reported_and_refreshes_are_not() -> None:
    network = line(3)
    changes = network.hosts[1].changes
    assert changes
    network.run(40 * 60)
    assert network.hosts[1].changes == changes
    network.disconnect(2, 3)
    network.run(0.1)
    assert network.hosts[1].changes == changes + 1


def test_a_node_whose_own_certificate_has_ended_says_nothing_and_lives() -> None:
    network = Network()
    network.refused.add(key_of(1).public)
    one, two = network.add(1), network.add(2)
    network.connect(1, 2)
    network.run(1.0)
    assert one.hop_to(two) is None
    assert one.mesh.flooding.counters["own_refused"] == 1


def test_an_expelled_node_is_forgotten_and_does_not_come_back() -> None:
    network = line(3)
    one, _, three = network.hosts.values()
    record = one.mesh.flooding.store.get((HOME, KIND, three.address))
    assert record is not None
    network.refused.add(three.key.public)
    one.mesh.expel(HOME, three.address, network.now)
    one.mesh.expel(HOME, bytes(16), network.now)
    assert one.hop_to(three) is None
    one.mesh.receive_topology(one.ends[2][0], encode_message(Signed(0, record.data)), network.now)
    assert three.address not in one.mesh.areas[HOME].records
    assert one.mesh.flooding.counters["not_certified"] == 1


def test_topology_packets_are_made_as_they_leave() -> None:
    network = Network()
    one, two = network.add(1), network.add(2)
    ends = network.connect(1, 2)
    one.mesh.on_timer(0.02)
    flow = TopologyFlow(one.mesh, ends[0], one.address, two.address)
    packet = flow.next_packet(4096, 0.02, ends[0])
    assert packet is not None
    kind, _, priority, _, length, destination, source = HEADER.unpack_from(packet)
    assert (kind & 15, priority, length) == (TOPOLOGY, CONTROL, len(packet) - HEADER_SIZE)
    assert (destination, source) == (two.address, one.address)
    assert flow.next_packet(4096, 0.02, ends[0]) is None


def test_outgoing_is_bounded() -> None:
    network = Network()
    one, _ = network.add(1), network.add(2)
    link = network.connect(1, 2)[0]
    for _ in range(MESSAGES + 7):
        one.mesh.flooding.send_pair(link, 1, b"")
    assert len(one.mesh.outgoing(link, 0.0)) == PAYLOADS < MESSAGES
    assert one.mesh.flooding.counters["unsaid"] == 7


def test_going_down_twice_is_harmless() -> None:
    network = line(2)
    end = network.hosts[1].ends[2][0]
    network.hosts[1].mesh.link_down(end, network.now)
    network.hosts[1].mesh.link_down(end, network.now)
    assert network.hosts[1].mesh.next_hop(network.hosts[2].address) is None


@pytest.mark.parametrize("size", [30, 60])
def test_a_big_ring_with_chords_converges(size: int) -> None:
    network = Network()
    for number in range(size):
        network.add(number)
    for number in range(size):
        network.connect(number, (number + 1) % size)
        if number % 10 == 0:
            network.connect(number, (number + size // 2) % size, 3000)
    network.run(2.0)
    assert all(len(host.mesh.areas[HOME].records) == size for host in network.hosts.values())
    one, other = network.hosts[0], network.hosts[size // 3]
    assert one.path_to(other)
    assert isinstance(one.mesh, Mesh)
    assert one.mesh.sequence(HOME) >= SEQUENCE
