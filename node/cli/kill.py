"""`glow kill`: ends a process for good; its node forgets it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from firefly.errors import NoSuchResource
from node.cli.address import parse
from node.cli.client import attached, named, node_at
from node.cli.failures import UsageError
from node.cli.output import Output, plain

NAME = "kill"
HELP = "end a process and forget it"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("process", metavar="[NODE/]LABEL", help="the process; `glow ps` lists them")


def run(arguments: Namespace) -> int:
    node_name, label = target(arguments)
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, node_name)
        known = {process.label: process.id for process in await node.processes()}
        known |= {process.hex(): process for process in known.values()}
        if label not in known:
            raise NoSuchResource(f"{node_name} has no process {label!r}", hint=f"glow ps {node_name}")
        status = await node.kill(known[label])
        out.show(plain(status), lambda: f"{status.label} ended; what it kept in its folder is still there")
        return 0

    return attached(arguments, work, node_name)


def target(arguments: Namespace) -> tuple[str, str]:
    """(node, label or id) of the process that is meant. Raises UsageError."""
    if "/" not in arguments.process and not arguments.process.startswith("glow:"):
        return named(arguments, None), arguments.process
    address = parse(arguments.process)
    if address.resource is None or address.path is not None:
        raise UsageError(f"{arguments.process!r} is no process", hint="glow kill NODE/LABEL")
    return address.node, address.resource
