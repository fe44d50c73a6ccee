"""`glow status`: this node, the nodes it knows, its links, and why each is as it is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import Any

from firefly.client import Glow
from firefly.interfaces.core import LinkStatus, NodeStatus, NodeSummary
from node.cli.client import attached, named, node_at
from node.cli.output import Output, address_text, duration_text, hint_lines, local_time, plain, size_text

NAME = "status"
HELP = "this node, the nodes it knows and its links"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", metavar="NODE", help="the node to ask (default: this one)")


def run(arguments: Namespace) -> int:
    name = named(arguments, arguments.__dict__.get("of"))
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        status = await node.node_status()
        out.show(data_of(status), lambda: text_of(status, out))
        return 0

    return attached(arguments, work, name)


def data_of(status: NodeStatus) -> dict[str, Any]:
    data: dict[str, Any] = plain(status)
    return data


def text_of(status: NodeStatus, out: Output) -> str:
    up = duration_text(max((datetime.now(UTC) - status.started).total_seconds(), 0))
    joined = any(status.namespace)
    role = status.role.name.lower() if joined else "belongs nowhere"
    lines = [
        f"{out.bold(status.name or 'this device')}  {role}, up {up}",
        f"  address    {address_text(status.address)}",
        f"  namespace  {status.namespace.hex()[:16] + '…' if joined else 'none yet: glow join LINK'}",
        f"  listening  {', '.join(status.listening) or 'nowhere: only this node can begin a link'}",
        f"  home       {status.home}",
        f"  version    {status.version} on {status.platform}, started {local_time(status.started)}",
    ]
    links = "\n".join([links_table(status.links, out), *hint_lines([link.hint for link in status.links])])
    parts = ["\n".join(lines), nodes_table(status.nodes, out), links]
    if out.verbose:
        parts.append(out.table(("COUNTER", "VALUE"), [(k, str(v)) for k, v in sorted(status.counters.items())]))
    return "\n\n".join(part for part in parts if part)


def nodes_table(nodes: list[NodeSummary], out: Output) -> str:
    return out.table(
        ("NODE", "HOW", "ROLE", "PLATFORM", "ADDRESS", "WHY"),
        [
            (n.name or "?", n.how, n.role.name.lower(), n.platform, address_text(n.address)[:11], n.reason)
            for n in nodes
        ],
    )


def links_table(links: list[LinkStatus], out: Output) -> str:
    return out.table(
        ("LINK TO", "KIND", "STATE", "ROUND TRIP", "SENT", "RECEIVED", "URL", "WHY"),
        [
            (
                link.peer or (address_text(link.address)[:11] if link.address else "?"),
                link.kind,
                link.state,
                "" if link.round_trip is None else duration_text(link.round_trip),
                size_text(link.sent),
                size_text(link.received),
                link.url,
                link.reason,
            )
            for link in links
        ],
    )
