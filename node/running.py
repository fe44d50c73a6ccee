"""`start(home)`: a node inside this OS process, until the block ends."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import trio

from firefly.attachment import ATTACHES, LINKS, PIPES
from firefly.client import Glow
from firefly.runtime import open_workers
from node.attachment import AttachedResource, Attachment, Program
from node.configuration.history import History
from node.configuration.live import Configuration
from node.configuration.settings import (
    DEFAULT,
    DISCOVERY,
    FILE,
    HUB_ADMITS,
    HUB_GRANTED,
    HUB_USES,
    INVITE_LIFETIME,
    LIMIT_ADDRESS,
    LIMIT_HANDSHAKES,
    LIMIT_IDLE,
    LIMIT_NAMESPACE,
    LIMIT_RELAYED,
    LIMIT_STRANGERS,
    LINK_DIRECT,
    LINK_RETRY,
    LISTEN,
    PROCESS_START,
    PROGRAM_LIMIT,
    RELAY,
    Effective,
    given,
)
from node.doorkeeper import Doorkeeper
from node.home import Home
from node.host import ProcessHost
from node.identity import create_identity, create_node_key, load_node_key
from node.links.manager import ACCEPT_PAUSE
from node.logs import hearing
from node.metrics import collect, prometheus_text
from node.network import NetworkWatch
from node.node import Node
from node.node_process import NodeProcess
from node.resting import rest
from node.store import Store

FIRST_BYTE_TIME = 5.0
BACKLOG = 128


@asynccontextmanager
async def start(
    home: Path | str | None = None,
    *,
    name: str | None = None,
    listen: Sequence[str] | None = None,
    found: bool = True,
    pages_for: str | None = None,
) -> AsyncIterator[RunningNode]:
    """Runs the node of `home` and yields it; with no identity there, makes a first device called `name`,
    or, without `found`, one that belongs nowhere until it joins.

    It listens at `listen`, nowhere if that is empty (default: what its configuration says, else as the last time, else
    at a free port that it keeps), and shows its pages there (node/http.py) to "local" or "all" (default: as the last
    time, else local). Yields what `firefly.connect` would, and more. Raises HomeInUse, LinkError, DamagedStore,
    NoIdentity, BadConfiguration, UnreadableConfiguration.
    """
    place = Home(home)
    place.make()
    with place.lock():
        words = ""
        if not place.initialized:
            if found:
                words = create_identity(place, name)
            else:
                create_node_key(place)
        store = Store(place.database)
        try:
            if pages_for is not None:
                store.set("pages-for", pages_for.encode())
            above = given({LISTEN.key: None if listen is None else tuple(listen)}, os.environ)
            configuration = Configuration(History(place.configuration, store), store, above)
            async with _running(place, store, configuration) as running:
                running.words = words
                yield running
        finally:
            store.close()


class RunningNode(Glow):
    """A node in this OS process: what `firefly.connect` yields, with the node's own side of it.

    `words` are the 24 words of the user key if the identity was made just now, else empty.
    """

    def __init__(self, node: Node, doorkeeper: Doorkeeper, configuration: Configuration, stopped: trio.Event) -> None:
        super().__init__(node.peers, node.address, node.key.public)
        self.words = ""
        self.configuration = configuration
        self.stopped = stopped
        self._node = node
        self._doorkeeper = doorkeeper

    @property
    def name(self) -> str:
        return self._node.label

    @property
    def listening(self) -> list[str]:
        return list(self._node.listening)

    @property
    def joined(self) -> bool:
        """Whether this device belongs to a namespace."""
        return self._node.namespace is not None

    async def join(self, link: str, name: str = "") -> None:
        """Joins a namespace by an invite link."""
        await self._doorkeeper.join(link, name)


@asynccontextmanager
async def _running(home: Home, store: Store, configuration: Configuration) -> AsyncIterator[RunningNode]:
    key = load_node_key(home)
    stopped = trio.Event()
    async with open_workers() as workers, trio.open_nursery() as nursery:
        node = Node(home, store, key, nursery, workers)
        nursery.start_soon(node.timer.run)
        doorkeeper = Doorkeeper(node)
        glow = RunningNode(node, doorkeeper, configuration, stopped)
        programs = trio.CapacityLimiter(1)

        async def attach(sock: socket.socket, program: Program, registered: Callable[[AttachedResource], None]) -> str:
            attachment = Attachment(node.peers, sock, program=program)
            attachment.on_registered = registered
            return await attachment.run()

        await nursery.start(_hear, node)
        async with trio.open_nursery() as supervised:
            host = ProcessHost(home, store, node.peers.host, supervised, glow, attach, node.describe_soon, node.log)
            process = NodeProcess(node, host, doorkeeper, configuration, stopped.set)
            node.own_resources = process.own_resources
            node.http.metrics = lambda: prometheus_text(collect(node, host))
            node.peers.host.add(node.address, process)
            _follow(configuration, node, doorkeeper, host, programs)
            node.load()
            doorkeeper.load()
            await _listen(node, store, configuration.effective(LISTEN))
            node.links.standing.follow(store.links())
            nursery.start_soon(_take_all, node, programs, _control_socket(os.fspath(node.home.socket)))
            nursery.start_soon(node.watch_certificates)
            nursery.start_soon(rest, node.router.links, node.peers.sessions.open_sessions)
            nursery.start_soon(node.willingness.run)
            nursery.start_soon(node.discovery.run)
            nursery.start_soon(node.keeper.run)
            nursery.start_soon(NetworkWatch(node.network_changed).run)
            nursery.start_soon(node.links.end_idle)
            nursery.start_soon(configuration.watch)
            await host.start()
            node.describe_soon()
            try:
                yield glow
            finally:
                supervised.cancel_scope.cancel()
        node.peers.close()
        nursery.cancel_scope.cancel()


async def _hear(node: Node, task_status: trio.TaskStatus[None]) -> None:
    """Whatever is logged in this OS process goes into the node's log too."""
    with hearing(node.log, node.peers.host):
        task_status.started()
        await trio.sleep_forever()


def _follow(
    configuration: Configuration, node: Node, doorkeeper: Doorkeeper, host: ProcessHost, programs: trio.CapacityLimiter
) -> None:
    """Where the settings that apply at once go."""
    configuration.follow(INVITE_LIFETIME, partial(setattr, doorkeeper, "lifetime"))
    configuration.follow(LINK_RETRY, partial(setattr, node.links.standing, "longest_pause"))
    configuration.follow(LINK_DIRECT, node.meetings.set)
    configuration.follow(DISCOVERY, node.discovery.set)
    configuration.follow(PROCESS_START, partial(setattr, host, "start_time"))
    configuration.follow(RELAY, node.willingness.set)
    configuration.follow(HUB_GRANTED, node.admission.set_granted)
    configuration.follow(HUB_ADMITS, node.admission.set_policy)
    configuration.follow(HUB_USES, node.admission.set_hubs)
    configuration.follow(PROGRAM_LIMIT, partial(setattr, programs, "total_tokens"))
    configuration.follow(LIMIT_ADDRESS, partial(setattr, node.limits, "links_per_address"))
    configuration.follow(LIMIT_NAMESPACE, partial(setattr, node.limits, "neighbours_per_namespace"))
    configuration.follow(LIMIT_HANDSHAKES, partial(setattr, node.limits, "handshakes_per_second"))
    configuration.follow(LIMIT_STRANGERS, lambda percent: setattr(node.limits.strangers, "share", percent / 100))
    configuration.follow(LIMIT_RELAYED, partial(setattr, node.limits, "relayed_per_second"))
    configuration.follow(LIMIT_IDLE, partial(setattr, node.limits, "idle"))


async def _listen(node: Node, store: Store, listen: Effective[tuple[str, ...]]) -> None:
    """Listens where it is told, else where it did the last time; remembers the real ports.

    A port 0 in the file is the one of the last time.
    """
    node.http.pages_for_all = store.get("pages-for") == b"all"
    stored = store.get("listening")
    kept = (stored or b"").decode().split()
    wanted = list(listen.value)
    if listen.source == DEFAULT and stored is not None:
        wanted = kept
    elif listen.source == FILE:
        ports = {url.rpartition(":")[0]: url for url in kept}
        wanted = [ports.pop(url.removesuffix(":0"), url) if url.endswith(":0") else url for url in wanted]
    real = [await node.links.listen(url) for url in wanted]
    store.set("listening", " ".join(url.kept for url in real).encode())
    node.bound = [url.announced for url in real]

    def announce() -> None:
        node.listening = [address for url in real for address in reachable(url.announced)]

    announce()
    node.on_network_change.append(announce)


def reachable(url: str) -> list[str]:
    """The URLs under which others may reach a listener: for the wildcard, this host's own addresses."""
    for wildcard in ("0.0.0.0", "[::]"):
        if f"//{wildcard}:" in url:
            return [url.replace(wildcard, host) for host in own_addresses()]
    return [url]


def own_addresses() -> list[str]:
    """This host's IPv4 address towards others, if it has one, and loopback. Sends nothing."""
    found = []
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))
        found.append(probe.getsockname()[0])
    except OSError:
        found.clear()  # no route leads anywhere: only this host can reach the node
    finally:
        probe.close()
    return [*dict.fromkeys([*found, "127.0.0.1"])]


def _control_socket(path: str) -> trio.socket.SocketType:
    """The home's unix socket, listening, which only its owner can open."""
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return trio.socket.from_stdlib_socket(listener)


async def _take_all(node: Node, programs: trio.CapacityLimiter, listener: trio.socket.SocketType) -> None:
    """Takes attachments and links on the control socket, and removes it at the end."""
    try:
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    sock, _ = await listener.accept()
                except OSError:  # no descriptor is left for it
                    node.router.counters["accept_errors"] += 1
                    await trio.sleep(ACCEPT_PAUSE)
                    continue
                nursery.start_soon(_take, node, sock, programs)
    finally:
        listener.close()
        node.home.socket.unlink(missing_ok=True)


async def _take(node: Node, sock: trio.socket.SocketType, limiter: trio.CapacityLimiter) -> None:
    """Serves one connection: its first byte says whether it attaches or links."""
    if not _same_user(sock):
        node.router.counters["foreign_users"] += 1
        sock.close()
        return
    with closing(sock):
        async with limiter:
            first = b""
            with trio.move_on_after(FIRST_BYTE_TIME), suppress(OSError):
                first = await sock.recv(1)
            if first == ATTACHES:
                await Attachment(node.peers, socket.socket(fileno=sock.detach())).run()
            elif first in (LINKS, PIPES):
                await node.links.take(trio.SocketStream(sock), "unix" if first == LINKS else "pipe")


def _same_user(sock: trio.socket.SocketType) -> bool:
    """Whether the other end runs under our uid; where the system does not tell, the socket's mode has to do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], "little") in (os.getuid(), 0)
