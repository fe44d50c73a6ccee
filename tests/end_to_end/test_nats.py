"""The internet in miniature is what it says: each NAT lets through what its kind does, and nothing else.

What must not arrive is shown without waiting: a TCP connection of the laptop to the hub takes the same way, so that
what was sent before a question and its answer on it has arrived, or never does.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.nats import Home, Host, Internet, Nat, NatHome, internet, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

Address = tuple[str, int]
WAIT = 10.0
"""Seconds that what must happen may take."""
EVERY = list(Nat)
BEHIND = [kind for kind in Nat if kind is not Nat.NONE]
OVER_UDP = [kind for kind in Nat if kind is not Nat.UDP_BLOCKED]
CONES = [Nat.FULL_CONE, Nat.RESTRICTED, Nat.PORT_RESTRICTED]
MDNS = ("224.0.0.251", 5353)


class World:
    """Two public hosts with open ports, and of each kind of NAT a home with a device."""

    def __init__(self, net: Internet, stack: ExitStack) -> None:
        self.net = net
        self.hub, self.stranger = net.host("hub"), net.host("stranger")
        self.udp, self.other_port = (stack.enter_context(self.hub.socket()) for _ in range(2))
        self.elsewhere = stack.enter_context(self.stranger.socket())
        self.tcp = stack.enter_context(listening(self.hub))
        self.homes = {kind: net.home(kind) for kind in Nat}
        self.devices = {kind: home.device(kind.name.lower()) for kind, home in self.homes.items()}
        with self.stranger.socket(socket.SOCK_STREAM) as known:  # each router on the way has asked for its address
            connect(known, self.tcp, self.hub)
            self.tcp.accept()[0].close()


class Laptop:
    """A device with a UDP port of its own and a TCP connection to the hub. `seen` is the hub's view of the latter."""

    def __init__(self, world: World, host: Host, stack: ExitStack) -> None:
        self.host = host
        self.udp = stack.enter_context(host.socket())
        self.tcp = stack.enter_context(host.socket(socket.SOCK_STREAM))
        connect(self.tcp, world.tcp, world.hub)
        self.accepted, self.seen = world.tcp.accept()
        stack.enter_context(self.accepted).settimeout(WAIT)

    def settle(self) -> None:
        """Returns when all that was sent has arrived, if it ever does."""
        self.tcp.send(b"?")
        assert self.accepted.recv(1) == b"?"
        self.accepted.send(b"!")
        assert self.tcp.recv(1) == b"!"

    def sends(self, to: socket.socket, host: Host) -> Address | None:
        """Whom a datagram comes from at `to`; None if it does not come."""
        self.udp.sendto(b"out", address_of(to, host))
        self.settle()
        return arrived(to)

    def hears(self, sender: socket.socket, at: Address) -> bool:
        """Whether what `sender` sends to `at` arrives."""
        sender.sendto(b"in", at)
        self.settle()
        return arrived(self.udp) is not None


def listening(host: Host) -> socket.socket:
    made = host.socket(socket.SOCK_STREAM)
    made.settimeout(WAIT)
    made.listen()
    return made


def connect(tcp: socket.socket, to: socket.socket, host: Host) -> None:
    tcp.settimeout(WAIT)
    tcp.connect(address_of(to, host))


def address_of(bound: socket.socket, host: Host) -> Address:
    return host.address, bound.getsockname()[1]


def arrived(udp: socket.socket) -> Address | None:
    """Who has sent the next datagram that is there, if any."""
    try:
        sender: Address = udp.recvfrom(100, socket.MSG_DONTWAIT)[1]
    except BlockingIOError:
        return None
    return sender


def is_silent(tcp: socket.socket) -> bool:
    """Whether nothing has come, not even an end."""
    tcp.setblocking(False)
    try:
        tcp.recv(1)
    except BlockingIOError:
        return True
    return False


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with internet() as net, ExitStack() as stack:
        yield World(net, stack)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def laptop(world: World, stack: ExitStack) -> Callable[[Nat | Host], Laptop]:
    """The device of a home of that kind, or any, with new sockets."""
    return lambda which: Laptop(world, world.devices[which] if isinstance(which, Nat) else which, stack)


Make = Callable[[Nat | Host], Laptop]


def public_address(home: Home, device: Host) -> str:
    return home.router.address if isinstance(home, NatHome) else device.address


@pytest.mark.parametrize("kind", EVERY, ids=str)
def test_tcp_goes_out_through_all(world: World, laptop: Make, kind: Nat) -> None:
    mine = laptop(kind)
    mine.settle()
    assert mine.seen[0] == public_address(world.homes[kind], mine.host)


@pytest.mark.parametrize("kind", BEHIND, ids=str)
def test_no_tcp_comes_in_unasked(world: World, stack: ExitStack, laptop: Make, kind: Nat) -> None:
    mine = laptop(kind)
    door = stack.enter_context(listening(mine.host))
    knocking = stack.enter_context(world.stranger.socket(socket.SOCK_STREAM))
    knocking.setblocking(False)
    assert knocking.connect_ex((mine.seen[0], door.getsockname()[1])) == errno.EINPROGRESS
    mine.settle()
    door.setblocking(False)
    with pytest.raises(BlockingIOError):
        door.accept()


@pytest.mark.parametrize("kind", OVER_UDP, ids=str)
def test_only_a_symmetric_nat_shows_each_destination_another_port(world: World, laptop: Make, kind: Nat) -> None:
    mine = laptop(kind)
    first = mine.sends(world.udp, world.hub)
    assert first is not None
    assert first[0] == mine.seen[0]
    others = {mine.sends(world.other_port, world.hub), mine.sends(world.elsewhere, world.stranger)}
    assert len({first, *others}) == (3 if kind is Nat.SYMMETRIC else 1)
    assert mine.sends(world.udp, world.hub) == first


@pytest.mark.parametrize("kind", OVER_UDP, ids=str)
def test_who_may_answer(world: World, laptop: Make, kind: Nat) -> None:
    mine = laptop(kind)
    seen = mine.sends(world.udp, world.hub)
    assert seen is not None
    assert mine.hears(world.udp, seen)
    assert mine.hears(world.other_port, seen) == (kind in (Nat.NONE, Nat.FULL_CONE, Nat.RESTRICTED))
    assert mine.hears(world.elsewhere, seen) == (kind in (Nat.NONE, Nat.FULL_CONE))


@pytest.mark.parametrize("kind", BEHIND, ids=str)
def test_who_comes_first_is_not_heard_and_takes_no_port(world: World, laptop: Make, kind: Nat) -> None:
    mine = laptop(kind)
    own_port = mine.udp.getsockname()[1]
    for sender in world.udp, world.elsewhere:
        assert not mine.hears(sender, (mine.seen[0], own_port))
    if kind in CONES:
        assert mine.sends(world.elsewhere, world.stranger) == (mine.seen[0], own_port)


def test_no_udp_goes_out_where_it_is_blocked(world: World, laptop: Make) -> None:
    assert laptop(Nat.UDP_BLOCKED).sends(world.udp, world.hub) is None


@pytest.mark.parametrize("kind", [Nat.FULL_CONE, Nat.UDP_BLOCKED], ids=str)
def test_a_home_is_a_network_of_its_own(world: World, stack: ExitStack, laptop: Make, kind: Nat) -> None:
    mine, other = laptop(kind), laptop(Nat.RESTRICTED)
    sister = laptop(world.homes[kind].device(f"sister-{kind.name.lower()}"))
    ears = []
    for each in sister, other, laptop(Nat.NONE):
        ear = stack.enter_context(each.host.socket(port=MDNS[1]))
        membership = socket.inet_aton(MDNS[0]) + socket.inet_aton(each.host.address)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        ears.append(ear)
    sister.udp.settimeout(WAIT)
    mine.udp.sendto(b"all", MDNS)
    mine.udp.sendto(b"one", address_of(sister.udp, sister.host))
    assert sister.udp.recvfrom(10)[1] == address_of(mine.udp, mine.host)
    assert mine.sends(other.udp, other.host) is None
    assert [arrived(ear) is not None for ear in ears] == [True, False, False]


def test_public_hosts_do_not_hear_each_others_multicast(world: World, stack: ExitStack, laptop: Make) -> None:
    mine = laptop(Nat.NONE)
    ear = stack.enter_context(world.stranger.socket(port=MDNS[1]))
    membership = socket.inet_aton(MDNS[0]) + socket.inet_aton(world.stranger.address)
    ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    mine.udp.sendto(b"all", MDNS)
    mine.settle()
    assert arrived(ear) is None


@pytest.mark.parametrize("kind", [*CONES, Nat.SYMMETRIC], ids=str)
def test_what_a_nat_forgets_is_over(world: World, laptop: Make, kind: Nat) -> None:
    old = laptop(kind)
    before = old.sends(world.udp, world.hub)
    assert before is not None
    world.homes[kind].forget()
    new = laptop(kind)
    world.udp.sendto(b"in", before)
    old.tcp.send(b"lost")
    old.accepted.send(b"lost")
    new.settle()
    assert arrived(old.udp) is None
    assert is_silent(old.tcp)
    assert is_silent(old.accepted)
    old.udp.sendto(b"out", address_of(world.udp, world.hub))
    new.settle()
    after = arrived(world.udp)
    assert after is not None
    assert (after == before) == (kind is not Nat.SYMMETRIC)


@pytest.mark.parametrize("kind", [Nat.NONE, Nat.PORT_RESTRICTED], ids=str)
def test_another_address_on_the_same_interface(world: World, laptop: Make, kind: Nat) -> None:
    home = world.net.home(kind)
    device = home.device(f"restless-{kind.name.lower()}")
    before, old = laptop(device), device.address
    at_first = before.sends(world.udp, world.hub)
    home.readdress(device)
    assert device.address != old
    after = laptop(device).sends(world.udp, world.hub)
    assert after is not None
    assert after[0] == public_address(home, device)
    if kind is Nat.NONE:
        assert at_first is not None
        assert after[0] != at_first[0]


def test_a_home_gets_another_public_address(world: World, laptop: Make) -> None:
    home = world.net.home(Nat.RESTRICTED)
    assert isinstance(home, NatHome)
    device = home.device("patient")
    before = laptop(device)
    world.net.readdress(home.router)
    after = laptop(device)
    assert after.seen[0] == home.router.address != before.seen[0]
    came = after.sends(world.udp, world.hub)
    assert came is not None
    assert came[0] == home.router.address
    assert after.hears(world.other_port, came)


def test_a_laptop_moves_from_home_to_home(world: World, laptop: Make) -> None:
    kinds = Nat.PORT_RESTRICTED, Nat.SYMMETRIC, Nat.NONE, Nat.FULL_CONE
    device = world.homes[kinds[0]].device("traveller")
    left = laptop(device)
    for kind in kinds[1:]:
        device.move(world.homes[kind])
        now = laptop(device)
        left.accepted.send(b"lost")
        came = now.sends(world.udp, world.hub)
        assert came is not None
        assert came[0] == public_address(world.homes[kind], device)
        assert is_silent(left.tcp)


def test_a_hub_goes_and_comes_back(world: World, stack: ExitStack, laptop: Make) -> None:
    hub = world.net.host("second-hub")
    udp, door = stack.enter_context(hub.socket()), stack.enter_context(listening(hub))
    mine = laptop(Nat.FULL_CONE)
    with mine.host.socket(socket.SOCK_STREAM) as first:
        connect(first, door, hub)
    assert mine.sends(udp, hub) is not None
    hub.unplug()
    assert mine.sends(udp, hub) is None
    hub.plug()
    with mine.host.socket(socket.SOCK_STREAM) as second:
        connect(second, door, hub)
    assert mine.sends(udp, hub) is not None
