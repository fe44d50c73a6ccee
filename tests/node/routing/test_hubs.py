"""What a hub connects, and what nobody else does: whole meshes of two namespaces in memory and virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.routing import Record, Relay
from node.routing.area import Area
from node.routing.tables import make_table
from tests.node.routing.network import HOME, WORK, End, Network

AWAY = b"away".ljust(32, b".")


def two_homes() -> Network:
    """1 - 2 - 3 = hub = 4 - 5: 1, 2 at home, 4, 5 at work, and 3 a hub of both."""
    network = Network()
    for number, namespaces in ((1, [HOME]), (2, [HOME]), (3, [HOME, WORK]), (4, [WORK]), (5, [WORK])):
        network.add(number, namespaces)
    for one, two, namespace in ((1, 2, HOME), (2, 3, HOME), (3, 4, WORK), (4, 5, WORK)):
        network.connect(one, two, namespaces=[namespace])
    network.serve(3, HOME, WORK)
    network.run(1.0)
    return network


def test_a_packet_for_another_namespace_crosses_the_hub_and_so_does_its_answer() -> None:
    network = two_homes()
    assert network.walk(1, 5) == [1, 2, 3, 4, 5]
    assert network.walk(5, 1) == [5, 4, 3, 2, 1]
    assert network.walk(3, 5) == [3, 4, 5]


def test_what_has_crossed_goes_to_no_hub_again() -> None:
    assert two_homes().walk(1, 5, crossed=True) == [1]


def test_whoever_is_in_two_namespaces_but_no_hub_connects_nothing() -> None:
    """Not one that is a relay of one of them either."""
    for served in ((), (HOME,), (WORK,)):
        network = two_homes()
        network.relays.clear()
        network.serve(3, *served)
        network.run(1.0)
        assert network.walk(1, 5)[-1] in (1, 3)
        assert network.walk(1, 2) == [1, 2]


def test_a_hub_that_relays_nothing_connects_nothing() -> None:
    network = two_homes()
    network.hosts[3].mesh.set_relay(Relay.NEVER, network.now)
    network.run(1.0)
    assert network.walk(1, 5) == [1, 2, 3]


def test_an_own_device_that_is_off_is_not_looked_for_at_a_hub() -> None:
    """It has a certificate: a call to it fails at once."""
    network = two_homes()
    network.add(6)
    assert network.walk(1, 6) == [1]
    assert network.hosts[1].mesh.hub_for(network.hosts[6].address) is None
    assert network.hosts[1].mesh.hub_for(network.hosts[5].address) == network.hosts[3].address


def test_a_hub_is_none_any_more_when_its_certificate_ends() -> None:
    network = two_homes()
    network.relays[WORK].clear()
    network.serve(3)
    network.run(1.0)
    assert network.walk(1, 5) == [1, 2, 3]
    assert network.walk(5, 1) == [5]


def test_the_nearest_hub_is_asked_unless_another_names_the_destination_as_attached() -> None:
    """1 has hub 2 beside it and hub 3 further on; 4 is attached to hub 3, and 5 is behind 4."""
    network = Network()
    for number, namespaces in ((1, [HOME]), (2, [HOME, AWAY]), (3, [HOME, WORK]), (4, [WORK]), (5, [WORK])):
        network.add(number, namespaces)
    for one, two, cost, namespace in ((1, 2, 1000, HOME), (1, 3, 9000, HOME), (3, 4, 1000, WORK), (4, 5, 1000, WORK)):
        network.connect(one, two, cost, namespaces=[namespace])
    network.serve(2, HOME, AWAY)
    network.serve(3, HOME, WORK)
    network.run(1.0)
    assert network.walk(1, 4) == [1, 3, 4]
    assert network.walk(1, 5) == [1, 2]  # only the nearest is asked, and it does not know


def test_a_hub_names_its_neighbours_from_elsewhere_as_long_as_they_are_linked() -> None:
    network = two_homes()
    hub, near = network.hosts[3], network.hosts[4]

    def named(namespace: bytes, at: int) -> tuple[bytes, ...]:
        return network.hosts[at].mesh.areas[namespace].records[hub.address].attached

    assert named(HOME, 1) == (near.address,)
    assert named(WORK, 5) == (network.hosts[2].address,)
    network.disconnect(3, 4)
    network.run(1.0)
    assert named(HOME, 1) == ()


def test_two_hubs_side_by_side_send_nothing_to_and_fro() -> None:
    """Both serve both; the destination is known to neither any more."""
    network = two_homes()
    network.add(6, [HOME, WORK])
    network.connect(3, 6, namespaces=[HOME, WORK])
    network.serve(6, HOME, WORK)
    network.run(1.0)
    network.disconnect(4, 5)
    network.run(1.0)
    assert network.walk(1, 5) == [1, 2, 3]


def test_only_of_hubs_is_believed_who_is_attached_to_them() -> None:
    """Not of a member, and not of a hub about one that has a certificate."""
    own, hub, liar, member, foreigner = (bytes([number]) * 16 for number in range(5))
    area = Area(HOME, own)
    for address, attached in ((hub, (member,)), (liar, (member, foreigner))):
        area.put(Record(HOME, address, bytes(8), 1, neighbours={own: 1}, attached=attached), 0.0)
    routes = {hub: (1, "to hub"), liar: (1, "to liar")}

    class Roster:
        def hubs(self, namespace: bytes) -> list[bytes]:
            return [hub]

        def lists(self, namespace: bytes, address: bytes) -> bool:
            return address != foreigner

    table = make_table(own, [(area, routes)], Roster())
    assert table.attached == {}
    assert table.hub == hub


@st.composite
def graphs(draw: st.DrawFn) -> Network:
    """Up to 9 hosts, of which each is at home, at work, or a hub of both, with links of any cost."""
    network = Network()
    count = draw(st.integers(3, 9))
    spaces = [draw(st.sampled_from([(HOME,), (WORK,), (HOME, WORK)])) for _ in range(count)]
    for number, namespaces in enumerate(spaces, 1):
        network.add(number, namespaces)
    for one in range(1, count + 1):
        for two in range(one + 1, count + 1):
            shared = set(spaces[one - 1]) & set(spaces[two - 1])
            if shared and draw(st.booleans()):
                network.connect(one, two, draw(st.integers(1, 5)) * 1000, namespaces=shared)
    for number, namespaces in enumerate(spaces, 1):
        if len(namespaces) == 2:
            network.serve(number, *namespaces)
    network.run(2.0)
    return network


@given(graphs())
def test_on_no_graph_does_a_packet_go_round(network: Network) -> None:
    """It visits nobody twice; and with one hub that both ends reach, it arrives."""
    hubs = network.hubs(HOME)
    for source, one in network.hosts.items():
        for target, two in network.hosts.items():
            visited = network.walk(source, target) if source != target else [source]
            assert len(visited) == len(set(visited)), visited
            if len(hubs) == 1 and all(_reaches(network, host.number, hubs) for host in (one, two)):
                assert visited[-1] == target


def _reaches(network: Network, number: int, hubs: set[bytes]) -> bool:
    host = network.hosts[number]
    return host.address in hubs or any(host.mesh.path(hub) for hub in hubs)


@pytest.mark.parametrize("arrival", [True, False])
def test_a_link_that_is_certified_for_nothing_leads_nowhere(arrival: bool) -> None:
    network = two_homes()
    stranger = network.add(7, [AWAY])
    ends = network.connect(7, 3, namespaces=[])
    network.run(1.0)
    hub = network.hosts[3].mesh
    link: End = ends[1]
    assert hub.next_hop(network.hosts[1].address, link) is None
    assert hub.across(network.hosts[1].address, link if arrival else None) is None
    assert stranger.mesh.next_hop(network.hosts[1].address) is None


def test_a_hub_crosses_itself_what_another_hub_names_as_attached() -> None:
    """Else the packet would come back to it: found on a random graph."""
    network = two_homes()
    network.add(6, [HOME, WORK])
    network.add(7, [WORK])
    for one, two, namespaces in ((3, 6, [HOME, WORK]), (4, 7, [WORK]), (6, 7, [WORK])):
        network.connect(one, two, 1000 if two != 7 or one == 4 else 9000, namespaces=namespaces)
    network.serve(6, HOME, WORK)
    network.run(1.0)
    assert network.hosts[3].mesh.areas[HOME].records[network.hosts[6].address].attached
    assert network.walk(1, 7) == [1, 2, 3, 4, 7]


def test_a_member_that_is_a_hub_of_others_sends_to_the_hub_of_its_own() -> None:
    """Host 2 is at home, and a hub of work and away: what comes from home it may not take to work itself."""
    network = Network()
    for number, spaces in ((1, [HOME]), (2, [HOME, WORK, AWAY]), (3, [HOME, WORK]), (4, [WORK])):
        network.add(number, spaces)
    for one, two, namespaces in ((1, 2, [HOME]), (2, 3, [HOME]), (3, 4, [WORK]), (2, 4, [WORK])):
        network.connect(one, two, 1000, namespaces=namespaces)
    network.serve(2, WORK, AWAY)
    network.serve(3, HOME, WORK)
    network.run(1.0)
    assert network.walk(1, 4) == [1, 2, 3, 4]
