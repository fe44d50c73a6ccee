"""Makes links and keeps them: listens, dials standing links again and again, and lets none linger uncertified
(docs/concepts/wire.md, 1 Link).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Protocol, cast

import trio

from firefly.durations import format_duration
from firefly.errors import BadHandshake, GlowError
from firefly.keys import NodeKey
from firefly.link import BUSY, LinkHandshake
from node.admission import UNKNOWN, Ending
from node.limits import Idling, Limits, metered
from node.links import LinkClosed, LinkError, load, opened
from node.links.connection import Connection
from node.links.link import HANDSHAKE_TIME, TRIED, Link, shake_hands
from node.links.ports import Listening, Ports, only_links
from node.links.standing import Made, StandingLinks, reason_of
from node.network import is_gone
from node.router import Router

Arrive = Callable[[Connection], Awaitable[bool]]
HALF_OPEN = 128
HALF_OPEN_PER_HOST = 8
UNCERTIFIED_TIME = 5.0
PAIRING_TIME = 600.0
PAIRING_LINKS = 8
IDLE_CHECK = 10.0
"""Seconds between two looks at who does nothing."""
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
        self.limits = Limits(router.counters)
        self.standing = StandingLinks(self.connect, router.links, nursery)
        self._unproven: dict[Link, None] = {}
        self._arrived = trio.Event()
        nursery.start_soon(self._limit_uncertified)
        self.pairing: set[Link] = set()
        self.linked = trio.Event()
        """A link comes up: set once, and replaced."""
        self.initiated: set[Link] = set()
        self.ending: Callable[[Link], Ending] = lambda link: UNKNOWN
        """Why a neighbour that has shown no certificate is let go."""

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
        host, link = await self._welcome(stream, kind, arrive)
        if link is None:
            return
        refused = self.limits.enter(host)
        if refused:
            link.close(refused)
            return
        try:
            await self.carry(link)
        finally:
            self.limits.leave(host)

    async def _welcome(self, stream: trio.SocketStream, kind: str, arrive: Arrive) -> tuple[str, Link | None]:
        """The neighbour's host, and the link to it if one came of it; nothing of the handshake is kept."""
        try:
            connection = Connection(stream, kind)
        except OSError:  # it is gone already
            stream.socket.close()
            self._router.counters["bad_handshakes"] += 1
            return "", None
        with closing(connection):
            handshake = await self._answer(connection, arrive)
            if handshake is None:
                return "", None
            return connection.host, Link(self._router, connection, handshake, self._key.address)

    async def _answer(self, connection: Connection, arrive: Arrive) -> LinkHandshake | None:
        """Answers a stranger, within bounds; None if no link came of it, counted if that is the stranger's fault."""
        token = object()
        with trio.CancelScope() as scope:
            self._admit(token, connection.host, scope)
            try:
                with trio.fail_after(HANDSHAKE_TIME):
                    return await self._meet(connection, arrive)
            except (GlowError, OSError, trio.TooSlowError) as error:
                self._router.counters["bad_handshakes"] += 1
                connection.close(getattr(error, "message", "") or "no handshake within 5 s")
            finally:
                self._half_open.pop(token, None)
        self._router.counters["half_open_dropped"] += scope.cancelled_caught
        return None

    async def _meet(self, connection: Connection, arrive: Arrive) -> LinkHandshake | None:
        """Whoever it is waits for its share of the processor; one's own nodes, as they turn out to be, need none.

        Raises GlowError, OSError.
        """
        strangers, spent = self.limits.strangers, 0.0

        def spend(seconds: float) -> None:
            nonlocal spent
            spent += seconds
            strangers.spend(seconds)

        while pause := strangers.wait(trio.current_time()):  # noqa: ASYNC110 (others may have used it meanwhile)
            await trio.sleep(pause)
        handshake = await metered(self._shake_hands(connection, arrive), spend)
        if handshake is not None and self.limits.known(handshake.peer_key):
            strangers.spend(-spent)
        return handshake

    async def _shake_hands(self, connection: Connection, arrive: Arrive) -> LinkHandshake | None:
        if not await arrive(connection):
            return None
        if not self.limits.begin(connection.host, trio.current_time()):
            await connection.receive()  # what was not read could take the answer from the peer
            await connection.write(connection.frames.plain(BUSY))
            raise BadHandshake("too many handshakes from this address in a second")
        return await shake_hands(connection, self._key, self._instance, expected=None, initiator=False)

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
        async with opened(url) as connection:
            await self.use(connection, expected, made)

    async def use(self, connection: Connection, expected: bytes | None, made: Made, *, initiator: bool = True) -> None:
        """The same over a connection that is there; `initiator` says which side speaks first."""
        link = await self._greet(connection, expected, initiator)
        if not made(link):
            link.close("another address of the node answered first")
            return
        if initiator:
            self.initiated.add(link)
        reason = await self.carry(link)
        if link.lost:
            raise LinkClosed(reason)
        raise LinkError(reason, hint=link.hint)

    async def _greet(self, connection: Connection, expected: bytes | None, initiator: bool) -> Link:
        handshake = await shake_hands(connection, self._key, self._instance, expected=expected, initiator=initiator)
        return Link(self._router, connection, handshake, self._key.address)

    def network_changed(self) -> None:
        """Ends the links whose own address this device has no more, asks the neighbours at the other ends of the others
        whether they are there, and dials at once what waits to be dialled.
        """
        gone = {address for address in {link.local for link in self._router.links} if is_gone(address)}
        for link in list(self._router.links):
            if link.local in gone:
                link.close(f"{link.local}, the address that it left from, is gone")
            else:
                link.liveness.probe()
        self._router.flush()
        self.standing.network_changed()

    # --- running

    async def carry(self, link: Link) -> str:
        """Runs a link until it ends; returns why. It takes the place of an older one, if it need not be tried first."""
        if link.peer_key == self._key.public:
            link.close("it leads to this node itself", "`glow link rm` forgets an address")
            link.up.set()
            link.down.set()
            return link.reason
        if link.kind not in TRIED:
            self.replace_older(link)
        self._router.links.add(link)
        link.measured = self._neighbourhood.link_measured
        self._neighbourhood.link_up(link)
        link.up.set()
        self.linked.set()
        self.linked = trio.Event()
        self._unproven[link] = None
        self._arrived.set()
        try:
            return await link.run()
        finally:
            link.close("this node is stopping")
            self.initiated.discard(link)
            self.pairing.discard(link)
            self._unproven.pop(link, None)
            self._neighbourhood.link_down(link)  # first: what waits for the link must find another way
            self._router.link_gone(link)
            link.down.set()

    def replace_older(self, link: Link) -> None:
        """Of two links of a kind between the same two nodes the lower address ends the older."""
        for other in list(self._router.links if self._key.address < link.peer_address else ()):
            same = other.peer_instance == link.peer_instance and other.kind == link.kind
            if same and other is not link and other.since <= link.since:
                other.close("a newer link to the same node took its place")

    async def _limit_uncertified(self) -> None:
        """Ends the links whose neighbours do not show in time that they may have one: those that wait at the door."""
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            while self._unproven:
                await trio.sleep_until(next(iter(self._unproven)).since + UNCERTIFIED_TIME)
                for link in [link for link in self._unproven if link.since + UNCERTIFIED_TIME <= trio.current_time()]:
                    del self._unproven[link]
                    self._judge(link)

    def _judge(self, link: Link) -> None:
        """A link has had the time that a neighbour needs to show its certificates."""
        if link in self.pairing:
            self._nursery.start_soon(self._limit_pairing, link)
        else:
            self._end_uncertified(link)

    async def _limit_pairing(self, link: Link) -> None:
        with trio.move_on_after(PAIRING_TIME):
            await link.down.wait()
        self._end_uncertified(link)

    def _end_uncertified(self, link: Link) -> None:
        if not link.certified and link.admitted is None:
            link.close(*self.ending(link))

    async def end_idle(self) -> None:
        """Closes links that are up without a certificate and do nothing for as long as `limits.idle` says."""
        idling = Idling[Link]()
        while True:
            await trio.sleep(IDLE_CHECK)
            links = [link for link in self._router.links if link.admitted is not None and not link.certified]
            for link in idling.since(links, self.limits.idle or math.inf, trio.current_time()):
                self._router.counters["idle_closed"] += 1
                link.close(f"nothing went over it for {format_duration(self.limits.idle)} (limits.idle)")

    def begin_pairing(self, link: Link) -> bool:
        """The link may wait for a person; False if too many do."""
        if len(self.pairing) < PAIRING_LINKS:
            self.pairing.add(link)
        return link in self.pairing
