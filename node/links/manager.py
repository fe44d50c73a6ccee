"""Makes links and keeps them: listens, dials standing links again and again, and lets none linger uncertified
(docs/concepts/wire.md, 1 Link).
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from contextlib import closing
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol

import trio

from firefly.errors import GlowError
from firefly.keys import NodeKey
from firefly.link import LinkHandshake
from node.links import LinkClosed, LinkError, opened, scheme_of, transport
from node.links.link import Link, shake_hands
from node.links.standing import Made, StandingLinks, reason_of
from node.router import Router

HALF_OPEN = 128
HALF_OPEN_PER_HOST = 8
UNCERTIFIED_TIME = 5.0
PAIRING_TIME = 600.0
PAIRING_LINKS = 8
ACCEPT_PAUSE = 0.1
"""Seconds until the next attempt when the operating system gives no connection."""


class Neighbourhood(Protocol):
    """Who decides what a link is for (node/node.py)."""

    def link_up(self, link: Link) -> None: ...
    def link_down(self, link: Link) -> None: ...
    def link_measured(self, link: Link) -> None: ...


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
        self.standing = StandingLinks(self.connect, router.links, nursery)
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
            link = self._make(stream, *shaken, kind, f"{kind}://{host}" if host else f"{kind}:")
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
        """A new link to the node at `url`; it is carried until it ends. Raises LinkError, BadHandshake."""
        link: Link = await self._nursery.start(self._dial, url, expected)
        return link

    async def _dial(self, url: str, expected: bytes | None, *, task_status: trio.TaskStatus[Link]) -> None:
        links: list[Link] = []

        def made(link: Link) -> bool:
            links.append(link)
            task_status.started(link)
            return True

        try:
            await self.connect(url, expected, made)
        except GlowError as error:
            if not links:
                raise
            links[0].reason = reason_of(error)

    async def connect(self, url: str, expected: bytes | None, made: Made) -> None:
        """Dials `url`, where the node with the key `expected` must answer if it is given, and carries the link until it
        ends. `made` hears of the link before anything goes over it; if it returns False the link is let go.

        Raises LinkError, BadHandshake: why there was no link, or why it ended.
        """
        async with opened(url) as stream:
            handshake, rest = await shake_hands(stream, self._key, self._instance, expected=expected, initiator=True)
            link = self._make(stream, handshake, rest, scheme_of(url), url)
            if not made(link):
                link.close("another address of the node answered first")
                return
            self.initiated.add(link)
            reason = await self.carry(link)
            if link.lost:
                raise LinkClosed(reason)
        raise LinkError(reason, hint=link.hint)

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
            link.close("it leads to this node itself", "`glow link rm` forgets an address")
            link.up.set()
            link.down.set()
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
            link.close(
                "the neighbour showed no certificate of a namespace that this node is in",
                "`glow invite` here, then `glow join` there, makes it one of your devices",
            )

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
