"""Nodes of one's own namespace that have announced themselves on this network, and the links to them.

heard ── it has had a moment to dial by itself ──> dialling ── linked ──> linked ── the link ended ──> heard
                                                     └── no address answered ──> waiting
waiting ── the back-off is over, or it has other addresses ──> heard
any ── it has taken leave, or was not heard again in time ──> forgotten
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from firefly.errors import GlowError
from firefly.interfaces.core import LogLevel
from node.links.link import Link
from node.links.race import Attempt, Won, race
from node.links.standing import reason_of
from node.logs import NODE

if TYPE_CHECKING:
    from node.announcements import Heard
    from node.node import Node

HEAD_START = 1.0
"""Seconds that the lower address has to dial before the higher one does, so that there are not two links."""
BACK_OFF = 1.0, 300.0
"""Seconds until the next attempt after one that failed, and at most; each time twice as long. Also after news nobody is
dialled more often than every first of them."""
STABLE = 2.0
"""Seconds after which a link that ends is dialled again as if for the first time."""
MAX_INSTANCES, MAX_URLS = 4, 8
"""Announcements of a node that count, the oldest goes; and addresses that are dialled."""
MAX_DIALLING = 16
"""Nodes that are dialled at the same time; others wait."""


@dataclass(eq=False)
class Find:
    """A node of ours that was heard. `instances` are its announcements, the latest last, with their addresses."""

    address: bytes
    instances: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failures: int = 0
    last_attempt: float = float("-inf")
    next_attempt: float = 0.0
    trying: bool = False
    told: str = ""

    @property
    def urls(self) -> list[str]:
        """The addresses of the latest announcement first."""
        latest = reversed(self.instances.values())
        return list(dict.fromkeys(url for urls in latest for url in urls))[:MAX_URLS]

    def hear(self, instance: str, urls: tuple[str, ...]) -> bool:
        """Takes an announcement; returns whether it says anything new."""
        known = self.instances.pop(instance, None)
        self.instances[instance] = urls
        if len(self.instances) > MAX_INSTANCES:
            del self.instances[next(iter(self.instances))]
        return known != urls

    def begin_anew(self, at: float) -> None:
        """An attempt is worth it again."""
        self.failures = 0
        self.next_attempt = max(at, self.last_attempt + BACK_OFF[0])

    def failed(self, now: float) -> None:
        self.next_attempt = now + min(BACK_OFF[0] * 2.0**self.failures, BACK_OFF[1])
        self.failures = min(self.failures + 1, 16)


class Finds:
    """Dials who was heard and has no link to this node. `nursery` runs the dialling, and the links."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self._node = node
        self._nursery = nursery
        self._known: dict[bytes, Find] = {}
        self._dialling = 0
        self._woken = trio.Event()

    def heard(self, heard: Heard) -> bool:
        """Takes what was heard; returns whether this node is to say that it is here, too."""
        if heard.leaves:
            self._leaves(heard)
            return False
        find = self._known.setdefault(heard.address, Find(heard.address))
        new = heard.instance not in find.instances
        if find.hear(heard.instance, heard.urls):
            find.begin_anew(trio.current_time() + self._head_start(heard.address))
            self._woken.set()
        return new and not self._node.meetings.linked(heard.address)

    def _leaves(self, heard: Heard) -> None:
        find = self._known.get(heard.address)
        if find is not None:
            find.instances.pop(heard.instance, None)
            if not find.instances:
                del self._known[heard.address]

    def _head_start(self, address: bytes) -> float:
        return 0.0 if self._node.address < address else HEAD_START

    def forget(self) -> None:
        """This node is on other networks now, or on none. Links stay."""
        self._known = {}

    def link_down(self, link: Link) -> None:
        """If its node is still announced, it is dialled again."""
        find, now = self._known.get(link.peer_address), trio.current_time()
        if find is None:
            return
        if now - link.since > STABLE:
            find.begin_anew(now + self._head_start(find.address))
        elif not self._node.meetings.linked(find.address):
            find.failed(now)
        self._woken.set()

    async def run(self) -> None:
        """Dials whom it is time for, until it is cancelled."""
        while True:
            now = trio.current_time()
            waiting = [find for find in self._known.values() if self._is_wanted(find)]
            due = [find for find in waiting if find.next_attempt <= now]
            for find in due[: max(MAX_DIALLING - self._dialling, 0)]:
                self._begin(find)
            later = min((find.next_attempt for find in waiting if find.next_attempt > now), default=float("inf"))
            with trio.move_on_at(later):
                await self._woken.wait()
            self._woken = trio.Event()

    def _is_wanted(self, find: Find) -> bool:
        return not find.trying and bool(find.urls) and not self._node.meetings.linked(find.address)

    def _begin(self, find: Find) -> None:
        directory = self._node.directory
        entry = directory.entry(find.address) if directory is not None else None
        find.last_attempt = trio.current_time()
        if entry is None:  # its certificate is not valid any more
            find.failed(find.last_attempt)
            return
        find.trying = True
        self._dialling += 1
        self._nursery.start_soon(self._try, find, entry.key)

    async def _try(self, find: Find, key: bytes) -> None:
        """Dials the addresses, and carries the first link that comes up for as long as it lasts."""
        failures: dict[str, str] = {}
        linked = False

        def up(url: str) -> None:
            nonlocal linked
            linked, find.told = True, ""
            self._dialling -= 1
            self._woken.set()
            self._tell(f"found {self._node.name_of(find.address)} on this network at {url}", url)

        try:
            await race([self._attempt(url, find.address, key, up, failures) for url in find.urls])
        finally:
            find.trying = False
            self._dialling -= not linked
        if not linked and not self._node.meetings.linked(find.address):
            find.failed(trio.current_time())
            self._tell_failed(find, failures)
        self._woken.set()

    def _attempt(
        self, url: str, address: bytes, key: bytes, up: Callable[[str], None], failures: dict[str, str]
    ) -> Attempt:
        async def attempt(won: Won) -> None:
            def made(link: Link) -> bool:
                if self._node.meetings.linked(address) or not won():
                    return False
                up(url)
                return True

            try:
                await self._node.links.connect(url, key, made)
            except GlowError as error:
                failures[url] = reason_of(error)

        return attempt

    def _tell_failed(self, find: Find, failures: dict[str, str]) -> None:
        """Once for each reason."""
        reason = "; ".join(f"{url}: {why}" for url, why in failures.items())
        if reason != find.told:
            find.told = reason
            name = self._node.name_of(find.address)
            self._tell(f"{name} was heard on this network, but no link came about: {reason}", next(iter(failures), ""))

    def _tell(self, what: str, url: str) -> None:
        self._node.log.add(LogLevel.INFO, NODE, "links", what, {"url": url})
