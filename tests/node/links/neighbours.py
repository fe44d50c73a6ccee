"""Two link managers with real routers, and any transport between them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from firefly.attachment import LINKS, PIPES
from firefly.keys import NodeKey
from firefly.packet import BULK, CONTROL, DATA, HEADER_SIZE, TOPOLOGY, pack_header
from node.http import Http
from node.links.link import Link
from node.links.manager import LinkManager
from node.links.ports import Ports
from node.router import Router

TRANSPORTS = ("memory", "pipe", "tcp", "unix", "ws", "wss")
WAIT = 20.0
"""Seconds, of the test's clock, after which a test fails instead of hanging."""


class Neighbour:
    """A node up to its links: certifies whoever it meets (or, without `certifies`, nobody), notes what arrives."""

    def __init__(self, nursery: trio.Nursery, folder: Path, certifies: bool = True, key: NodeKey | None = None) -> None:
        self.key = key or NodeKey.generate()
        self.instance = os.urandom(8)
        self.certifies = certifies
        self.router = Router(self.key.address, trio.current_time)
        self.router.mesh = self
        self.router.sessions = self
        self.http = Http(self.router.counters, lambda: "metrics\n")
        ports = Ports(folder, self.http)
        self.manager = LinkManager(self.key, self.instance, self.router, nursery, self, ports)
        self.arrived: list[bytes] = []
        self.topology: list[bytes] = []
        self.ups: list[Link] = []
        self.downs: list[Link] = []
        self.url = ""
        self.changed = trio.Condition()
        self._nursery = nursery

    # Mesh
    def next_hop(self, destination: bytes, arrival: Any) -> Any:
        found = [link for link in self.router.links if link.peer_address == destination]
        return found[0] if found else None

    def receive_topology(self, link: Any, payload: bytes, now: float) -> None:
        self.topology.append(payload)

    # Sessions
    def receive(self, packet: bytes, now: float, arrival: object) -> None:
        self.arrived.append(packet[HEADER_SIZE:])
        self._nursery.start_soon(self._tell)

    # Neighbourhood
    def link_up(self, link: Link) -> None:
        link.certified = self.certifies
        self.ups.append(link)
        self._nursery.start_soon(self._tell)

    def link_down(self, link: Link) -> None:
        self.downs.append(link)
        self._nursery.start_soon(self._tell)

    def link_measured(self, link: Link) -> None:
        self._nursery.start_soon(self._tell)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Waits for something that a link causes."""
        with trio.fail_after(WAIT):
            async with self.changed:
                while not holds():
                    await self.changed.wait()

    def send(self, destination: bytes, *payloads: bytes) -> Pile:
        """Gives packets to the link towards `destination`, as a session would: when it asks."""
        pile = Pile(self.key.address, destination, payloads)
        self.router.ready(pile)
        self.router.flush()
        return pile

    def say(self, link: Link, *payloads: bytes) -> None:
        """Sends TOPOLOGY packets to a neighbour."""
        link.queue.ready(Pile(self.key.address, link.peer_address, payloads, TOPOLOGY, CONTROL))
        self.router.touch(link)
        self.router.flush()


async def end_of(link: Link) -> str:
    """Waits for the end of a link; returns why it ended."""
    with trio.fail_after(WAIT):
        await link.down.wait()
    return link.reason


class Pile:
    """A flow that has all its packets from the start."""

    way = None

    def __init__(
        self, source: bytes, destination: bytes, payloads: tuple[bytes, ...], kind: int = DATA, priority: int = BULK
    ) -> None:
        self.destination = destination
        self.priority = priority
        self.left = [
            pack_header(kind, priority, len(payload), destination, source) + payload for payload in reversed(payloads)
        ]

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        return self.left.pop() if self.left else None


@asynccontextmanager
async def listening(scheme: str, folder: Path, certifies: bool = True) -> AsyncIterator[tuple[Neighbour, Neighbour]]:
    """One that listens at its `url`, and one that may dial it."""
    async with trio.open_nursery() as nursery:
        owner, dialler = Neighbour(nursery, folder, certifies), Neighbour(nursery, folder, certifies)
        if scheme in ("unix", "pipe"):
            path = folder / "control.sock"
            await _control_socket(owner, path, nursery)
            owner.url = f"unix:{path}" if scheme == "unix" else pipe_url(path)
        else:
            wanted = f"memory:{folder}" if scheme == "memory" else f"{scheme}://127.0.0.1:0"
            owner.url = (await owner.manager.listen(wanted)).announced
        yield owner, dialler
        nursery.cancel_scope.cancel()


SPLICE = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from node.cli.splice import splice
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
sock.sendall(b"p")
splice(sock, 0, 1)
"""


def pipe_url(path: Path) -> str:
    """An address that leads through a command to a control socket, as `glow link stdio` does in a tenth of the time."""
    return "pipe:" + shlex.join([sys.executable, "-ISc", SPLICE.strip().replace("\n", "; "), os.getcwd(), str(path)])


async def _control_socket(owner: Neighbour, path: Path, nursery: trio.Nursery) -> None:
    """What a running node does on its control socket, for links alone."""
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(os.fspath(path))
    sock.listen()

    async def take(stream: trio.SocketStream) -> None:
        first = await stream.receive_some(1)
        await owner.manager.take(stream, {LINKS: "unix", PIPES: "pipe"}[bytes(first)])

    nursery.start_soon(trio.serve_listeners, take, [trio.SocketListener(sock)])


@asynccontextmanager
async def linked(scheme: str, folder: Path) -> AsyncIterator[tuple[Neighbour, Neighbour, Link]]:
    """Both, with one link up; and that link at the side that dialled."""
    async with listening(scheme, folder) as (owner, dialler):
        link = await dialler.manager.dial(owner.url, owner.key.public)
        await dialler.until(lambda: dialler.ups)
        await owner.until(lambda: owner.ups)
        yield owner, dialler, link
