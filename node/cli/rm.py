"""`glow rm`: removes files, and folders with all that is in them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from firefly.interfaces.filesystem import NotFound
from node.cli.address import parse_remote
from node.cli.client import attached
from node.cli.failures import UsageError
from node.cli.files import each, open_files
from node.cli.output import Output

NAME = "rm"
HELP = "remove files and folders"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("addresses", nargs="+", metavar="NODE[/RESOURCE]:PATH", help="what to remove")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders too, with all that is in them")
    parser.add_argument("-f", "--force", action="store_true", help="it is no error if there is nothing")


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    for text in arguments.addresses:
        if not parse_remote(text).path:
            raise UsageError(f"{text} is a whole file system", "only what is in it can be removed", "glow kill")

    async def work(glow: Glow) -> int:
        async def remove(text: str) -> None:
            address = parse_remote(text)
            files = await open_files(glow, address)
            try:
                await files.remove(address.path or "", arguments.recursive)
            except NotFound:
                if not arguments.force:
                    raise

        return await each(arguments.addresses, out, remove)

    return attached(arguments, work, arguments.addresses[0])
