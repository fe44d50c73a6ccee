"""A running node: every part of it, wired together in one place."""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import trio

from firefly.address import address_of
from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import LogLevel
from firefly.keys import NodeKey
from firefly.runtime import Caller, Workers
from node.admission import Admission
from node.certificates import ADMIN, MEMBER, RELAY, Certificate, CertificateBook, certify
from node.directory import Contents, Directory, DirectoryKind, NameKind, NamespaceKey, Resource, directory_statement
from node.discovery import Discovery
from node.home import Home
from node.http import Http
from node.hub_services import HubServices
from node.identity import check_label
from node.keeper import Keeper
from node.limits import Budget
from node.links.link import Link
from node.links.manager import LinkManager
from node.links.ports import Ports
from node.links.standing import reason_of
from node.liveness import IDLE_SAVING
from node.logs import NODE, Log
from node.meetings import Meetings
from node.offers import Offers
from node.peers import Peers
from node.rendezvous import Rendezvous
from node.router import Router
from node.routing import Admitted, Mesh, MeshEvents, Refusal, Relay, TopologyFlow
from node.store import Store
from node.timer import Timer
from node.ways import Way, Ways
from node.willingness import Willingness

KIND_PENALTY = {"tcp": 0, "unix": 0, "memory": 0, "pipe": 0, "websocket": 100, "webrtc": 200}
"""µs that a link's kind adds to its cost."""
DESCRIBE_DELAY = 0.05
"""Seconds that changes of the resource table are collected before the directory is told."""
EAGER_LINKS = 64
TELL_PACE = 50e-6
"""With more links than that, queues and sessions hear of new routes after so many seconds per link."""
RENEWAL_CHECK = 60.0
"""Seconds between two looks at the certificates."""
SEQUENCE_RESERVE = 100_000
"""Numbers of records that a start of the node may use."""


RELAYS = {Relay.ALWAYS: "for others", Relay.RELUCTANT: "only where nothing else can", Relay.NEVER: "nothing"}
"""What the log says of this node's willingness."""


class Node:
    """Wires keys, routing, sessions, links and directory. `nursery` ends with the node."""

    def __init__(self, home: Home, store: Store, key: NodeKey, nursery: trio.Nursery, workers: Workers) -> None:
        self.home = home
        self.store = store
        self.key = key
        self.address = key.address
        self.instance = os.urandom(8)
        self.started = datetime.now(UTC)
        self.listening: list[str] = []
        self.bound: list[str] = []
        """Where it listens, wildcards as they are; `listening` has this device's addresses in their place."""
        self.on_network_change: list[Callable[[], None]] = []
        self.log = Log()
        self.namespace: bytes | None = None
        self.directories: dict[bytes, Directory] = {}
        self.own_resources: Callable[[], list[Resource]] = list
        self.pair: Callable[[Link, int, bytes], None] = lambda link, step, body: None
        self.waits_at_door: Callable[[Link], bool] = lambda link: False
        self._nursery = nursery
        self._describing = self._loading = self._telling = False
        self._sequence = 0
        self.book = CertificateBook(self._certificates_changed)
        self.router = Router(key.address, trio.current_time)
        self.keeper = Keeper(store, self.router.counters)
        self.timer = Timer(self._after_timer)
        self.mesh = Mesh(
            key,
            self.instance,
            self.book.standing,
            MeshEvents(
                ready=self._topology_ready,
                changed=self._routes_changed,
                broken=self._ways_broken,
                restarted=self._restarted,
                cloned=self._cloned,
                pair=lambda link, step, body, now: self.pair(link, step, body),  # type: ignore[arg-type]
                earlier=lambda: self.timer.arm(self.mesh),
                closed=_closed_by_neighbour,  # type: ignore[arg-type]
            ),
            random.random,
            roster=self.book,
            kinds=(
                _Kept(self, self.book),
                _Kept(self, NameKind(self.book, self.directories, self._directory_changed)),
                _Kept(self, DirectoryKind(self.book, self.directories, self._directory_changed), stored=False),
            ),
        )
        self.router.mesh = self.mesh
        self.peers = Peers(key, self.router, workers, self.caller_of, self.instance)
        self.totals = self.peers.totals
        self.peers.offer = self.offer
        self.peers.resources_changed = self.describe_soon
        self.router.sessions = self.peers.sessions
        self.peers.sessions.earlier = partial(self.timer.arm_at, self.peers.sessions)
        self.peers.sessions.find_way, self.peers.sessions.moved = self.mesh.way, self._detoured
        self.http = Http(self.router.counters)
        self.links = LinkManager(key, self.instance, self.router, nursery, self, Ports(home.path, self.http))
        self.limits = self.links.limits
        self.limits.known = lambda key: self._listed(address_of(key))
        self.links.standing.failed = self._link_failed
        self.links.standing.eager = self.peers.stuck
        self.timer.add(self.mesh)
        self.timer.add(self.peers.sessions)
        self.ways = Ways(self._known_nodes, self._way, self.name_of, self._way_changed)
        nursery.start_soon(self.ways.run)
        self.meetings = Meetings(self, nursery)
        self.hub_services = HubServices(self)
        self.rendezvous = Rendezvous(self, nursery)
        self.offers = Offers(self, nursery)
        self.meetings.servers = self.hub_services.servers
        self.peers.sessions_changed = self.meetings.wake
        self.peers.find = self.meetings.find
        self.on_network_change.append(self.meetings.network_changed)
        nursery.start_soon(self.meetings.run)
        nursery.start_soon(self.rendezvous.run)
        self.discovery = Discovery(self, nursery)
        self.on_network_change.append(self.discovery.network_changed)
        self.willingness = Willingness(self)
        self.admission = Admission(self._listed, self._certificates_changed)
        self.links.ending = self.admission.ending
        self.peers.no_path = self._no_path
        self.glow = Glow(self.peers, key.address, key.public)

    # --- the namespace

    def enter(self, namespace: bytes, secret: NamespaceKey | None) -> None:
        """Takes part in a namespace from now on; its statements are to be published next.

        The first one is this node's own; in all others it is a relay, without their keys.
        """
        self.namespace = self.namespace or namespace
        self.book.namespaces.add(namespace)
        self.directories[namespace] = Directory(namespace, self.book, secret)
        self.mesh.join(namespace, self._next_sequence(), trio.current_time())
        self.timer.arm(self.mesh)

    def _next_sequence(self) -> int:
        """Above every number that this node has used, also where its clock was set back: a reserve is on disk."""
        stored = int.from_bytes(self.store.get("sequence") or b"", "big")
        first = max(stored + 1, int(time.time() * 1000))
        self.store.set("sequence", (first + SEQUENCE_RESERVE).to_bytes(8, "big"))
        return first

    def load(self) -> None:
        """Comes back as the store says, or to what it says anew (blocking)."""
        secret = self.store.get("namespace-key")
        fresh = [namespace for namespace in self.serving(self.store) if namespace not in self.mesh.areas]
        for namespace in fresh:
            own = self.namespace is None
            self.enter(namespace, NamespaceKey(secret) if own and secret else None)
        if fresh:
            self._loading = True
            self._load_statements(self.store.statements())
            self._loading = False

    @staticmethod
    def serving(store: Store) -> list[bytes]:
        """The namespaces that a store knows this node to be in, its own first."""
        known = (store.get("namespace") or b"") + (store.get("served") or b"")
        return [known[start : start + 32] for start in range(0, len(known), 32)]

    def _load_statements(self, statements: list[bytes]) -> None:
        """Takes them in whatever order they were kept: one may need the certificate of another's signer."""
        before = len(statements) + 1
        while len(statements) < before:
            before = len(statements)
            outcomes = [(data, self.mesh.flooding.publish(data, trio.current_time())) for data in statements]
            statements = [data for data, outcome in outcomes if isinstance(outcome, Refusal)]

    @property
    def directory(self) -> Directory | None:
        return self.directories.get(self.namespace) if self.namespace is not None else None

    @property
    def label(self) -> str:
        directory = self.directory
        return directory.label_of(self.address) if directory is not None else ""

    @property
    def role(self) -> int:
        return self.book.role(self.namespace, self.key.public) if self.namespace is not None else 0

    def caller_of(self, key: bytes) -> Caller:
        """What the certificates say of a node: its role in this node's own namespace, 0 if it has none there.

        Its namespace is one that both are in; empty if there is none.
        """
        own = self.namespace or b""
        role = self.book.role(own, key)
        others = [] if role else self.book.shared(self.key.public, key)
        return Caller(key, own if role else b"".join(others[:1]), role, address_of(key))

    def start_soon(self, task: Callable[..., Any], *arguments: Any) -> None:
        """Runs a task for as long as the node runs."""
        self._nursery.start_soon(task, *arguments)

    def after_joining(self, link: Link) -> None:
        """The store holds a namespace now: enters it, and links anew as one who belongs to it.

        What came over the pairing link meanwhile was for a member that this node was not yet.
        """
        link.close("paired; a link for the namespace follows")
        self.load()
        self.links.standing.follow(self.store.links())
        self.describe_soon()

    def keep(self, kind: str, slot: bytes, identifier: bytes, data: bytes) -> None:
        """Has a statement written to the store, unless it comes from there."""
        if not self._loading:
            self.keeper.keep(kind, slot, identifier, data)

    def publish(self, data: bytes) -> None:
        self.mesh.flooding.publish(data, trio.current_time())
        self.timer.arm(self.mesh)
        self.router.flush()

    async def watch_certificates(self) -> None:
        """Ends what rests on a certificate that has run out; an administrator renews what is 20 days old."""
        while True:
            self._certificates_changed()
            self._expel_uncertified()
            if self.namespace is not None and self.role == ADMIN:
                for certificate in self.book.due_for_renewal(self.namespace):
                    self.publish(certify(self.key, self.namespace, certificate.key, certificate.role, time.time()))
            await trio.sleep(RENEWAL_CHECK)

    def _expel_uncertified(self) -> None:
        now = trio.current_time()
        for namespace, area in self.mesh.areas.items():
            certified = {address_of(key) for key in self.book.keys(namespace)}
            for address in [address for address in area.records if address not in certified]:
                self.mesh.expel(namespace, address, now)

    # --- links (Neighbourhood)

    def link_up(self, link: Link) -> None:
        now = trio.current_time()
        link.liveness.earlier = partial(self.timer.arm_at, link)
        self.timer.add(link)
        self.mesh.link_up(link, link.peer_key, (), now)
        self._introduce(link, self._certify(link, now))
        self._announce(link)
        if not link.certified and self.waits_at_door(link):
            self.links.begin_pairing(link)
        self.meetings.link_up(link)
        self.timer.arm(self.mesh)
        self.router.flush()

    def trial_over(self, link: Link) -> None:
        """A link has proven itself, and carries packets from now on."""
        self._certify(link, trio.current_time())
        self.timer.arm(self.mesh)
        self.router.flush()

    def _certify(self, link: Link, now: float) -> list[bytes]:
        """Judges anew what a neighbour may do; the namespaces that are shared with it."""
        namespaces = self._with_room(link, self.book.shared(self.key.public, link.peer_key))
        before, link.certified = link.admitted, bool(namespaces)
        link.admitted = self.admission.judge(link, self.router.links)
        link.budget = self._budget(link, namespaces)
        link.liveness.idle = self._idle(link, namespaces)
        self.mesh.link_certified(link, () if link.on_trial else namespaces, now)
        self.mesh.link_admitted(link, link.admitted, now)
        if before is not None and link.admitted is None and not namespaces:
            link.close(*self.admission.ending(link, before))
        return namespaces

    def _with_room(self, link: Link, namespaces: list[bytes]) -> list[bytes]:
        """The namespaces that a link is for; none, and it ends, where this node has neighbours enough."""
        for namespace in namespaces:
            refused = self.limits.crowded(self.mesh.areas[namespace].neighbours, link.peer_address)
            if refused:
                link.close(refused)
                return []
        return namespaces

    def _budget(self, link: Link, namespaces: list[bytes]) -> Budget | None:
        """What a neighbour may have forwarded; one's own nodes as much as they like."""
        if link.admitted is Admitted.NODE:
            return self.limits.budget(link.peer_address)
        if not namespaces or self.namespace in namespaces:
            return None
        return self.limits.budget(min(namespaces))

    def link_down(self, link: Link) -> None:
        now = trio.current_time()
        self.limits.budgets.pop(link.peer_address, None)
        if link.announced:
            name = self.name_of(link.peer_address)
            self._tell(LogLevel.WARNING, link.url, f"the link to {name} ended: {link.reason}")
        if link.certified:
            self.totals.link_ended(link)
        self.timer.discard(link)
        self.meetings.link_down(link)
        self.discovery.link_down(link)
        self.mesh.link_down(link, now)
        self.peers.sessions.link_lost(link, now)
        self.timer.arm(self.mesh)
        self.router.flush()

    def _announce(self, link: Link) -> None:
        """Tells the log, once, of a link that is up; not of a stranger's, who could fill the log."""
        if not link.announced and (link.certified or link in self.links.initiated):
            link.announced = True
            self._tell(LogLevel.INFO, link.url, f"a link to {self.name_of(link.peer_address)} is up")

    def _link_failed(self, url: str, reason: str) -> None:
        self._tell(LogLevel.WARNING, url, f"no link came about: {reason}")

    def link_failed(self, what: str, error: GlowError) -> None:
        """Tells the log of a link that came to nothing, or ended."""
        self.log.add(LogLevel.WARNING, NODE, "links", f"{what}: {reason_of(error)}", {})

    def _tell(self, level: LogLevel, url: str, what: str) -> None:
        self.log.add(level, NODE, "links", what, {"url": url})

    def name_of(self, address: bytes) -> str:
        """What a node is called, or the beginning of its address."""
        return (self.directory.label_of(address) if self.directory is not None else "") or address.hex()[:8]

    def _introduce(self, link: Link, shared: list[bytes]) -> None:
        """Shows the neighbour our certificates, each once: those of `shared` namespaces; if it was dialled, our own."""
        own = [self.namespace] if self.namespace is not None and link in self.links.initiated else []
        for namespace in dict.fromkeys(shared or own):
            if namespace not in link.introduced:
                link.introduced |= {namespace}
                self.mesh.flooding.introduce(link, self.book.chain(namespace, self.key.public))

    def link_measured(self, link: Link) -> None:
        self.mesh.cost(link, link.liveness.cost + KIND_PENALTY.get(link.kind, 0), trio.current_time())
        self.timer.arm(self.mesh)

    def _idle(self, link: Link, namespaces: list[bytes]) -> float:
        """After how many seconds without a word a link is probed: seldom where one end is a hub, which has many."""
        hub = link.admitted is not None or any(
            RELAY in (self.book.role(namespace, self.key.public), self.book.role(namespace, link.peer_key))
            for namespace in namespaces
        )
        return max(self.willingness.idle, IDLE_SAVING) if hub else self.willingness.idle

    def relay_changed(self, relay: Relay, idle: float) -> None:
        """How willing this node is to forward, and after how many seconds an idle link is probed, from now on."""
        for link in self.router.links:
            link.liveness.idle = self._idle(link, self.book.shared(self.key.public, link.peer_key))
            self.timer.arm(link)
        self.mesh.set_relay(relay, trio.current_time())
        self.timer.arm(self.mesh)
        why = f": {self.willingness.why}" if self.willingness.why else ""
        self.log.add(LogLevel.INFO, NODE, "routes", f"this node relays {RELAYS[relay]}{why}", {})

    def network_changed(self, what: str) -> None:
        """This device has other addresses, or another way out, or has slept: what rests on the old ones is looked at.

        A link whose neighbour does not answer is down in 1.5 s. `on_network_change` hears of it.
        """
        self.log.add(LogLevel.INFO, NODE, "network", f"the network changed: {what}", {})
        self.links.network_changed()
        for link in self.router.links:
            self.timer.arm(link)
        for changed in self.on_network_change:
            changed()

    def _no_path(self, address: bytes) -> str:
        """Why no path leads to a node: to one of others, what the hubs in use for them say."""
        nowhere = "no path leads to it from here"
        standing = [] if self._listed(address) else self.links.standing.all
        hubs = [each for each in standing if each.peer and self.admission.uses(address_of(each.peer)) and each.reason]
        return "; ".join([nowhere, *(f"the hub at {each.urls[0]}: {each.reason}" for each in hubs)])

    def _listed(self, address: bytes) -> bool:
        """Whether a node has, or had, a certificate of a namespace that this one is in."""
        return any(self.book.lists(namespace, address) for namespace in self.book.namespaces)

    # --- what the parts tell

    def _topology_ready(self, link: Any) -> None:
        link.queue.ready(link.topology_flow(lambda: TopologyFlow(self.mesh, link, self.address, link.peer_address)))
        self.router.touch(link)

    def _routes_changed(self) -> None:
        self.ways.changed()
        if len(self.router.links) <= EAGER_LINKS:
            self._tell_of_routes()
            return
        if not self._telling:
            self._telling = True
            self._nursery.start_soon(self._tell_later)

    async def _tell_later(self) -> None:
        """What changes meanwhile is told together: where there are many links, one of them always comes or goes."""
        await trio.sleep(TELL_PACE * len(self.router.links))
        self._telling = False
        self._tell_of_routes()

    def _tell_of_routes(self) -> None:
        self.router.routes_changed()
        self.peers.sessions.routes_changed(self.mesh.next_hop, trio.current_time())
        self.meetings.ways_changed()
        self.rendezvous.wake()
        self.router.flush()

    def _known_nodes(self) -> list[bytes]:
        return [address for area in self.mesh.areas.values() for address in area.records if address != self.address]

    def _way(self, address: bytes) -> Way:
        link: Any = self.mesh.next_hop(address)
        return None if link is None else (link.peer_address, link, self.peers.sessions.waypoints(address))

    def _detoured(self) -> None:
        self.ways.changed()
        self.router.moved()

    def _way_changed(self, level: LogLevel, what: str) -> None:
        self.log.add(level, NODE, "routes", what, {})

    def _ways_broken(self, destinations: set[bytes]) -> None:
        self.peers.sessions.ways_broken(destinations, trio.current_time())
        self.router.flush()

    def _restarted(self, address: bytes, instance: bytes, now: float) -> None:
        self.peers.sessions.peer_restarted(address, instance, now)

    def _cloned(self, instance: bytes) -> None:
        self.router.counters["clones"] += 1

    def _certificates_changed(self, certificate: Certificate | None = None) -> None:
        """Whoever is concerned is judged anew: one key, or everybody by that of an administrator, or of this node."""
        now = trio.current_time()
        alone = certificate is not None and certificate.role != ADMIN and certificate.key != self.key.public
        key = certificate.key if certificate is not None and alone else None
        for link in [link for link in self.router.links if key in (None, link.peer_key)]:
            namespaces = self._certify(link, now)
            if namespaces:
                self._introduce(link, namespaces)
                self._announce(link)
        if certificate is None or not alone or self.book.connects(certificate):
            self.mesh.roster_changed(now)
        self.discovery.members_changed()
        self.peers.forget_roles(key)
        self.timer.arm(self.mesh)

    def _directory_changed(self) -> None:
        """Names are looked up when they are asked for; nothing is kept of them here."""

    def _after_timer(self) -> None:
        self.router.flush()

    # --- what this node offers

    def describe_soon(self) -> None:
        """The resource table has changed: the directory is told, together with what changes meanwhile."""
        if not self._describing:
            self._describing = True
            self._nursery.start_soon(self._describe)

    async def _describe(self) -> None:
        await trio.sleep(DESCRIBE_DELAY)
        self._describing = False
        directory = self.directory
        if directory is None or directory.secret is None:
            return
        contents = Contents(platform_name(), self.own_resources())
        self.publish(directory_statement(self.key, directory.namespace, contents, directory.secret, time.time()))

    async def offer(self, label: str, server: Any) -> bytes:
        """Offers a resource of this OS process under a label; returns its id."""
        check_label(label)
        resource = os.urandom(16)
        self.peers.host.add(resource, server, MEMBER)
        self.peers.host.resources[resource].label = label
        self.describe_soon()
        return resource


class _Kept:
    """A kind whose accepted statements are also written to the store."""

    def __init__(self, node: Node, kind: Any, stored: bool = True) -> None:
        self.name, self.limit, self.size = kind.name, kind.limit, kind.size
        self.lifetime, self.introduces = kind.lifetime, kind.introduces
        self.accept, self.dropped = kind.accept, kind.dropped
        self._node = node
        self._kind = kind
        self._stored = stored

    def kept(self, statement: Any, now: float) -> None:
        if self._stored:
            slot = statement.place.namespace[:8] + statement.place.slot
            self._node.keep(self.name, slot, statement.envelope.id, statement.data)
        self._kind.kept(statement, now)


def _closed_by_neighbour(link: Link, reason: str) -> None:
    text = "".join(character if character.isprintable() else "?" for character in reason)
    link.close(f"the neighbour closed it: {text}")


def platform_name() -> str:
    return f"{platform.system()} {platform.machine()}"
