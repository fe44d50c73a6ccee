"""The standing links that a person asked for: on disk first, then dialled (node/links/standing.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import trio

from firefly.address import address_of
from firefly.errors import Denied, InvalidArgument, NoSuchResource
from firefly.interfaces import core
from node.links import SHAREABLE, LinkError, scheme_of, transport
from node.links.link import Link
from node.links.standing import Row, Standing
from node.node import Node
from node.routing import Admitted
from node.store import Store

MAX_LINKS, MAX_URLS = 256, 16
"""Standing links of a node, and addresses of one of them."""
UNCERTIFIED = "the neighbour has shown no certificate yet"
ADMITTED: dict[Admitted | None, str] = {
    Admitted.NODE: "of another namespace; this node is a hub for it",
    Admitted.HUB: "a hub of others, which this node uses",
}
FIRST_ATTEMPT = 8.0
"""Seconds that the answer to a new link waits for what becomes of it."""
Change = Callable[[Sequence[Row]], list[Row]]


def standing_of(link: Link) -> str:
    """What a neighbour is if it has shown no certificate, and which proxy the link goes through; empty if neither."""
    neighbour = "" if link.certified else ADMITTED.get(link.admitted, UNCERTIFIED)
    return "; ".join(filter(None, [neighbour, f"through the proxy {link.proxy}" if link.proxy else ""]))


class LinkBook:
    """Adds, lists and removes standing links. `name_of` gives the label of a node's address."""

    def __init__(self, node: Node, name_of: Callable[[bytes], str]) -> None:
        self._node = node
        self._name_of = name_of
        self._turn = trio.Lock()

    async def add(self, urls: Sequence[str], key: bytes | None, local: bool) -> core.StandingLink:
        """Dials a node from now on; returns when the first attempt has come to something, or after 8 s.

        Raises InvalidArgument; Denied for an address that only this device's own user (`local`) may name.
        """
        if not urls:
            raise InvalidArgument("no address was given", hint="glow link add URL")
        for url in urls:
            check(url, local)
        if key == self._node.key.public:
            raise InvalidArgument("the key is this node's own", hint="glow link add URL --key OTHER")
        await self._change(lambda rows: widened(rows, urls, key))
        standing = self._node.links.standing.find(urls[0])
        if standing is None:
            raise NoSuchResource("the link was removed meanwhile", hint="glow link ls")
        with trio.move_on_after(FIRST_ATTEMPT):
            await standing.tried.wait()
        return self.status(standing)

    async def remove(self, urls: Sequence[str]) -> None:
        """Dials these addresses no more, and ends the links that were made there. Raises NoSuchResource."""
        known = {url for standing in self._node.links.standing.all for url in standing.urls}
        for url in urls:
            if url not in known:
                raise NoSuchResource(f"no standing link leads to {url}", hint="`glow link ls` shows those there are")
        await self._change(lambda rows: narrowed(rows, urls))

    def all(self) -> list[core.StandingLink]:
        return [self.status(standing) for standing in self._node.links.standing.all]

    async def _change(self, change: Change) -> None:
        """Changes what is on disk, then what is dialled."""
        async with self._turn:
            rows = await self._node.store.run(lambda store: _rewrite(store, change))
            self._node.links.standing.follow(rows)

    def status(self, standing: Standing) -> core.StandingLink:
        now, link = trio.current_time(), standing.link
        wanted = standing.expected or standing.peer
        address = None if wanted is None else address_of(wanted)
        return core.StandingLink(
            urls=list(standing.urls),
            key=standing.expected,
            peer="" if address is None else self._name_of(address),
            address=address,
            state=standing.state,
            reason=standing.reason or ("" if link is None else standing_of(link)),
            hint=standing.hint,
            url="" if link is None else link.url,
            kind="" if link is None else link.kind,
            since=datetime.now(UTC) - timedelta(seconds=now - standing.since),
            next_attempt=None if standing.next_attempt is None else max(standing.next_attempt - now, 0.0),
            round_trip=None if link is None else link.liveness.rtt,
        )


def _rewrite(store: Store, change: Change) -> list[Row]:
    rows = change(store.links())
    store.set_links(rows)
    return rows


def check(url: str, local: bool) -> None:
    """Whether a caller may have this address dialled. Raises InvalidArgument, Denied."""
    try:
        transport(url).parse(url)
    except LinkError as error:
        raise InvalidArgument(error.message, error.cause, error.hint) from None
    if not local and scheme_of(url) not in SHAREABLE:
        raise Denied(
            f"only this device's own user may add a {scheme_of(url)} link",
            cause="it runs a command, or opens a socket, on this device",
            hint="run `glow link add` on the device itself",
        )


def widened(rows: Iterable[Row], urls: Sequence[str], key: bytes | None) -> list[Row]:
    """Standing links and one more: of addresses for the same node they are one. An address leads to one node only, and
    the newest word counts. Raises InvalidArgument.
    """
    rows, wanted = list(rows), set(urls)
    keys = {other for those, other in rows if other and wanted & set(those)}
    if key is None and len(keys) > 1:
        raise InvalidArgument(
            "these addresses are kept for different nodes", hint="say which node answers there: --key NODE"
        )
    key = key or next(iter(keys), None)
    found: list[str] = []
    others: list[Row] = []
    for those, other in rows:
        if (key and other == key) or (other in (None, key) and wanted & set(those)):
            found += those
        elif left := [url for url in those if url not in wanted]:
            others.append((left, other))
    merged = list(dict.fromkeys([*found, *urls]))
    if len(merged) > MAX_URLS or len(others) >= MAX_LINKS:
        raise InvalidArgument(
            f"at most {MAX_LINKS} standing links of {MAX_URLS} addresses each are kept",
            hint="`glow link ls` shows them, `glow link rm` removes one",
        )
    return [*others, (merged, key)] if merged else others


def narrowed(rows: Iterable[Row], urls: Sequence[str]) -> list[Row]:
    """Standing links without these addresses."""
    left = [([url for url in those if url not in urls], key) for those, key in rows]
    return [row for row in left if row[0]]
