"""`glow ps`: the processes of a node, and why each is in its state."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

from firefly.client import Glow
from firefly.interfaces.core import ProcessStatus
from node.cli.client import attached, named, node_at
from node.cli.output import Output, duration_text, plain

NAME = "ps"
HELP = "the processes of a node"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", metavar="NODE", help="the node to ask (default: this one)")


def run(arguments: Namespace) -> int:
    name = named(arguments, arguments.of)
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        processes = sorted(await node.processes(), key=lambda process: process.label)
        nothing = "no processes yet; make one with `glow create`"
        if not processes and not out.json:
            out.note(nothing)
        out.show(plain(processes), lambda: process_table(processes, out))
        return 0

    return attached(arguments, work, name)


def process_table(processes: list[ProcessStatus], out: Output) -> str:
    now = datetime.now(UTC)
    return out.table(
        ("LABEL", "STATE", "UP", "KIND", "PROGRAM", "PROTO", "RESTARTS", "PID", "WHY"),
        [
            (
                process.label,
                process.state.name.lower(),
                "" if process.started is None else duration_text(max((now - process.started).total_seconds(), 0)),
                process.kind.name.lower(),
                process.program,
                process.proto,
                str(process.restarts or ""),
                str(process.os_process or ""),
                process.reason,
            )
            for process in processes
        ],
    )
