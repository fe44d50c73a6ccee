"""`glow logs`: what a node and its processes said lately, and what they say from now on."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import datetime
from typing import Any

from firefly.client import Glow
from firefly.interfaces.core import LogLevel, LogRecord
from node.cli.client import attached, named, node_at
from node.cli.failures import OK
from node.cli.output import Output, iso_time, local_time, plain

NAME = "logs"
HELP = "what a node and its processes said"
SHOWN = 100
"""Records that are shown if nobody says how many."""
ALL = -1
LEVELS = ("debug", "info", "warning", "error", "critical")
"""Those of LogLevel, which completion must know without it."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", metavar="NODE", help="the node to ask (default: this one)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until stopped")
    parser.add_argument("--process", default="", metavar="LABEL", help="only that process; `node` is the node itself")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="only what is at least as grave")
    parser.add_argument(
        "-n", "--lines", type=count, default=SHOWN, metavar="N", help=f"how many at most, or `all` (default: {SHOWN})"
    )


def count(text: str) -> int:
    """A number of records. Raises ArgumentTypeError."""
    if text == "all":
        return ALL
    if not text.isdecimal() or int(text) >= 2**32:
        raise ArgumentTypeError(f"{text!r} is no number of lines; write 0, 100 or all")
    return int(text)


def run(arguments: Namespace) -> int:
    name = named(arguments, arguments.of)
    out = Output(arguments)
    last = None if arguments.lines == ALL else arguments.lines

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        gathered: list[Any] | None = [] if out.json and not out.lines and not arguments.follow else None
        nothing = True
        level = LogLevel[arguments.level.upper()]
        async with node.logs(0, last, arguments.follow, level, arguments.process) as records:
            async for record in records:
                nothing = False
                if gathered is None:
                    show(record, out)
                else:
                    gathered.append(plain(record))
        if gathered is not None:
            out.show(gathered, str)
        elif nothing:
            out.note("nothing was said that fits" + (", `glow ps` lists the processes" if arguments.process else ""))
        return OK

    return attached(arguments, work, "" if arguments.follow else name, about=name)


def show(record: LogRecord, out: Output) -> None:
    if record.lost and not out.json:
        out.note(f"… {record.lost} older records are gone" if record.lost > 1 else "… 1 older record is gone")
    out.item(plain(record), record_text(record, out))


def record_text(record: LogRecord, out: Output) -> str:
    """One record as lines: time, level, process, message with its fields; what continues is indented."""
    level = record.level.name.lower()
    shown = level if record.level < LogLevel.WARNING else out.bold(level)
    fields = "".join(f"  {key}={value}" for key, value in record.fields.items())
    first, *more = record.message.splitlines() or [""]
    heading = f"{time_text(record.time, out)}  {shown}{' ' * (8 - len(level))}  {record.process}: {first}"
    return "\n".join([heading + out.faint(fields) if fields else heading, *(f"    {line}" for line in more)])


def time_text(time: datetime, out: Output) -> str:
    return local_time(time) if out.terminal else iso_time(time)
