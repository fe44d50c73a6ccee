"""An internet in miniature: public hosts, and homes with a NAT of each kind before their devices (Linux, root).

    with internet() as net:
        hub = net.host("hub")
        home = net.home(Nat.SYMMETRIC)
        laptop = home.device("laptop")

The internet is one router; each public host, and each home's router, is at the end of a wire to it, so nobody there
hears anybody's broadcasts. A home is a router with a NAT and a real LAN of 10.N.0.0/24 behind it, where broadcasts and
multicast do arrive. The internet does not carry private addresses, and a home's own public address leads nowhere from
inside it (no hairpin).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Network
from itertools import count
from typing import TypeVar

from tests.end_to_end import network
from tests.end_to_end.network import Place, namespaces_of, remove, remove_leftovers

Result = TypeVar("Result")

PUBLIC = IPv4Network("198.18.0.0/16")
GATEWAY = str(PUBLIC[1])
PRIVATE = IPv4Network("10.0.0.0/8")
INTERFACE = "eth0"
"""What a host has on the internet or on its home's LAN, and a home's router on the internet."""
LAN = "lan"
"""The bridge in a home's router."""
TOOLS = {**network.TOOLS, "conntrack": "conntrack"}


class Nat(StrEnum):
    """What stands between a home and the internet (the names are those of RFC 3489).

    Where there is one, nothing that comes unasked from outside over TCP passes.
    """

    NONE = "none"
    """Devices are on the internet themselves."""
    FULL_CONE = "full cone"
    """What a port of a device has sent from, anybody may send to."""
    RESTRICTED = "restricted"
    """Only the addresses that this port has sent to may, from whatever port."""
    PORT_RESTRICTED = "port-restricted"
    """Only those, and from the very port that it has sent to."""
    SYMMETRIC = "symmetric"
    """As port-restricted, and each destination sees another port, by chance."""
    UDP_BLOCKED = "UDP blocked"
    """No UDP passes in either direction."""


ROUTER = f"""
table ip home {{
    map mappings {{ type inet_service : ipv4_addr; flags dynamic; size 65535; }}
    set contacted {{ type inet_service . ipv4_addr; flags dynamic; size 65535; }}

    chain arriving {{
        type nat hook prerouting priority dstnat
        %(arriving)s
    }}
    chain leaving {{
        type nat hook postrouting priority srcnat
        oifname {INTERFACE} %(leaving)s
    }}
    chain own {{
        type filter hook input priority filter
        iifname {INTERFACE} ct state != {{ established, related }} drop
    }}
    chain through {{
        type filter hook forward priority filter; policy drop
        ct state invalid drop
        %(through)s
        ct state {{ established, related }} accept
        ct status dnat accept
        iifname {LAN} accept
    }}
}}
"""
"""The rules of a home's router. What comes unasked is dropped without a word: an entry in the table of connections
would take the port from the device that is about to send from it. `mappings` says whose a public port is; masquerading
keeps the device's own port, where no other device has it."""
OUT = f"iifname {LAN} oifname {INTERFACE} meta l4proto udp"
"""Both are named: what stays on the LAN passes these rules, too, where bridges call netfilter."""
REMEMBER = f"{OUT} update @mappings {{ udp sport : ip saddr }}"
TO_OWNER = "dnat to udp dport map @mappings"
INTO = f"iifname {INTERFACE} meta l4proto udp"
BEHAVIOURS = {
    Nat.FULL_CONE: {"through": REMEMBER, "arriving": f"{INTO} {TO_OWNER}"},
    Nat.RESTRICTED: {
        "through": f"{REMEMBER} update @contacted {{ udp sport . ip daddr }}",
        "arriving": f"{INTO} udp dport . ip saddr @contacted {TO_OWNER}",
    },
    Nat.PORT_RESTRICTED: {},
    Nat.SYMMETRIC: {"leaving": "masquerade fully-random"},
    Nat.UDP_BLOCKED: {"through": f"{OUT} drop"},
}
"""What the rules of each kind have of their own."""
NO_MULTICAST = """
table bridge lan {
    counter blocked { }
    chain through { type filter hook forward priority filter; udp dport 5353 counter name blocked drop; }
}
"""


def missing() -> str:
    """Why no such internet can be made here; empty if it can."""
    return network.missing(TOOLS)


class Host(Place):
    """A computer with one interface: a public host, a device, or a home's router.

    `address` is its own one, `port` what the other end of its wire is called.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.address = ""
        self.port = ""
        self._gateway = ""

    def wire(self, other: Place, port: str) -> None:
        """Has the interface, without an address yet, at the end of a wire to `other`."""
        self.port = port
        self.run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", port, "netns", other.namespace)
        other.run("ip", "link", "set", port, "up")

    def set_address(self, address: str, gateway: str) -> None:
        """Has this address (with the length of its network) instead of the one before, if any."""
        self.run("ip", "address", "flush", "dev", INTERFACE)
        self.run("ip", "address", "add", address, "dev", INTERFACE)
        self.address, self._gateway = address.split("/")[0], gateway
        self.plug()

    def plug(self) -> None:
        """The interface is up, again."""
        script = f"link set {INTERFACE} up\nroute replace default via {self._gateway} dev {INTERFACE} onlink\n"
        self.run("ip", "-batch", "-", text=script)

    def unplug(self) -> None:
        """The interface is down: this host knows it, and everybody else hears nothing."""
        self.run("ip", "link", "set", INTERFACE, "down")

    def move(self, home: Home) -> None:
        """Leaves where it is, for another home: with an interface and an address that are new."""
        self.run("ip", "link", "delete", INTERFACE)
        home.attach(self)

    def call(self, function: Callable[[], Result]) -> Result:
        """Runs a function of this process on the network of this host; sockets that it opens stay there."""
        from tests.end_to_end.wan import enter  # which only Linux can import

        def run() -> Result:
            enter(self.namespace)
            return function()

        with ThreadPoolExecutor(1) as other:  # a thread has a network namespace of its own; this one ends with it
            return other.submit(run).result()

    def socket(self, kind: socket.SocketKind = socket.SOCK_DGRAM, port: int = 0) -> socket.socket:
        """A socket of this process on the network of this host, bound to all of its addresses."""
        made = self.call(partial(socket.socket, socket.AF_INET, kind))
        made.bind(("0.0.0.0", port))
        return made


class Internet:
    """The public network, as one router. Made by `internet`."""

    def __init__(self) -> None:
        self._core = Place("internet")
        self._numbers = count(2)  # of public addresses, and of the ends of wires here
        self._homes = count(1)
        forward(self._core)
        self._core.run("ip", "address", "add", GATEWAY, "dev", "lo")
        self._core.run("ip", "route", "add", "blackhole", str(PRIVATE))

    def host(self, name: str) -> Host:
        """A host with a public address."""
        made = Host(name)
        self.attach(made)
        return made

    def home(self, kind: Nat) -> Home:
        return Home(self) if kind is Nat.NONE else NatHome(self, kind, next(self._homes))

    def lead(self, address: str, host: Host) -> None:
        """What goes to another public address is given to a host, which passes it on."""
        self._core.run("ip", "route", "add", address, "via", host.address, "dev", host.port, "onlink")

    def attach(self, host: Host) -> None:
        """Gives a host that has no interface one here."""
        host.wire(self._core, f"port{next(self._numbers)}")
        self.readdress(host)

    def readdress(self, host: Host) -> None:
        """Gives a host that is here, or a home's router, the next public address; the one before leads nowhere."""
        address = str(PUBLIC[next(self._numbers)])
        self._core.run("ip", "route", "flush", "dev", host.port)
        self._core.run("ip", "route", "add", address, "dev", host.port)
        host.set_address(f"{address}/32", GATEWAY)


class Home:
    """Devices that belong together. Here they are on the internet themselves."""

    def __init__(self, net: Internet) -> None:
        self._internet = net

    def device(self, name: str) -> Host:
        made = Host(name)
        self.attach(made)
        return made

    def attach(self, host: Host) -> None:
        """Gives a host that has no interface one here."""
        self._internet.attach(host)

    def readdress(self, host: Host) -> None:
        """Gives a host that is here another address on the same interface."""
        self._internet.readdress(host)

    def forget(self) -> None:
        """The NAT forgets all its mappings and connections, without a word to anybody; without a NAT, nothing."""


class NatHome(Home):
    """A home behind a NAT. `router` has its public address."""

    def __init__(self, net: Internet, kind: Nat, number: int) -> None:
        super().__init__(net)
        self.router = Host(f"router{number}")
        self._lan = IPv4Network((int(PRIVATE[0]) + (number << 16), 24))
        self._numbers = count(2)
        net.attach(self.router)
        rules = {"through": "", "arriving": "", "leaving": "masquerade", **BEHAVIOURS[kind]}
        self.router.run("nft", "-f", "-", text=ROUTER % rules)
        self._make_lan(f"02:00:00:00:00:{number:02x}")
        # A connection that was forgotten is over: without this, its next packet from inside begins it anew.
        self.router.run("tee", "/proc/sys/net/netfilter/nf_conntrack_tcp_loose", text="0")
        forward(self.router)

    def _make_lan(self, hardware: str) -> None:
        """With a hardware address of its own: else it takes that of some device, and another when one comes or goes."""
        steps = (
            f"link add {LAN} address {hardware} type bridge",
            f"address add {self._lan[1]}/{self._lan.prefixlen} dev {LAN}",
            f"link set {LAN} up",
        )
        self.router.run("ip", "-batch", "-", text="\n".join(steps) + "\n")

    def attach(self, host: Host) -> None:
        host.wire(self.router, f"port{next(self._numbers)}")
        self.router.run("ip", "link", "set", host.port, "master", LAN)
        self.readdress(host)

    def readdress(self, host: Host) -> None:
        host.set_address(f"{self._lan[next(self._numbers)]}/{self._lan.prefixlen}", str(self._lan[1]))

    def block_multicast(self) -> None:
        """From now on no multicast DNS gets from one device to another, as on many a guest network."""
        self.router.run("nft", "-f", "-", text=NO_MULTICAST)

    def blocked(self) -> int:
        """Packets of multicast DNS that were not let through."""
        listed = json.loads(self.router.run("nft", "-j", "list", "counters", "bridge"))["nftables"]
        return sum(entry["counter"]["packets"] for entry in listed if "counter" in entry)

    def forget(self) -> None:
        for what in ("set", "contacted"), ("map", "mappings"):
            self.router.run("nft", "flush", what[0], "ip", "home", what[1])
        self.router.run("conntrack", "--flush")


def forward(place: Place) -> None:
    """Has a place pass on what is not for itself."""
    place.run("tee", "/proc/sys/net/ipv4/ip_forward", text="1")


@contextmanager
def internet() -> Iterator[Internet]:
    """An internet that is gone at the end of the block, with all that runs in it; one at a time in a process.

    What a run that was killed has left is removed first.
    """
    remove_leftovers()
    try:
        yield Internet()
    finally:
        for namespace in namespaces_of(str(os.getpid())):
            remove(namespace)
