"""Makes links and keeps them: listens, dials standing links again and again, and lets none linger uncertified
(docs/concepts/wire.md, 1 Link).
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, cast

import trio

from firefly.errors import BadHandshake, GlowError
from firefly.keys import NodeKey
from firefly.link import LinkHandshake
from node.links import LinkError, kind_of, load
from node.links.connection import Connection
from node.links.link import HANDSHAKE_TIME, Link, shake_hands
from node.links.ports import Listening, Ports, only_links
from node.router import Router

Arrive = Callable[[Connection], Awaitable[bool]]
HALF_OPEN = 128
HALF_OPEN_PER_HOST = 8
UNCERTIFIED_TIME = 5.0
PAIRING_TIME = 600.0
PAIRING_LINKS = 8
BACK_OFF = 0.2, 30.0
"""Seconds before the first and, doubling, between later attempts of a standing link."""
ACCEPT_PAUSE = 0.1
"""Seconds until the next attempt when the operating system gives no connection."""
STABLE = 30.0
"""Seconds after which a link that ends is dialled again as if for the first time."""


class Neighbourhood(Protocol):
    """Who decides what a link is for (node/node.py)."""

    def link_up(self, link: Link) -> None: ...
    def link_down(self, link: Link) -> None: ...
    def link_measured(self, link: Link) -> None: ...


@dataclass
class Standing:
    """A link that is to be there: dialled until it is, and again when it ends."""

    url: str
    expected: bytes | None
    state: str = "connecting"
    reason: str = ""
    link: Link | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class LinkManager:
    """All links of a node. `nursery` runs them; `initiated` tells which side sends certificates first."""

    def __init__(
        self,
        key: NodeKey,
        instance: bytes,
        router: Router,
        nursery: trio.Nursery,
        neighbourhood: Neighbourhood,
        ports: Ports,
    ) -> None:
        self._key = key
        self._instance = instance
        self._router = router
        self._nursery = nursery
        self._neighbourhood = neighbourhood
        self._ports = ports
        self._half_open: OrderedDict[object, tuple[str, trio.CancelScope]] = OrderedDict()
        self.standing: list[Standing] = []
        self.pairing: set[Link] = set()
        self.initiated: set[Link] = set()

    # --- listening

    async def listen(self, url: str) -> Listening:
        """Takes links at `url` from now on; returns it with its real port. Raises LinkError."""
        door = await (await load(url)).listen(url, self._ports)
        for listener in door.listeners:
            self._nursery.start_soon(self._accept, listener, door.kind, door.arrive)
        return cast(Listening, door.listening)

    async def _accept(self, listener: trio.abc.Listener[trio.SocketStream], kind: str, arrive: Arrive) -> None:
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    self._router.counters["accept_errors"] += 1
                    if error.errno in (9, 22):  # EBADF, EINVAL: the listener is closed
                        return
                    await trio.sleep(ACCEPT_PAUSE)
                    continue
                self._nursery.start_soon(self.take, stream, kind, arrive)

    async def take(self, stream: trio.SocketStream, kind: str, arrive: Arrive = only_links) -> None:
        """Carries a link that a neighbour dialled, for as long as it lasts; or answers what else was asked."""
        try:
            connection = Connection(stream, kind)
        except OSError:  # it is gone already
            stream.socket.close()
            self._router.counters["bad_handshakes"] += 1
            return
        with closing(connection):
            handshake = await self._answer(connection, arrive)
            if handshake is None:
                return
            link = Link(self._router, connection, handshake, self._key.address)
        await self.carry(link)

    async def _answer(self, connection: Connection, arrive: Arrive) -> LinkHandshake | None:
        """Answers a stranger, within bounds; None if no link came of it, counted if that is the stranger's fault."""
        token = object()
        with trio.CancelScope() as scope:
            self._admit(token, connection.host, scope)
            try:
                with trio.fail_after(HANDSHAKE_TIME):
                    if not await arrive(connection):
                        return None
                    return await shake_hands(connection, self._key, self._instance, expected=None, initiator=False)
            except (GlowError, OSError, trio.TooSlowError) as error:
                self._router.counters["bad_handshakes"] += 1
                connection.close(getattr(error, "message", "") or "no handshake within 5 s")
            finally:
                self._half_open.pop(token, None)
        self._router.counters["half_open_dropped"] += scope.cancelled_caught
        return None

    def _admit(self, token: object, host: str, scope: trio.CancelScope) -> None:
        """Bounds half-open handshakes, in all and per host: the oldest goes."""
        same = [key for key, (other, _) in self._half_open.items() if other == host]
        if len(same) >= HALF_OPEN_PER_HOST:
            self._half_open.pop(same[0])[1].cancel()
        elif len(self._half_open) >= HALF_OPEN:
            self._half_open.popitem(last=False)[1][1].cancel()
        self._half_open[token] = host, scope

    # --- dialling

    async def dial(self, url: str, expected: bytes | None) -> Link:
        """A new link to the node at `url`, not yet run. Raises LinkError, BadHandshake."""
        connection = await (await load(url)).dial(url)
        with closing(connection):
            handshake = await shake_hands(connection, self._key, self._instance, expected=expected, initiator=True)
            link = Link(self._router, connection, handshake, self._key.address)
        self.initiated.add(link)
        return link

    def keep(self, url: str, expected: bytes | None) -> Standing:
        """Dials `url` until it answers, and again whenever the link ends."""
        for standing in self.standing:
            if standing.url == url:
                return standing
        standing = Standing(url, expected)
        self.standing.append(standing)
        self._nursery.start_soon(self._keep, standing)
        return standing

    async def _keep(self, standing: Standing) -> None:
        delay = BACK_OFF[0]
        with standing.scope:
            while True:
                await self._until_needed(standing)
                standing.state = "connecting"
                try:
                    link = standing.link = await self.dial(standing.url, standing.expected)
                except (LinkError, BadHandshake, OSError) as error:
                    standing.reason = getattr(error, "message", "") or str(error)
                else:
                    standing.state, standing.reason = "up", ""
                    standing.reason = await self.carry(link)
                    standing.link = None
                    if trio.current_time() - link.since > STABLE:
                        delay = BACK_OFF[0]
                standing.state = "waiting"
                await trio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, BACK_OFF[1])

    async def _until_needed(self, standing: Standing) -> None:
        """Waits while another link of the kind leads to the node: the two would end each other again and again."""
        kind = kind_of(standing.url)
        while other := next((x for x in self._router.links if (x.peer_key, x.kind) == (standing.expected, kind)), None):
            standing.state, standing.reason = "waiting", "another link of this kind leads to the node"
            await other.down.wait()

    # --- running

    async def carry(self, link: Link) -> str:
        """Runs a link until it ends; returns why.

        Of two links of a kind to one node the lower address ends the older.
        """
        if link.peer_key == self._key.public:
            link.close("it leads to this node itself")
            return link.reason
        for other in list(self._router.links if self._key.address < link.peer_address else ()):
            if other.peer_instance == link.peer_instance and other.kind == link.kind:
                other.close("a newer link to the same node took its place")
        self._router.links.add(link)
        link.measured = self._neighbourhood.link_measured
        self._neighbourhood.link_up(link)
        link.up.set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._limit_uncertified, link)
                reason = await link.run()
                nursery.cancel_scope.cancel()
            return reason
        finally:
            link.close("this node is stopping")
            self.initiated.discard(link)
            self.pairing.discard(link)
            self._neighbourhood.link_down(link)  # first: what waits for the link must find another way
            self._router.link_gone(link)
            link.down.set()

    async def _limit_uncertified(self, link: Link) -> None:
        await trio.sleep(UNCERTIFIED_TIME)
        if not link.certified and link in self.pairing:
            await trio.sleep(PAIRING_TIME)
        if not link.certified:
            link.close("the neighbour showed no certificate of a namespace that this node is in")

    def begin_pairing(self, link: Link) -> bool:
        """The link may wait for a person; False if too many do."""
        if len(self.pairing) < PAIRING_LINKS:
            self.pairing.add(link)
        return link in self.pairing
