"""Standing links: dialled until they are there, and again when they end.

connecting ── an address answered, or the node is linked already ──> up
connecting ── none answered ──> waiting ── after a while, or `hurry` ──> connecting
up ── the link ended ──> waiting
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from firefly.errors import GlowError
from node.links import kind_of
from node.links.link import Link
from node.links.race import Attempt, Won, race

log = logging.getLogger("node")
BACK_OFF = 0.2, 30.0
"""Seconds before the first and, doubling, between later attempts, if nobody sets `links.retry`; each is shortened by up
to a half at random."""
EAGER = 3.0
"""Seconds that a pause has at most while something waits for a path."""
STABLE = 2.0
"""Seconds after which a certified link that ends is dialled again as if for the first time: its loss is another one
than that which came before."""

Row = tuple[Sequence[str], bytes | None]
"""What is kept of a standing link: the addresses of a node, and the key that must answer there."""
Made = Callable[[Link], bool]
Connect = Callable[[str, bytes | None, Made], Awaitable[None]]
"""Dials a URL where the node with a key must answer, if one is given; `made` hears of the link, and may refuse it.
Raises GlowError: why there was no link, or why it ended."""


@dataclass(eq=False)
class Standing:
    """One node that is to be linked: the addresses that lead to it, and how it stands with them.

    `expected` is the key that must answer; where nobody said, `peer` is the one that did the last time. `delay` is how
    long the next pause is at most, in seconds. `since` and `next_attempt` are in the clock of trio.
    """

    urls: tuple[str, ...]
    expected: bytes | None
    state: str = "connecting"
    reason: str = ""
    hint: str = ""
    peer: bytes | None = None
    link: Link | None = None
    since: float = field(default_factory=trio.current_time)
    next_attempt: float | None = None
    delay: float = BACK_OFF[0]
    tried: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _pause: trio.CancelScope = field(default_factory=trio.CancelScope)

    def enter(self, state: str, reason: str = "", hint: str = "") -> None:
        if state != self.state:
            self.since = trio.current_time()
        self.state, self.reason, self.hint = state, reason, hint
        if state != "connecting":
            self.tried.set()

    def up(self, link: Link) -> None:
        """A link is there: one that was dialled, or another one to the same node."""
        self.peer, self.link = link.peer_key, link
        self.enter("up")

    def change(self, urls: tuple[str, ...], expected: bytes | None) -> None:
        """Other addresses for the same node. A link to an address that is no longer one of them ends."""
        if (urls, expected) == (self.urls, self.expected):
            return
        gone, self.urls, self.expected = set(self.urls) - set(urls), urls, expected
        if self.link is not None and (self.link.url in gone or self.link.peer_key != (expected or self.peer)):
            self.link.close("it is no longer one of the standing links")
        self.hurry()

    def is_met_by(self, link: Link) -> bool:
        """Whether a link makes dialling needless: it leads to the node that is meant, in a way that we would go."""
        wanted = self.expected or self.peer
        return link.peer_key == wanted and not link.reason and link.kind in map(kind_of, self.urls)

    def was_stable(self) -> bool:
        """Whether the link that has ended was of use, so that the pauses begin anew."""
        link = self.link
        return link is not None and link.certified and trio.current_time() - link.since > STABLE

    async def pause(self, seconds: float, eager: Callable[[], bool]) -> None:
        """Until the next attempt; every EAGER seconds it is asked whether that is to be made now."""
        self.next_attempt = until = trio.current_time() + seconds
        with trio.CancelScope() as self._pause:
            while until > trio.current_time():
                await trio.sleep_until(min(until, trio.current_time() + EAGER))
                if eager():
                    break
        self.next_attempt = None

    def hurry(self) -> None:
        """Makes the next attempt at once, if one is waited for."""
        if self.state == "waiting":
            self.tried = trio.Event()
        self._pause.cancel()


class StandingLinks:
    """All standing links of a node. `links` are its links of any origin; `nursery` runs the dialling."""

    def __init__(self, connect: Connect, links: Iterable[Link], nursery: trio.Nursery) -> None:
        self._connect = connect
        self._links = links
        self._nursery = nursery
        self.all: list[Standing] = []
        self.longest_pause = BACK_OFF[1]
        self.eager: Callable[[], bool] = lambda: False
        """Whether something waits for a path, which a link may be."""
        self.failed: Callable[[str, str], None] = lambda url, reason: None
        """Hears why a standing link does not come about, each time that the reason is another one."""

    def follow(self, rows: Sequence[Row]) -> None:
        """Keeps these and no others."""
        kept = [self.keep(*row) for row in rows]
        for standing in [standing for standing in self.all if standing not in kept]:
            self.all.remove(standing)
            standing.scope.cancel()

    def keep(self, urls: Sequence[str], expected: bytes | None) -> Standing:
        """Dials a node at these addresses from now on; if it is kept already, at these only."""
        for standing in self.all:
            if (expected and expected == standing.expected) or set(urls) & set(standing.urls):
                standing.change(in_order(urls), expected)
                return standing
        standing = Standing(in_order(urls), expected)
        self.all.append(standing)
        self._nursery.start_soon(self._run, standing)
        return standing

    def find(self, url: str) -> Standing | None:
        return next((standing for standing in self.all if url in standing.urls), None)

    def network_changed(self) -> None:
        """What was in vain need not be any more: those that wait are dialled at once, and all pauses begin anew."""
        for standing in self.all:
            standing.delay = BACK_OFF[0]
            standing.hurry()

    async def _run(self, standing: Standing) -> None:
        with standing.scope:
            while True:
                there = next((link for link in self._links if standing.is_met_by(link)), None)
                if there is None:
                    await self._dial(standing)
                else:
                    standing.up(there)
                    await there.down.wait()
                    standing.enter("waiting", there.reason, there.hint)
                if standing.was_stable():
                    standing.delay = BACK_OFF[0]
                standing.link = None
                delay, standing.delay = standing.delay, min(standing.delay * 2, self.longest_pause)
                await standing.pause(delay * random.uniform(0.5, 1.0), self.eager)

    async def _dial(self, standing: Standing) -> None:
        """Carries the first link that comes up until it ends; says why, or why there was none."""
        standing.enter("connecting", standing.reason, standing.hint)
        failures: dict[str, GlowError] = {}
        await race([self._attempt(standing, url, failures) for url in standing.urls])
        reasons = [reason_of(error) for error in failures.values()]
        if len(reasons) > 1:
            reasons = [f"{url}: {reason}" for url, reason in zip(failures, reasons, strict=True)]
        hint = next((error.hint for error in failures.values() if error.hint), "")
        reason = "; ".join(reasons)
        if reason != standing.reason:
            self.failed(" ".join(standing.urls), reason)
        standing.enter("waiting", reason, hint)

    def _attempt(self, standing: Standing, url: str, failures: dict[str, GlowError]) -> Attempt:
        async def attempt(won: Won) -> None:
            def made(link: Link) -> bool:
                if won():
                    failures.clear()
                    standing.up(link)
                return standing.link is link

            try:
                await self._connect(url, standing.expected, made)
            except GlowError as error:
                failures[url] = error
            except Exception as error:
                log.exception("a defect of this node ended a link to %s; the others go on", url)
                failures[url] = GlowError(f"this node failed: {type(error).__name__}: {error}")

        return attempt


def in_order(urls: Iterable[str]) -> tuple[str, ...]:
    """Each once, IPv6 addresses first, else as they were given."""
    return tuple(sorted(dict.fromkeys(urls), key=lambda url: not url.partition(":")[2].startswith("//[")))


def reason_of(error: GlowError) -> str:
    return f"{error.message}: {error.cause}" if error.cause else error.message
