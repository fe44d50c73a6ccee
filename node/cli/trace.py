"""`glow trace`: the nodes that packets visit on their way, as each of them sees its next link, and how it answers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Any

import trio

from firefly.client import Glow
from firefly.errors import DeadlineExceeded, Denied, Interrupted, NoSuchMethod, Unreachable
from firefly.interfaces.core import Hop, Node, Route
from node.cli.client import attached, named, node_at
from node.cli.failures import OK, UNREACHABLE
from node.cli.output import Output, address_text, duration_text, size_text
from node.cli.ping import PATIENCE, round_trip_of

NAME = "trace"
HELP = "which way packets go to a node, hop by hop"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", metavar="NODE", help="where the packets go; --node names where they begin")


def run(arguments: Namespace) -> int:
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        destination = await glow.resolve(arguments.of)
        _, start = await node_at(glow, named(arguments, None))
        hops = await start.route(destination.node)
        seen = [Seen() for _ in hops]

        async def ask(place: int) -> None:
            node = glow.at(hops[place].node, hops[place].node, Node)
            await look(node, destination.node, seen[place], here=hops[place].node == glow.address)

        async with trio.open_nursery() as nursery:
            for place in range(len(hops)):
                nursery.start_soon(ask, place)
        rows = [_row(hop, seen[place], seen[place - 1] if place else None) for place, hop in enumerate(hops)]
        out.show(rows, lambda: _table(rows, out))
        return OK if hops and hops[-1].node == destination.node else UNREACHABLE

    return attached(arguments, work, arguments.of)


@dataclass
class Seen:
    """What a hop answered: how fast, why not, and the way on from it."""

    round_trip: float | None = None
    reason: str = ""
    route: Route | None = None


async def look(node: Node, destination: bytes, seen: Seen, *, here: bool) -> None:
    """Asks one hop. One that does not answer in time says so in its row, and holds up no other."""
    try:
        with trio.fail_after(PATIENCE):
            routes = await node.routes(destination)
    except Denied:  # it is of another namespace; an echo it gives to everybody
        pass
    except (Unreachable, Interrupted, DeadlineExceeded, NoSuchMethod) as error:
        seen.reason = error.cause or error.message
    except trio.TooSlowError:
        seen.reason = f"nothing came within {PATIENCE:g} s"
    else:
        seen.route = routes[0] if routes else None
    if not here and not seen.reason:
        seen.round_trip, seen.reason = await round_trip_of(node)


def _row(hop: Hop, seen: Seen, before: Seen | None) -> dict[str, Any]:
    """`link`, its round trip and what waits for it are told by the hop before, whose link it is."""
    way = before.route if before is not None else None
    return {
        "name": hop.name,
        "address": address_text(hop.node),
        "link": way.link if way is not None else hop.link,
        "link_round_trip": way.round_trip if way is not None else None,
        "queued": way.queued if way is not None else None,
        "round_trip": seen.round_trip,
        "reason": seen.reason,
    }


def _table(rows: list[dict[str, Any]], out: Output) -> str:
    def time(seconds: float | None) -> str:
        return "" if seconds is None else duration_text(seconds)

    return out.table(
        ("HOP", "NODE", "BY", "LINK TAKES", "WAITING", "ANSWERS IN", "ADDRESS", "WHY"),
        [
            (
                str(number),
                row["name"],
                row["link"] or ("" if number else "starts here"),
                time(row["link_round_trip"]),
                "" if row["queued"] is None else size_text(row["queued"]),
                time(row["round_trip"]),
                row["address"][:11],
                row["reason"],
            )
            for number, row in enumerate(rows)
        ],
    )
