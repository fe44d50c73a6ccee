"""`glow ping`: how long a node takes to answer, end to end and encrypted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

import trio

from firefly.client import Glow
from firefly.errors import DeadlineExceeded, Interrupted, Unreachable
from firefly.interfaces.core import Node
from node.cli.client import attached, node_at
from node.cli.failures import OK, PARTLY, UNREACHABLE
from node.cli.output import Output, address_text, duration_text

NAME = "ping"
HELP = "how long a node takes to answer"
PAUSE = 0.2
"""Seconds between two questions."""
PATIENCE = 5.0
"""Seconds that one answer may take."""
MAX_COUNT = 1_000_000
MAX_SIZE = 65536


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", metavar="NODE", help="the node to ask")
    parser.add_argument("-n", "--count", type=int, default=4, metavar="N", help="how often (default: 4)")
    parser.add_argument(
        "-s", "--size", type=int, default=56, metavar="BYTES", help="bytes sent each time (default: 56)"
    )


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    count = min(max(arguments.count, 1), MAX_COUNT)
    payload = bytes(min(max(arguments.size, 0), MAX_SIZE))

    async def work(glow: Glow) -> int:
        location, node = await node_at(glow, arguments.of)
        name, address = location.name or arguments.of, address_text(location.node)
        if not out.json:
            out.text(f"ping {name} ({address}), {len(payload)} bytes")
        times = await _ask(node, name, payload, count, out)
        _summary(out, name, address, count, times)
        return OK if len(times) == count else PARTLY if times else UNREACHABLE

    return attached(arguments, work)


async def _ask(node: Node, name: str, payload: bytes, count: int, out: Output) -> list[float]:
    """Round trips in seconds of the questions that were answered."""
    times: list[float] = []
    for number in range(1, count + 1):
        if number > 1:
            await trio.sleep(PAUSE)
        round_trip, failure = await round_trip_of(node, payload)
        if round_trip is not None:
            times.append(round_trip)
        if out.lines or not out.json:
            data = {"number": number, "round_trip": round_trip, "error": failure}
            answer = f"no answer: {failure}" if round_trip is None else duration_text(round_trip)
            out.item(data, f"{number} from {name}: {answer}")
    return times


async def round_trip_of(node: Node, payload: bytes = b"") -> tuple[float | None, str]:
    """Seconds until the node answered, or None and the reason."""
    begun = trio.current_time()
    try:
        with trio.fail_after(PATIENCE):
            await node.echo(payload)
    except (Unreachable, Interrupted, DeadlineExceeded) as error:
        return None, error.cause or error.message
    except trio.TooSlowError:
        return None, f"nothing came within {PATIENCE:g} s"
    return trio.current_time() - begun, ""


def _summary(out: Output, name: str, address: str, count: int, times: list[float]) -> None:
    from statistics import median

    ordered = sorted(times)
    data: dict[str, Any] = {"name": name, "address": address, "asked": count, "answered": len(times), "times": times}
    line = f"{len(times)} of {count} answered"
    if ordered:
        data |= {"minimum": ordered[0], "median": median(ordered), "maximum": ordered[-1]}
        parts = (f"{what} {duration_text(data[what])}" for what in ("minimum", "median", "maximum"))
        line += f"; {', '.join(parts)}"
    if not out.lines:
        out.show(data, lambda: line)
