"""Paired nodes on one LAN, with no hub, no internet and no address of each other, find each other and link."""

from __future__ import annotations

import os
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
    for number, name in enumerate(names):
        with following(real_network, name) as log:
            found = {}
            while len(found) < len(names) - 1:
                message, when = log.until(lambda message: message.startswith("a link to "))
                found[message.split()[3]] = when
        took |= {(name, other): (when - max(up[name], up[other])).total_seconds() for other, when in found.items()}
    print("linked after", {f"{one}-{other}": f"{seconds:.2f} s" for (one, other), seconds in took.items()})
    assert max(took.values()) < 2 * PROMISE
