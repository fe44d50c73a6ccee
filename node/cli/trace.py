"""`glow trace`: the nodes that packets visit on their way, and how long each takes to answer."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

import trio

from firefly.client import Glow
from firefly.interfaces.core import Hop, Node
from node.cli.client import attached, named, node_at
from node.cli.failures import OK, UNREACHABLE
from node.cli.output import Output, address_text, duration_text
from node.cli.ping import round_trip_of

NAME = "trace"
HELP = "which way packets go to a node"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", metavar="NODE", help="where the packets go; --node names where they begin")


def run(arguments: Namespace) -> int:
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        destination = await glow.resolve(arguments.of)
        _, start = await node_at(glow, named(arguments, None))
        hops = await start.route(destination.node)
        answers: list[tuple[float | None, str]] = [(None, "")] * len(hops)

        async def ask(place: int) -> None:
            node = glow.at(hops[place].node, hops[place].node, Node)
            await round_trip_of(node)  # Opens the session, which is not what is to be measured.
            answers[place] = await round_trip_of(node)

        async with trio.open_nursery() as nursery:
            for place, hop in enumerate(hops):
                if hop.node != glow.address:
                    nursery.start_soon(ask, place)
        rows = [_row(hop, *answer) for hop, answer in zip(hops, answers, strict=True)]
        out.show(rows, lambda: _table(rows, out))
        return OK if hops and hops[-1].node == destination.node else UNREACHABLE

    return attached(arguments, work, arguments.of)


def _row(hop: Hop, round_trip: float | None, reason: str) -> dict[str, Any]:
    return {
        "name": hop.name,
        "address": address_text(hop.node),
        "link": hop.link,
        "link_round_trip": hop.round_trip if hop.link else None,
        "round_trip": round_trip,
        "reason": reason,
    }


def _table(rows: list[dict[str, Any]], out: Output) -> str:
    def time(seconds: float | None) -> str:
        return "" if seconds is None else duration_text(seconds)

    return out.table(
        ("HOP", "NODE", "BY", "LINK TAKES", "ANSWERS IN", "ADDRESS", "WHY"),
        [
            (
                str(number),
                row["name"],
                row["link"] or ("" if number else "starts here"),
                time(row["link_round_trip"]),
                time(row["round_trip"]),
                row["address"][:11],
                row["reason"],
            )
            for number, row in enumerate(rows)
        ],
    )
