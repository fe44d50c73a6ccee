"""`glow status`: this node, the nodes it knows, its links, and why each is as it is."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from firefly.client import Glow
from firefly.interfaces.core import LinkStateRecord, LinkStatus, Node, NodeStatus, NodeSummary, Relaying
from node.cli.client import attached, named, node_at
from node.cli.failures import UsageError
from node.cli.output import Output, address_text, counted, duration_text, hint_lines, local_time, plain, size_text

NAME = "status"
HELP = "this node, the nodes it knows and its links"
PAUSE = 1.0
"""Seconds between two looks while somebody watches."""
CLEAR = "\x1b[H\x1b[2J"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", metavar="NODE", help="the node to ask (default: this one)")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--watch", action="store_true", help="show it again whenever it changes, until Ctrl-C")
    ways.add_argument("--map", metavar="FILE", type=Path, help="draw the mesh, every node and link, into an SVG file")
    ways.add_argument("--all", action="store_true", help="everything that the node knows of others: every record")


def run(arguments: Namespace) -> int:
    chosen = vars(arguments)  # `glow` alone is `glow status` without any of these
    name = named(arguments, chosen.get("of"))
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        if chosen.get("map"):
            await draw_map(glow, node, chosen["map"], out)
        elif chosen.get("watch"):
            await watch(node, out)
        else:
            status = await node.node_status()
            records = await node.records() if chosen.get("all") else []
            data = data_of(status) | ({"records": plain(records)} if chosen.get("all") else {})
            out.show(data, lambda: "\n\n".join(filter(None, (text_of(status, out), records_table(records, out)))))
        return 0

    return attached(arguments, work, name)


async def draw_map(glow: Glow, node: Node, file: Path, out: Output) -> None:
    """Raises UsageError if the file cannot be written."""
    from node.cli.mapping.drawing import draw
    from node.cli.mapping.picture import gather

    picture = await gather(glow, node)
    try:
        await trio.Path(file).write_text(draw(picture), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written", error.strerror or str(error), "another FILE") from None
    nodes, links = len(picture.dots), len(picture.lines)
    done = f"{file}: {counted(nodes, 'node')}, {counted(links, 'pair')} linked; a browser shows it"
    out.show({"file": str(file), "nodes": nodes, "pairs": links}, lambda: done)


CHANGING = {"sent", "received", "round_trip", "counters", "retry"}
"""What moves all the time, and so is no change to somebody who watches JSON."""


async def watch(node: Node, out: Output) -> None:
    """Shows the status whenever it has changed. Only a terminal is shown what always moves."""
    shown: Any = None
    while True:
        status = await node.node_status()
        text = text_of(status, out)
        looks: Any = text if out.terminal and not out.json else steady(data_of(status))
        if looks != shown:
            shown = looks
            if out.terminal and not out.json:
                sys.stdout.write(CLEAR)
            out.item(data_of(status), text)
        await trio.sleep(PAUSE)


def steady(data: Any) -> Any:
    """Without what moves all the time."""
    if isinstance(data, dict):
        return {key: steady(value) for key, value in data.items() if key not in CHANGING}
    return [steady(item) for item in data] if isinstance(data, list) else data


def records_table(records: list[LinkStateRecord], out: Output) -> str:
    def edges(record: LinkStateRecord) -> str:
        return ", ".join(f"{edge.name} {duration_text(edge.cost / 1e6)}" for edge in record.neighbours)

    return out.table(
        ("RECORD OF", "SAID", "RELAYS", "LINKED TO", "SEQUENCE", "ADDRESS"),
        [
            (
                record.name or "?",
                f"{duration_text(record.age)} ago",
                record.relaying.name.lower().replace("_", " "),
                edges(record),
                str(record.sequence),
                address_text(record.node)[:11],
            )
            for record in records
        ],
    )


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
        *relaying_lines(status),
        *serving_lines(status),
        f"  home       {status.home}",
        f"  version    {status.version} on {status.platform}, started {local_time(status.started)}",
    ]
    links = "\n".join([links_table(status.links, out), *hint_lines([link.hint for link in status.links])])
    parts = ["\n".join(lines), nodes_table(status.nodes, out), links]
    if out.verbose:
        parts.append(out.table(("COUNTER", "VALUE"), [(k, str(v)) for k, v in sorted(status.counters.items())]))
    return "\n\n".join(part for part in parts if part)


def relaying_lines(status: NodeStatus) -> list[str]:
    if status.relaying == Relaying.ALWAYS:
        return []
    how = "nothing for others" if status.relaying == Relaying.NEVER else "for others only where nothing else can"
    return [f"  relays     {how}: {status.relaying_why}"]


def serving_lines(status: NodeStatus) -> list[str]:
    """That this node is a hub."""
    if not status.serves:
        return []
    names = ", ".join(f"{namespace.hex()[:16]}…" for namespace in status.serves)
    return [f"  serves     {names} as a relay, besides its own namespace"]


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
