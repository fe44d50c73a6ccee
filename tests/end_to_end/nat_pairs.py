"""Devices behind NATs of all kinds, which know nobody but a hub: who gets a direct link to whom, and how soon.

Two homes of each kind, with one device each: the callers and the called. All are of one namespace and relay for nobody,
so that each pair is on its own. The hub is far away, so that a direct way is the better one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import trio

import firefly
from firefly.client import Glow
from firefly.interfaces.core import Node, NodeSummary
from tests.end_to_end.coturn import coturn
from tests.end_to_end.devices import Device
from tests.end_to_end.nats import Host, Internet, Nat, forward, internet
from tests.end_to_end.network import Place, Wire

PORT = 8080
HUB = "198.18.255.1"
DELAY = 0.01
"""Seconds that a packet takes to the hub or back."""
ENVIRONMENT = {"GLOW_LINKS_DIRECT": "on", "GLOW_RELAY": "never"}
SETTLED = 90.0
"""Seconds after which a pair that has neither a direct link nor a reason fails."""
DIRECT, RELAYED, HUB_ALONE = "direct", "TURN", "hub"
PATHS = {"direct webrtc": DIRECT, "webrtc through TURN": RELAYED}
HARD = (Nat.PORT_RESTRICTED, Nat.SYMMETRIC)
"""Kinds that let nothing in from a port which a symmetric NAT made up."""


def expected(caller: Nat, called: Nat) -> str:
    if Nat.UDP_BLOCKED in (caller, called):
        return HUB_ALONE
    if Nat.SYMMETRIC in (caller, called) and caller in HARD and called in HARD:
        return RELAYED
    return DIRECT


@dataclass
class Pair:
    """What became of one pair. Times in seconds, from the first call."""

    caller: Nat
    called: Nat
    first_call: float = 0.0
    linked: float | None = None
    path: str = ""
    said: str = ""

    @property
    def name(self) -> str:
        return f"{self.caller.value} -> {self.called.value}"


@dataclass
class World:
    """The hub, and a device of each kind on both sides."""

    net: Internet
    hub: Device
    hub_place: Place
    wire: Wire
    callers: dict[Nat, Device] = field(default_factory=dict)
    called: dict[Nat, Device] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    homes: dict[str, Any] = field(default_factory=dict)

    @property
    def devices(self) -> list[Device]:
        return [*self.callers.values(), *self.called.values()]


def name_of(side: str, kind: Nat) -> str:
    return f"{side}-{kind.value.lower().replace(' ', '-')}"


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """What is started in the block finds these variables."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def far_hub(net: Internet) -> tuple[Place, Wire]:
    """A host with a public address that is DELAY away from the internet."""
    exchange, place = net.host("exchange"), Place("hub")
    forward(exchange)
    wire = Wire((exchange, place), 200, DELAY, 0.0, None)
    wire.start()
    near, far = wire.addresses
    place.run("ip", "address", "add", f"{HUB}/32", "dev", "lo")
    place.run("ip", "route", "add", "default", "via", near, "src", HUB)
    exchange.run("ip", "route", "add", HUB, "via", far)
    net.lead(HUB, exchange)
    return place, wire


@contextmanager
def world(
    folder: Path, kinds: tuple[Nat, ...] = tuple(Nat), turn: bool = True, shared: bool = False, relays: bool = True
) -> Iterator[World]:
    """Everything runs; no device has a link but to the hub, which forwards for them if it `relays`. Caller and called
    of a kind may share a home.
    """
    with internet() as net, ExitStack() as stack, environment(ENVIRONMENT):
        place, wire = far_hub(net)
        stack.callback(wire.stop)
        flags = []
        if turn:
            host = net.host("turn")
            server = stack.enter_context(coturn(host, folder))
            (folder / "secret").write_text(server.secret)
            flags = ["--turn", f"turn:{server.address}:{server.port}", "--turn-secret-file", str(folder / "secret")]
        made = World(net, Device(folder / "hub", place.within), place, wire)
        stack.callback(stop, made)
        for kind in kinds:
            for side, devices in (("a", made.callers), ("b", made.called)):
                name = name_of(side, kind)
                made.homes[name] = made.homes[name_of("a", kind)] if shared and side == "b" else net.home(kind)
                made.hosts[name] = made.homes[name].device(name)
                devices[kind] = Device(folder / name, place.within)
        pair(made, flags, relays)
        for name, device in zip(sorted_names(made), made.devices, strict=True):
            device.within = made.hosts[name].within
            device.start("node", "--listen", "none")
            device.glow("link", "add", f"tcp://{HUB}:{PORT}")
        yield made


def sorted_names(made: World) -> list[str]:
    return [name_of(side, kind) for side, devices in (("a", made.callers), ("b", made.called)) for kind in devices]


def pair(made: World, flags: list[str], relays: bool) -> None:
    """All devices become one namespace, in one place; the hub its relay, which goes on."""
    devices = dict(zip(sorted_names(made), made.devices, strict=True))
    first_name, first = next(iter(devices.items()))
    first.start("node", "--name", first_name, "--listen", "tcp://127.0.0.1:0")
    with environment({"GLOW_RELAY": "always" if relays else ""}):
        made.hub.start("signaling", "--listen", f"0.0.0.0:{PORT}", "--host", HUB, *flags)
    made.hub.glow("join", first.json("invite", "--role", "relay", "--name", "hub", "--yes")["link"])
    for name, device in devices.items():
        if device is not first:
            link = first.json("invite", "--name", name, "--yes")["link"]
            device.start("join", link, "--name", name, "--listen", "none")
    if not relays:
        made.hub.glow("config", "set", "relay", "never")
    for device in [*devices.values(), made.hub]:
        for known in device.json("link", "ls"):
            device.glow("link", "rm", known["urls"][0])
    for device in devices.values():
        device.stop()


def stop(made: World) -> None:
    for device in [*made.devices, made.hub]:
        if device.node is not None:
            device.node.kill()
            device.node.communicate()


async def measure(made: World) -> list[Pair]:
    """Calls from each caller to each called one, and waits until every pair has what it gets."""
    pairs = [Pair(caller, called) for caller in made.callers for called in made.called]
    async with AsyncExitStack() as stack:
        glows = {id(device): await stack.enter_async_context(firefly.connect(device.home)) for device in made.devices}
        async with trio.open_nursery() as nursery:
            for each in pairs:
                caller, called = glows[id(made.callers[each.caller])], glows[id(made.called[each.called])]
                nursery.start_soon(follow, each, caller, called)
    return pairs


async def follow(pair: Pair, caller: Glow, called: Glow) -> None:
    node = caller.at(called.address, called.address, Node)
    with trio.fail_after(SETTLED):
        while not (await known(caller, called)).reachable:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.1)
    begun = monotonic()
    assert await node.echo(b"first") == b"first"
    pair.first_call = monotonic() - begun
    with trio.fail_after(SETTLED):
        while not pair.path:
            await trio.sleep(0.2)
            status = await caller.node.node_status()
            other = next(node for node in status.nodes if node.address == called.address)
            if other.how in PATHS:
                pair.path, pair.linked = PATHS[other.how], monotonic() - begun
            elif "again in" in other.direct:
                pair.path, pair.said = HUB_ALONE, other.direct
    assert await node.echo(b"last") == b"last"


async def known(glow: Glow, other: Glow) -> NodeSummary:
    """What a device knows of another one."""
    return next(node for node in (await glow.node.node_status()).nodes if node.address == other.address)


def table(pairs: list[Pair]) -> str:
    """A row per caller, a column per called device, in Markdown."""
    kinds = list(dict.fromkeys(each.called for each in pairs))
    rows = [["from \\ to", *(kind.value for kind in kinds)], ["---"] * (len(kinds) + 1)]
    for caller in dict.fromkeys(each.caller for each in pairs):
        mine = [each for each in pairs if each.caller is caller]
        rows.append([caller.value, *(each.path for each in mine)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
