"""`glow node`: runs this device's node until it is stopped."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from node.cli.client import node_runs
from node.cli.detach import detach, node_words
from node.cli.identity import make_first_identity
from node.cli.running import announce, configure_node, run_node

NAME = "node"
HELP = "run this device's node"
NEXT = "next: `glow invite` makes a link for another device; Ctrl-C stops this node"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=["run"], metavar="run", help="what it does anyway")
    configure_node(parser)


def run(arguments: Namespace) -> int:
    if not node_runs(arguments):  # If one runs, starting another says who holds the home.
        make_first_identity(arguments)
    if arguments.detach:
        return detach(arguments, [NAME, *node_words(arguments)])

    async def begin(glow: Glow) -> None:
        announce(await glow.node.node_status(), arguments, NEXT)

    return run_node(arguments, begin)
