"""`glow cat`: prints files as they are."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

import trio

from firefly.client import Glow
from node.cli.address import parse_remote
from node.cli.client import attached
from node.cli.files import open_files

NAME = "cat"
HELP = "print files"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("addresses", nargs="+", metavar="NODE[/RESOURCE]:PATH", help="the files, one after the other")
    parser.add_argument("--offset", type=int, default=0, metavar="BYTES", help="begin there")
    parser.add_argument("--size", type=int, metavar="BYTES", help="print that much of each at most")


def run(arguments: Namespace) -> int:
    addresses = [parse_remote(text) for text in arguments.addresses]

    async def work(glow: Glow) -> int:
        for address in addresses:
            files = await open_files(glow, address)
            async with files.read(address.path or "", arguments.offset, arguments.size) as pieces:
                async for batch in pieces.batches():
                    await trio.to_thread.run_sync(sys.stdout.buffer.writelines, batch)
        await trio.to_thread.run_sync(sys.stdout.buffer.flush)
        return 0

    return attached(arguments, work, about=addresses[0].node)
