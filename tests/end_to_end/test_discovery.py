"""Paired nodes on one LAN, with no hub, no internet and no address of each other, find each other and link.

Where the LAN lets no multicast through they need a hub, which tells them of each other.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
import trio

import firefly
from firefly.client import Glow
from firefly.interfaces.core import Node
from tests.end_to_end import nats
from tests.end_to_end.devices import Device
from tests.end_to_end.nat_pairs import World, name_of, world
from tests.end_to_end.nats import Nat
from tests.end_to_end.network import PORT, Network
from tests.end_to_end.test_moves import until_how
from tests.end_to_end.test_network_changes import following

PROMISE = 3.0
"""Seconds from when both are up until they are linked; twice as much is asserted, for machines that have other work."""

KIND = Nat.PORT_RESTRICTED
CALLER, CALLED = name_of("a", KIND), name_of("b", KIND)


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started from here on, in network namespaces of its own, announces itself there."""
    monkeypatch.setenv("GLOW_DISCOVERY", "on")


def start(network: Network, name: str) -> datetime:
    network.devices[name].start("node", "--listen", f"tcp://0.0.0.0:{PORT}")
    return datetime.now(UTC)


def test_paired_nodes_on_one_lan_are_linked_within_3_s_of_being_up(real_network: Network) -> None:
    names = ("laptop", "nas", "phone")
    real_network.family(*names)
    for device in real_network.devices.values():
        device.stop()
    real_network.lan()
    up = {name: start(real_network, name) for name in names}
    took = {}
    for name in names:
        with following(real_network, name) as log:
            found = {}
            while len(found) < len(names) - 1:
                message, when = log.until(lambda message: message.startswith("a link to "))
                found[message.split()[3]] = when
        took |= {(name, other): (when - max(up[name], up[other])).total_seconds() for other, when in found.items()}
    print("linked after", {f"{one}-{other}": f"{seconds:.2f} s" for (one, other), seconds in took.items()})
    assert max(took.values()) < 2 * PROMISE


def test_a_link_that_ends_is_made_anew_also_to_another_address_and_another_start(real_network: Network) -> None:
    real_network.family("laptop", "nas")
    real_network.lan()  # both notice that they are on a network now
    laptop, nas = real_network.devices["laptop"], real_network.devices["nas"]
    place = real_network.places["nas"]

    with following(real_network, "laptop") as log:

        def linked() -> datetime:
            _, when = log.until(lambda message: message.startswith("a link to nas is up"))
            return when

        linked()
        nas.stop(signal.SIGKILL)
        log.until(lambda message: message.startswith("the link to nas ended"))
        up = start(real_network, "nas")
        took = {"killed and started": (linked() - up).total_seconds()}
        place.run("ip", "address", "delete", "192.168.77.2/24", "dev", "eth0")
        place.run("ip", "address", "add", "192.168.77.99/24", "dev", "eth0")
        up = datetime.now(UTC)
        took["another address"] = (linked() - up).total_seconds()
        place.run("ip", "link", "set", "eth0", "down")
        log.until(lambda message: message.startswith("the link to nas ended"))
        place.run("ip", "link", "set", "eth0", "up")
        up = datetime.now(UTC)
        took["unplugged and plugged"] = (linked() - up).total_seconds()
    print("linked after", {what: f"{seconds:.2f} s" for what, seconds in took.items()})
    assert max(took.values()) < 2 * PROMISE
    assert "nas" in laptop.glow("ping", "nas")


def test_where_multicast_is_blocked_devices_link_by_the_addresses_that_each_tells_over_the_hub(tmp_path: Path) -> None:
    """At home behind one NAT; the hub is on the internet. Each is dialled at its address on the LAN."""
    if reason := nats.missing():
        pytest.skip(reason)
    with world(tmp_path, (KIND,), turn=False, shared=True) as made:
        home = made.homes[CALLER]
        home.block_multicast()
        for device in made.devices:
            device.stop()
            device.start("node", "--listen", f"tcp://0.0.0.0:{PORT}")
        answered, linked = trio.run(meet, made)
        print(f"\nmulticast blocked: answered over the hub in {answered:.2f} s, linked directly after {linked:.2f} s")
        assert home.blocked()
        assert not any("found" in device.glow("logs") for device in made.devices)
    assert linked < 2 * PROMISE


async def meet(made: World) -> tuple[float, float]:
    """Seconds from the first call to its answer, and to when both are reached directly."""
    caller, called = made.callers[KIND], made.called[KIND]
    async with firefly.connect(caller.home) as one, firefly.connect(called.home) as other:
        for user, owner in ((one, other), (other, one)):
            await until_how(user, owner, "via hub")
        before = await why(caller, CALLED)
        assert "it is reached via hub: no link leads there directly" in before
        begun = monotonic()
        assert await one.at(other.address, other.address, Node).echo(b"first") == b"first"
        answered = monotonic() - begun
        for user, owner in ((one, other), (other, one)):
            await until_how(user, owner, "direct tcp")
        linked = monotonic() - begun
        for user, owner, name in ((one, other, CALLED), (other, one, CALLER)):
            assert await host_of(user, owner) == made.hosts[name].address
        assert f"direct tcp: linked at tcp://{made.hosts[CALLED].address}" in await why(caller, CALLED)
    return answered, linked


async def why(device: Device, name: str) -> str:
    return await trio.to_thread.run_sync(device.glow, "why", name)


async def host_of(user: Glow, owner: Glow) -> str | None:
    """Where the device at the other end of the link to it is."""
    [link] = [link for link in (await user.node.node_status()).links if link.address == owner.address]
    return urlsplit(link.url).hostname
