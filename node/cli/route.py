"""`glow route`: the ways that a node's packets take to others, what they cost, and what stands in for a lost link."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from firefly.interfaces.core import Route
from node.cli.client import attached, named, node_at
from node.cli.output import Output, address_text, duration_text, plain, size_text

NAME = "route"
HELP = "the ways to other nodes, and what stands in for a lost link"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("to", nargs="?", metavar="NODE", help="only the way to this node (default: all that are known)")


def run(arguments: Namespace) -> int:
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, start = await node_at(glow, named(arguments, None))
        destination = (await glow.resolve(arguments.to)).node if arguments.to else None
        routes = await start.routes(destination)
        if not routes and not out.json:
            out.note("no other node can be reached: `glow why` says what is missing")
        out.show([plain(route) for route in routes], lambda: table(routes, out))
        return 0

    return attached(arguments, work, arguments.to or arguments.node or "")


def table(routes: list[Route], out: Output) -> str:
    return out.table(
        ("TO", "BY WAY OF", "LINK", "ROUND TRIP", "HOPS", "COST", "WAITING", "STANDS IN", "DETOUR BY", "ADDRESS"),
        [
            (
                route.name or (f"beyond {route.hub_name}" if route.hub else "?"),
                route.next_name,
                route.link,
                "" if route.round_trip is None else duration_text(route.round_trip),
                str(route.hops),
                duration_text(route.cost / 1e6),
                size_text(route.queued) if route.queued else "",
                route.alternate_name,
                ", ".join(route.waypoint_names),
                address_text(route.destination)[:11],
            )
            for route in routes
        ],
    )
