"""`glow mkdir`: makes folders."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from node.cli.address import parse_remote
from node.cli.client import attached
from node.cli.files import each, is_folder, open_files
from node.cli.output import Output

NAME = "mkdir"
HELP = "make folders"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("addresses", nargs="+", metavar="NODE[/RESOURCE]:PATH", help="the folders to make")
    parser.add_argument("-p", "--parents", action="store_true", help="those above it too; one that exists is no error")


def run(arguments: Namespace) -> int:
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        async def make(text: str) -> None:
            address = parse_remote(text)
            files = await open_files(glow, address)
            path = address.path or ""
            if not (arguments.parents and await is_folder(files, path)):
                await files.mkdir(path, arguments.parents)

        return await each(arguments.addresses, out, make)

    return attached(arguments, work, arguments.addresses[0])
