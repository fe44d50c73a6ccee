"""Finds the nodes of one's own namespace on the networks that this device is on: no hub, no internet
(docs/concepts/security.md, Discovery).

A node announces itself when it comes up, when the hour turns and when the network changes, and once more when one of
its own that it has no link to announces itself. Who hears one of its own dials it (node/finds.py). What is on the wire
is node/announcements.py, who is recognised node/recognition.py.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from ipaddress import IPv4Interface, IPv6Interface
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import trio

from firefly.interfaces.core import LogLevel
from node.finds import Finds
from node.links import SHAREABLE, scheme_of
from node.links.link import Link
from node.logs import NODE
from node.recognition import hour_of, token_of, tokens_of

if TYPE_CHECKING:
    from node.announcements import Announcements, Heard, Names
    from node.node import Node

FIRST = 0.02, 0.12
"""Seconds, by chance, before the first announcement: many devices may come up at once (RFC 6762, section 8.3)."""
PAUSES = 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0
"""Seconds from each announcement to the next, since packets get lost; with the first they are eight, as many as the
same section allows."""
AT_MOST_EVERY = 1.0
"""Seconds between two announcements, whoever wants to hear them."""
LOOK_PAUSE = 20.0, 60.0
"""Seconds, by chance, between two looks at the clock: nodes do not all announce the new hour at once."""
SETTLE = 0.2
"""Seconds in which several changes of the membership are one."""
RETRY = 60.0
"""Seconds until the next attempt where the system has no network, or gives no socket."""
QUEUE = 128
"""Announcements of our own nodes that wait for the node's thread; the oldest goes."""


class Discovery:
    """Announces this node and hears of others, while it is on and the node belongs to a namespace."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self.finds = Finds(node, nursery)
        self._node = node
        self._on = False
        self._names: Names | None = None
        self._told = ""
        self._queue: deque[Heard] = deque(maxlen=QUEUE)
        self._changed = self._members = self._speak = trio.Event()
        self._anew = False

    def set(self, value: str) -> None:
        """Takes the setting `discovery`."""
        self._on = value == "on"
        self._changed.set()

    def network_changed(self) -> None:
        self._changed.set()

    def members_changed(self) -> None:
        """Other nodes are of this namespace, or this one is."""
        self._members.set()

    def link_down(self, link: Link) -> None:
        self.finds.link_down(link)

    async def run(self) -> None:
        """For as long as the node runs; begins anew when the setting or the network has changed."""
        async with trio.open_nursery() as always:
            always.start_soon(self.finds.run)
            while True:
                self._changed = trio.Event()
                async with trio.open_nursery() as nursery:
                    if self._on:
                        nursery.start_soon(self._discover)
                    await self._changed.wait()
                    nursery.cancel_scope.cancel()

    async def _discover(self) -> None:
        await self._membership()
        while True:
            try:
                module = await trio.to_thread.run_sync(import_module, "node.announcements")
                await self._speak_and_listen(module)
            except ImportError as error:
                self._tell(f"it needs {error.name}, which is not installed: pip install 'glow[lan]'")
                await trio.sleep_forever()
            except OSError as error:
                self._tell(str(error))
            await trio.sleep(RETRY)

    async def _membership(self) -> None:
        """Until this node has the key of a namespace."""
        while self._node.directory is None or self._node.directory.secret is None:
            self._members = trio.Event()
            await self._members.wait()

    async def _speak_and_listen(self, module: Any) -> None:
        """Until it is cancelled; returns if there is no network. Raises OSError."""
        adapters = await trio.to_thread.run_sync(module.local_adapters)
        if not adapters:
            self._tell("this device is on no network")
            return
        self._names = self._names or module.Names()
        trio_token = trio.lowlevel.current_trio_token()

        def heard(heard: Heard) -> None:
            self._queue.append(heard)
            with suppress(trio.RunFinishedError):  # the node has ended meanwhile
                trio_token.run_sync_soon(self._take, idempotent=True)

        air = await trio.to_thread.run_sync(module.Announcements, adapters, self._names, heard)
        self._told = ""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._recognise, air)
                nursery.start_soon(self._announce, air, [each for adapter in adapters for each in adapter.addresses])
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(air.close)
            self._queue.clear()
            self.finds.forget()

    def _take(self) -> None:
        """What zeroconf's thread has heard. Runs in trio."""
        for _ in range(len(self._queue)):
            if self.finds.heard(self._queue.popleft()):
                self._speak.set()

    async def _recognise(self, air: Announcements) -> None:
        """Has the air know who is of this namespace, as that and the hour change."""
        known = None
        while True:
            self._members = members = trio.Event()
            directory = self._node.directory
            assert directory is not None
            assert directory.secret is not None
            hour = hour_of(time.time())
            others = [each for each in self._node.book.addresses(directory.namespace) if each != self._node.address]
            if (directory.secret, hour, others) != known:
                air.recognise(await trio.to_thread.run_sync(tokens_of, directory.secret, hour, others))
                if known is not None and hour != known[1]:
                    self._anew = True
                    self._speak.set()
                known = directory.secret, hour, others
            with trio.move_on_after(random.uniform(*LOOK_PAUSE)):
                await members.wait()
                await trio.sleep(SETTLE)

    async def _announce(self, air: Announcements, addresses: Sequence[IPv4Interface | IPv6Interface]) -> None:
        """Says that this node is here: a few times, and again when somebody of ours comes or the hour has turned."""
        last, pauses = float("-inf"), iter(PAUSES)
        due = trio.current_time() + random.uniform(*FIRST)
        while True:
            self._speak = speak = trio.Event()
            with trio.move_on_at(due):
                await speak.wait()
                due = min(due, max(trio.current_time(), last + AT_MOST_EVERY))
            if self._anew:
                self._anew, pauses = False, iter(PAUSES)
            if trio.current_time() >= due:
                air.announce(self._token(), *place(self._node.bound, addresses))
                last = trio.current_time()
                due = last + next(pauses, float("inf"))

    def _token(self) -> bytes:
        directory = self._node.directory
        assert directory is not None
        assert directory.secret is not None
        return token_of(directory.secret, hour_of(time.time()), self._node.address)

    def _tell(self, reason: str) -> None:
        """Why others are not found; once, until there is another reason."""
        if reason != self._told:
            self._told = reason
            what = f"devices on this network are neither found nor told of this one: {reason}"
            self._node.log.add(LogLevel.INFO, NODE, "links", what, {})


def place(bound: Iterable[str], addresses: Sequence[IPv4Interface | IPv6Interface]) -> tuple[int, frozenset[str]]:
    """The first port that others may dial, and at which of these addresses; port 0 if there is none.

    `bound` are the URLs where a node listens; every port takes raw links, whatever its scheme.
    """
    for url in bound:
        parts = urlsplit(url)
        wildcard = {"0.0.0.0": 4, "::": 6}.get(parts.hostname or "")
        hosts = frozenset(
            str(each.ip) for each in addresses if wildcard == each.version or parts.hostname == str(each.ip)
        )
        if scheme_of(url) in SHAREABLE and parts.port and hosts:
            return parts.port, hosts
    return 0, frozenset()
