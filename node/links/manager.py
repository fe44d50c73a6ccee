"""Makes links and keeps them: listens, dials standing links again and again, and lets none linger uncertified
(docs/concepts/wire.md, 1 Link).
"""

from __future__ import annotations

import random
import socket
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol

import trio

from firefly.errors import BadHandshake, GlowError
from firefly.keys import NodeKey
from firefly.link import LinkHandshake
from node.links import LinkError, transport
from node.links.link import Link, shake_hands
from node.router import Router

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
    retry: float | None = None
    """When it is dialled again, by trio's clock, while it waits."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class LinkManager:
    """All links of a node. `nursery` runs them; `initiated` tells which side sends certificates first."""

    def __init__(
        self, key: NodeKey, instance: bytes, router: Router, nursery: trio.Nursery, neighbourhood: Neighbourhood
    ) -> None:
        self._key = key
        self._instance = instance
        self._router = router
        self._nursery = nursery
        self._neighbourhood = neighbourhood
        self._half_open: OrderedDict[object, tuple[str, trio.CancelScope]] = OrderedDict()
        self.failed: Callable[[str, str], None] = lambda url, reason: None
        """Hears why a standing link does not come about, each time that the reason is another one."""
        self.standing: list[Standing] = []
        self.pairing: set[Link] = set()
        self.initiated: set[Link] = set()

    # --- listening

    async def listen(self, url: str) -> str:
        """Takes links at `url` from now on; returns it with its real port. Raises LinkError."""
        module = transport(url)
        listeners, real = await module.listen(url)
        for listener in listeners:
            self._nursery.start_soon(self._accept, listener, module)
        return str(real)

    async def _accept(self, listener: trio.abc.Listener[trio.SocketStream], module: Any) -> None:
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
                module.accepted(stream.socket)
                self._nursery.start_soon(self.take, stream, module.kind)

    async def take(self, stream: trio.SocketStream, kind: str) -> None:
        """Carries a link that a neighbour dialled, for as long as it lasts."""
        host = _host_of(stream)
        with closing(stream.socket):
            shaken = await self._shake_hands(stream, host)
            if shaken is None:
                return
            link = self._make(stream, *shaken, kind, f"{kind}://{host}")
        await self.carry(link)

    async def _shake_hands(self, stream: trio.SocketStream, host: str) -> tuple[LinkHandshake, bytes] | None:
        """Answers a stranger, within bounds; None, counted, if nothing came of it."""
        token = object()
        with trio.CancelScope() as scope:
            self._admit(token, host, scope)
            try:
                return await shake_hands(stream, self._key, self._instance, expected=None, initiator=False)
            except (GlowError, OSError, trio.BrokenResourceError):
                self._router.counters["bad_handshakes"] += 1
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
        module = transport(url)
        stream = await module.dial(url)
        try:
            handshake, rest = await shake_hands(stream, self._key, self._instance, expected=expected, initiator=True)
        except BaseException:
            stream.socket.close()
            raise
        link = self._make(stream, handshake, rest, module.kind, url)
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
                standing.state, standing.retry = "connecting", None
                try:
                    link = standing.link = await self.dial(standing.url, standing.expected)
                except (LinkError, BadHandshake, OSError) as error:
                    self._failed(standing, getattr(error, "message", "") or str(error))
                else:
                    standing.state, standing.reason = "up", ""
                    standing.reason = await self.carry(link)
                    standing.link = None
                    if trio.current_time() - link.since > STABLE:
                        delay = BACK_OFF[0]
                standing.state = "waiting"
                standing.retry = trio.current_time() + delay * random.uniform(0.5, 1.0)
                await trio.sleep_until(standing.retry)
                delay = min(delay * 2, BACK_OFF[1])

    def _failed(self, standing: Standing, reason: str) -> None:
        if reason != standing.reason:
            standing.reason = reason
            self.failed(standing.url, reason)

    # --- running

    def _make(self, stream: trio.SocketStream, handshake: LinkHandshake, rest: bytes, kind: str, url: str) -> Link:
        """Takes the socket out of the stream, whose closing then does nothing."""
        sock = socket.socket(fileno=stream.socket.detach())
        return Link(self._router, sock, handshake, kind, url, self._key.address, rest)

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
                link.close(await link.run())
                nursery.cancel_scope.cancel()
            return link.reason
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


def _host_of(stream: trio.SocketStream) -> str:
    """What half-open handshakes are counted by: an IPv4 address, an IPv6 /64, or "" for a socket of this device."""
    peer = stream.socket.getpeername()
    if not isinstance(peer, tuple):
        return ""
    address = ip_address(peer[0].partition("%")[0])
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)
