"""Addresses come and go on a real network: the node says so in time, and its links follow."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.end_to_end.network import Network

PROMISE = 2.0
"""Seconds within which a change is noticed; twice as much is asserted, for machines that have other work."""
LIMIT = 30.0
"""Seconds after which what does not come is given up."""


class Log:
    """What the node of a device says, as it says it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def until(self, fits: Callable[[str], bool]) -> tuple[str, datetime]:
        """The next message that fits, and when it was said."""
        stuck = threading.Timer(LIMIT, self._process.kill)
        stuck.start()
        try:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                record: dict[str, Any] = json.loads(line)
                if fits(record["message"]):
                    return record["message"], datetime.fromisoformat(record["time"])
        finally:
            stuck.cancel()
        raise AssertionError("the node did not say it")


@contextmanager
def following(network: Network, name: str) -> Iterator[Log]:
    process = network.devices[name].popen("--jsonl", "logs", "--follow", "--process", "node")
    try:
        yield Log(process)
    finally:
        process.kill()
        process.communicate()


def test_a_change_is_noticed_within_2_s(real_network: Network) -> None:
    real_network.family("laptop", "nas")
    wire = real_network.wire("laptop", "nas")
    laptop, own, device = real_network.places["laptop"], wire.addresses[0], wire.devices[0]
    changes = {
        "10.88.0.1 is new": ("address", "add", "10.88.0.1/32", "dev", device),
        "IPv4 leaves by 10.77.0.2 now": ("route", "add", "default", "via", wire.addresses[1]),
        "10.88.0.1 is gone": ("address", "delete", "10.88.0.1/32", "dev", device),
        f"{own} is gone, IPv4 leads nowhere now": ("link", "set", device, "down"),
        f"{own} is new": ("link", "set", device, "up"),
    }
    with following(real_network, "laptop") as log:
        log.until(lambda message: message.startswith("a link to nas is up"))
        took = {}
        for what, words in changes.items():
            laptop.run("ip", *words)
            done = datetime.now(UTC)
            message, when = log.until(lambda message: "the network changed" in message)
            assert message == f"the network changed: {what}"
            took[what] = (when - done).total_seconds()
    print("noticed after", {what: f"{seconds * 1000:.0f} ms" for what, seconds in took.items()})
    assert max(took.values()) < 2 * PROMISE


def test_when_the_address_changes_the_link_is_made_anew_from_the_new_one(real_network: Network) -> None:
    real_network.family("laptop", "nas")
    wire = real_network.wire("laptop", "nas")
    laptop, own, device = real_network.places["laptop"], wire.addresses[0], wire.devices[0]
    real_network.places["nas"].run("ip", "route", "add", "10.77.0.9", "dev", wire.devices[1])
    with following(real_network, "laptop") as log:
        log.until(lambda message: message.startswith("a link to nas is up"))
        laptop.run("ip", "address", "delete", own, "peer", wire.addresses[1], "dev", device)
        laptop.run("ip", "address", "add", "10.77.0.9", "peer", wire.addresses[1], "dev", device)
        done = datetime.now(UTC)
        log.until(lambda message: f"{own} is gone" in message)
        ended, _ = log.until(lambda message: "the link to nas ended" in message)
        assert ended == f"the link to nas ended: {own}, the address that it left from, is gone"
        _, again = log.until(lambda message: message.startswith("a link to nas is up"))
    pause = (again - done).total_seconds()
    print(f"linked again {pause * 1000:.0f} ms after the address was another one")
    assert pause < 2 * PROMISE
    assert "nas" in real_network.devices["laptop"].glow("ping", "nas")
