"""`glow join`: makes this device one of those of whoever made the invite, and runs its node."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from node.cli.client import attached, node_runs
from node.cli.detach import detach, node_words
from node.cli.failures import UsageError
from node.cli.output import Output, counted
from node.cli.running import announce, configure_node, ready_data, run_node

NAME = "join"
HELP = "join the devices of whoever made an invite"
NEXT = "next: `glow ls` shows what your devices offer; Ctrl-C stops this node"
SCHEME = "glow-join:"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("link", nargs="?", metavar="LINK", help="what `glow invite` printed; - or nothing: it is read")
    configure_node(parser)


def run(arguments: Namespace) -> int:
    link = link_of(arguments.link)
    if node_runs(arguments):
        return attached(arguments, lambda glow: _join_running(glow, link, arguments), "the inviter's yes")
    if arguments.detach:
        return detach(arguments, [NAME, "-", *node_words(arguments)], f"{link}\n")

    async def join(glow: Glow) -> None:
        announce(await glow.node.join(link, arguments.name or ""), arguments, NEXT)

    return run_node(arguments, join, found=False)


async def _join_running(glow: Glow, link: str, arguments: Namespace) -> int:
    status = await glow.node.join(link, arguments.name or "")
    others = counted(len(status.nodes) - 1, "other device")
    served = counted(len(status.serves), "other namespace")
    what = f"is a relay of {served} now" if status.serves else f"joined; it knows {others}"
    Output(arguments).show(ready_data(status), lambda: f"{status.name or 'this device'} {what}")
    return 0


def link_of(text: str | None) -> str:
    """The link on the command line, or the one that is typed or piped in. Raises UsageError."""
    if text in (None, "-"):
        if sys.stdin.isatty():
            sys.stderr.write("link: ")
            sys.stderr.flush()
        text = sys.stdin.readline()
    link = str(text).strip()
    if not link.startswith(SCHEME):
        raise UsageError(
            "this is no invite link", f"it does not begin with {SCHEME}", "glow invite, on the other device"
        )
    return link
