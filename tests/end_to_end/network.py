"""Devices that share nothing but wires: each in a network namespace of its own, joined by `wan.py` (Linux, root)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.end_to_end.devices import Device

PREFIX = "glow"
"""Namespaces are called glow-PID-NAME, after the process whose they are."""
PORT = 4747
TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}
"""Commands that are needed, and the Debian package of each."""
RULES = """
table inet wan {
    set silent { type ifname; }
    chain arriving { type filter hook input priority 0; iifname @silent drop; }
}
"""
SWITCH = "switch"
WAN = Path(__file__).with_name("wan.py")
BURST, BUFFER = "32kb", "100ms"
"""What a link with a rate lets through at once, and how long a packet may wait for its turn."""


def missing(tools: Mapping[str, str] = TOOLS) -> str:
    """Why no such network can be made here with these tools; empty if it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "only root makes network namespaces: sudo make test-slow"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun here"
    absent = {package for command, package in tools.items() if shutil.which(command) is None}
    return f"apt install {' '.join(sorted(absent))}" if absent else ""


def command(*words: str, text: str | None = None) -> str:
    """Runs a command that must succeed; returns what it prints."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


class Place:
    """A network namespace, for one device. What it `run`s, or starts with `within` in front, is in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.namespace = f"{PREFIX}-{os.getpid()}-{name}"
        self.within = ("ip", "netns", "exec", self.namespace)
        command("ip", "netns", "add", self.namespace)
        self.run("ip", "link", "set", "lo", "up")
        self.run("nft", "-f", "-", text=RULES)

    def run(self, *words: str, text: str | None = None) -> str:
        return command(*self.within, *words, text=text)


class Wire:
    """A link of two namespaces. `addresses` are those of its two ends."""

    def __init__(self, ends: tuple[Place, Place], number: int, delay: float, loss: float, rate: str | None) -> None:
        self.ends = ends
        self.addresses = f"10.77.{number}.1", f"10.77.{number}.2"
        first, second = ends
        self.devices = f"to-{second.name}", f"to-{first.name}"
        names = [first.namespace, self.devices[0], second.namespace, self.devices[1]]
        words = [sys.executable, str(WAN), *names, "--delay", str(delay), "--loss", str(loss), "--seed", str(number)]
        self._rate = rate
        self._relay = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def start(self) -> None:
        """Returns when packets pass."""
        assert self._relay.stdout is not None
        assert self._relay.stdout.readline() == "ready\n"
        both = zip(self.ends, self.devices, self.addresses, self.addresses[::-1], strict=True)
        for place, device, own, other in both:
            place.run("ip", "address", "add", own, "peer", other, "dev", device)
            place.run("ip", "link", "set", device, "up")
            if self._rate is not None:
                shape = f"tbf rate {self._rate} burst {BURST} latency {BUFFER}"
                place.run("tc", "qdisc", "add", "dev", device, "root", *shape.split())

    def __str__(self) -> str:
        return "-".join(place.name for place in self.ends)

    def close(self) -> None:
        """Both ends are told at once that their connections are over, and so is who begins one."""
        self._say("close")

    def open(self) -> None:
        self._say("open")

    def silence(self, ends: tuple[int, ...] = (0, 1)) -> None:
        """What comes to these ends is dropped from now on, and nobody is told."""
        for end in ends:
            self._rule("add", end)

    def restore(self, ends: tuple[int, ...] = (0, 1)) -> None:
        for end in ends:
            self._rule("delete", end)

    def _rule(self, verb: str, end: int) -> None:
        self.ends[end].run("nft", verb, "element", "inet", "wan", "silent", "{", f'"{self.devices[end]}"', "}")

    def _say(self, word: str) -> None:
        assert self._relay.stdin is not None
        self._relay.stdin.write(f"{word}\n")
        self._relay.stdin.flush()

    def stop(self) -> None:
        try:
            self._relay.communicate(timeout=10)  # its input ends, and so does it
        except subprocess.TimeoutExpired:
            self._relay.kill()
            self._relay.communicate()


class Network:
    """Places, the wires between them, and the devices in them: `folder` holds their homes."""

    def __init__(self, folder: Path) -> None:
        self.places: dict[str, Place] = {}
        self.devices: dict[str, Device] = {}
        self.wires: list[Wire] = []
        self._folder = folder

    def family(self, *names: str) -> None:
        """Devices of one namespace of Glow, each with a running node that has no link yet.

        They meet in the place of the first, before each goes to its own.
        """
        for name in names:
            self.places[name] = Place(name)
            self.devices[name] = Device(self._folder / name, self.places[names[0]].within)
        hub = self.devices[names[0]]
        hub.start("node", "--name", names[0], "--listen", "tcp://127.0.0.1:0")
        for name in names[1:]:
            link = hub.json("invite", "--name", name, "--yes")["link"]
            self.devices[name].start("join", link, "--name", name, "--listen", "none")
        for name, device in self.devices.items():
            for known in device.json("link", "ls"):
                device.glow("link", "rm", known["urls"][0])
            device.stop()
            device.within = self.places[name].within
        for device in self.devices.values():
            device.start("node", "--listen", f"tcp://0.0.0.0:{PORT}")

    def wire(self, one: str, other: str, *, delay: float = 0.0, loss: float = 0.0, rate: str | None = None) -> Wire:
        """Joins two places, and has `one` keep a link to `other`."""
        wire = Wire((self.places[one], self.places[other]), len(self.wires), delay, loss, rate)
        self.wires.append(wire)
        wire.start()
        self.devices[one].glow("link", "add", f"tcp://{wire.addresses[1]}:{PORT}")
        return wire

    def lan(self) -> None:
        """Joins all places by a switch, each with an address of the same network, and no way to anywhere else."""
        switch = self.places[SWITCH] = Place(SWITCH)
        switch.run("ip", "link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
        switch.run("ip", "link", "set", "lan", "up")
        for number, (name, place) in enumerate(list(self.places.items())[:-1], 1):
            place.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", switch.namespace)
            switch.run("ip", "link", "set", name, "master", "lan", "up")
            place.run("ip", "address", "add", f"192.168.77.{number}/24", "dev", "eth0")
            place.run("ip", "link", "set", "eth0", "up")

    def stop(self) -> None:
        """Ends every node, relay and namespace, whatever state they are in."""
        for device in self.devices.values():
            if device.node is not None:
                device.node.kill()
                device.node.communicate()
        for wire in self.wires:
            wire.stop()
        for namespace in namespaces_of(str(os.getpid())):
            remove(namespace)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network that is gone at the end of the block. What a run that was killed has left is removed first."""
    remove_leftovers()
    made = Network(folder)
    try:
        yield made
    finally:
        made.stop()


def remove_leftovers() -> None:
    """Removes the namespaces of processes that are no more, with all that still runs in them."""
    for namespace in namespaces_of("[0-9]+"):
        if not os.path.exists(f"/proc/{namespace.split('-')[1]}"):
            remove(namespace)


def namespaces_of(process: str) -> list[str]:
    """Those that were made by a process: its id, or a pattern for several."""
    listed: list[dict[str, Any]] = json.loads(command("ip", "-json", "netns", "list") or "[]")
    return [entry["name"] for entry in listed if re.match(f"{PREFIX}-{process}-", entry["name"])]


def remove(namespace: str) -> None:
    """Ends what runs in a network namespace, and the namespace."""
    for process in command("ip", "netns", "pids", namespace).split():
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    command("ip", "netns", "delete", namespace)
