"""`glow mv`: renames or moves a file or folder within one file system."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from node.cli.address import join, parse_remote
from node.cli.client import attached
from node.cli.failures import UsageError
from node.cli.files import is_folder, locate

NAME = "mv"
HELP = "rename or move files and folders"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("addresses", nargs="+", metavar="FROM… TO", help="NODE[/RESOURCE]:PATH, the last is where to")


def run(arguments: Namespace) -> int:
    if len(arguments.addresses) < 2:
        raise UsageError("it needs a FROM and a TO", hint="glow mv nas:draft.txt nas:letter.txt")
    *sources, target = (parse_remote(text) for text in arguments.addresses)

    async def work(glow: Glow) -> int:
        there, files = await locate(glow, target)
        into = await is_folder(files, target.path or "")
        if len(sources) > 1 and not into:
            raise UsageError(f"{target} is no folder, so only one thing can move there", hint=f"glow mkdir {target}")
        for source in sources:
            here, _ = await locate(glow, source)
            path = source.path or ""
            if (here.node, here.resource) != (there.node, there.resource):
                raise UsageError(
                    f"{source} and {target} are in different file systems",
                    "a move between them would be a copy",
                    f"glow cp -r {source} {target}, then glow rm -r {source}",
                )
            name = path.rpartition("/")[2]
            await files.rename(path, join(target.path or "", name) if into else target.path or "")
        return 0

    return attached(arguments, work, target.node)
