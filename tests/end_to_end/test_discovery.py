"""Paired nodes on one LAN, with no hub, no internet and no address of each other, find each other and link."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest

from tests.end_to_end.network import PORT, Network
from tests.end_to_end.test_network_changes import following

PROMISE = 3.0
"""Seconds from when both are up until they are linked; twice as much is asserted, for machines that have other work."""


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
