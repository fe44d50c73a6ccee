"""`glow simulate`: lets hundreds of nodes find their ways in virtual time, and says how well they did."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node.cli.failures import FAILED, OK
from node.cli.output import Output, duration_text, size_text

NAME = "simulate"
HELP = "let a made-up mesh of real nodes run in virtual time"
PATIENCE = 1.0
"""Seconds after which a person sees how far it is."""


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "For example: glow simulate grid:7x7, or glow simulate outage.json --seed 4 --json"
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        help="a JSON file, or line:N, ring:N, star:N, tree:N, grid:WxH, random:N, mobility:N",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default: 1)")
    parser.add_argument(
        "--duration", type=float, metavar="SECONDS", help="of virtual time (default: the scenario's, or 60)"
    )
    parser.add_argument("--pings", type=float, metavar="N", help="calls per second between random nodes")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write every event there")


def run(arguments: Namespace) -> int:
    from node.simulator.named import find
    from node.simulator.simulation import Simulation

    out = Output(arguments)
    scenario = find(arguments.scenario, arguments.seed, arguments.duration)
    log = arguments.log.open("w", encoding="utf-8") if arguments.log else None
    try:
        note = (lambda line: print(line, file=log)) if log is not None else None
        simulation = Simulation(scenario, arguments.seed, arguments.pings, note)
        report = simulation.run(progress(out, scenario.duration))
    finally:
        if log is not None:
            log.close()
    data = report.as_data()
    out.show(data, lambda: text_of(data, out))
    return OK if data["share"] is None or data["share"] > 0 else FAILED


def progress(out: Output, duration: float) -> Callable[[float], None]:
    """Draws how far it is, on a terminal."""
    if out.quiet or not sys.stderr.isatty():
        return lambda now: None
    begun = time.monotonic()

    def draw(now: float) -> None:
        if time.monotonic() - begun > PATIENCE:
            end = "\n" if now >= duration else ""
            sys.stderr.write(f"\r\x1b[Ksimulating  {min(now, duration):.0f} of {duration:g} s{end}")
            sys.stderr.flush()

    return draw


def text_of(data: dict[str, Any], out: Output) -> str:
    """The report as a person reads it."""
    pings, seconds, stretch = data["pings"], data["seconds"], data["stretch"]
    share = "none had a path" if data["share"] is None else f"{data['share']:.2%} of {pings['counted']} that had a path"
    lines = [
        f"{data['nodes']} nodes, {data['links']} links, {data['duration']:g} s, seed {data['seed']}",
        f"answered   {share}",
    ]
    if seconds is not None:
        lines.append(f"round trip {_spread(seconds, duration_text)}")
    if stretch is not None:
        lines.append(f"stretch    {_spread(stretch, lambda value: f'{value:.3g}')} over the shortest way")
    settled = [change["seconds"] for change in data["settled"] if change["seconds"] is not None]
    count = len(data["settled"])
    slowest = f", at most {duration_text(max(settled))} after it" if settled else ""
    lines.append(f"routes     right again after {len(settled)} of {count} changes before the next one{slowest}")
    lines.append(f"control    {size_text(data['control_bytes_per_node_second'])} per node and second")
    lines.append(
        f"memory     {size_text(data['memory_bytes_per_node'])} and {data['records_per_node']:g} records per node"
    )
    lines.append(f"packets that visited a node twice: {data['visited_twice']}")
    low = [part for part in data["intervals"] if part["share"] is not None and part["share"] < 1]
    rows = [(f"{part['from']:g}", f"{part['share']:.2%}") for part in low]
    return "\n".join([*lines, *([out.table(("FROM S", "ANSWERED"), rows)] if rows else [])])


def _spread(values: dict[str, float], show: Callable[[float], str]) -> str:
    return f"{show(values['median'])} (95 of 100: {show(values['p95'])}, at most {show(values['max'])})"
