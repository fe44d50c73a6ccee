"""What a node tells of itself and of its namespace: the answer of `Node.node_status`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import trio

from firefly.address import address_of
from firefly.interfaces import core
from node.directory import Entry
from node.link_book import standing_of
from node.links import kind_of
from node.links.webrtc import RELAYED
from node.node import Node, platform_name
from node.topology import RELAYING


def status_of(node: Node) -> core.NodeStatus:
    """Everything, as of now."""
    router = node.router.counters + node.peers.counters + node.mesh.flooding.counters
    return core.NodeStatus(
        name=node.label,
        address=node.address,
        key=node.key.public,
        namespace=node.namespace or bytes(32),
        role=core.Role(node.role),
        version=glow_version(),
        platform=platform_name(),
        home=str(node.home.path),
        started=node.started,
        listening=node.listening,
        nodes=[_summary(node, entry) for entry in entries_of(node)],
        links=_links(node),
        counters=dict(router),
        lapsed=_lapsed(node),
        relaying=RELAYING[node.willingness.relay],
        relaying_why=node.willingness.why,
        serves=[namespace for namespace in node.mesh.areas if namespace != node.namespace],
    )


def entries_of(node: Node) -> list[Entry]:
    """Of every node of the namespace."""
    directory = node.directory
    return directory.entries() if directory is not None else []


def _summary(node: Node, entry: Entry) -> core.NodeSummary:
    how, hops, reason = _reach(node, entry.address)
    return core.NodeSummary(
        name=entry.label,
        address=entry.address,
        key=entry.key,
        role=core.Role(node.caller_of(entry.key).role),
        reachable=how != "unreachable",
        how=how,
        hops=hops,
        reason=reason,
        platform=entry.contents.platform,
        expires=_expires(node, entry.key),
        clash=node.directory is not None and node.directory.clashing(entry.key),
        direct=node.meetings.outcome(entry.address),
    )


def _expires(node: Node, key: bytes) -> datetime | None:
    held = node.book.find(node.namespace or b"", key)
    return datetime.fromtimestamp(held.certificate.expires, UTC) if held is not None else None


def _lapsed(node: Node) -> list[core.NodeSummary]:
    directory = node.directory
    if directory is None:
        return []
    return [
        core.NodeSummary(
            name=directory.given_label(certificate.key),
            address=address_of(certificate.key),
            key=certificate.key,
            role=core.Role(certificate.role),
            reachable=False,
            how="unreachable",
            hops=0,
            reason="its certificate has ended",
            platform="",
            expires=datetime.fromtimestamp(certificate.expires, UTC),
        )
        for certificate in node.book.lapsed(directory.namespace)
    ]


def _reach(node: Node, address: bytes) -> tuple[str, int, str]:
    """(how, hops, why) a node is reached."""
    if address == node.address:
        return "this node", 0, ""
    path = node.mesh.path(address)
    link: Any = node.mesh.next_hop(address, None)
    if not path or link is None:
        heard = any(address in area.records for area in node.mesh.areas.values())
        off = "it is off, or nothing that is on is linked to it"
        return "unreachable", 0, f"no path leads there: {'it was on lately, and lost its links' if heard else off}"
    if len(path) == 1:
        how = "webrtc through TURN" if link.url.endswith(RELAYED) else f"direct {link.kind}"
        return how, 1, f"linked at {link.url}"
    names = [node.name_of(hop) for hop in path[:-1]]
    return f"via {' and '.join(names)}", len(path), why_not_directly(node, address)


def why_not_directly(node: Node, address: bytes) -> str:
    """Why packets to a node that is reached over others take no link to it."""
    links = node.meetings.links_to(address)
    if not links:
        return "no link leads there directly"
    if all(link.on_trial for link in links):
        return f"the {links[0].kind} link to it is tried out first"
    return "the link to it costs more, or came up just now"


def _links(node: Node) -> list[core.LinkStatus]:
    now = trio.current_time()
    found = [
        core.LinkStatus(
            peer=node.name_of(link.peer_address),
            address=link.peer_address,
            kind=link.kind,
            url=link.url,
            state="up",
            reason=standing_of(link),
            round_trip=link.liveness.rtt,
            since=datetime.now(UTC) - timedelta(seconds=now - link.since),
            sent=link.sent_bytes,
            received=link.received_bytes,
            certified=link.certified,
            admitted=link.admitted is not None,
        )
        for link in node.router.links
    ]
    return found + [
        core.LinkStatus(
            peer=node.name_of(address_of(standing.expected)) if standing.expected else "",
            address=address_of(standing.expected) if standing.expected else None,
            kind=" ".join(dict.fromkeys(map(kind_of, standing.urls))),
            url=" ".join(standing.urls),
            state=standing.state,
            reason=standing.reason,
            hint=standing.hint,
            round_trip=None,
            since=None,
            sent=0,
            received=0,
            retry=_in_future(standing.next_attempt),
        )
        for standing in node.links.standing.all
        if standing.state != "up"
    ]


def _in_future(moment: float | None) -> datetime | None:
    """A moment of trio's clock, by the system's."""
    return None if moment is None else datetime.now(UTC) + timedelta(seconds=moment - trio.current_time())


def glow_version() -> str:
    try:
        return version("glow")
    except PackageNotFoundError:
        return "unknown"
