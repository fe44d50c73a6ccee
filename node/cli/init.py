"""`glow init`: makes the identity of a first device, and runs nothing. `glow node` does it too; this is for scripts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from node.cli.flags import home_of
from node.cli.output import Output, address_text
from node.cli.running import show_words

NAME = "init"
HELP = "make this device's identity, and run nothing"


def configure(parser: ArgumentParser) -> None:
    parser.description = (
        "Makes the identity of a first device: its key, and the 24 words that can appoint administrators. "
        "With --json the words are printed too. A device that joins others needs none: glow join LINK."
    )
    parser.add_argument("--name", help="what this device is called (default: its host name)")


def run(arguments: Namespace) -> int:
    from node.home import Home
    from node.identity import create_identity, load_node_key

    home = Home(home_of(arguments))
    words = create_identity(home, arguments.name)
    key = load_node_key(home)
    data = {"home": str(home.path), "address": address_text(key.address), "key": key.public.hex(), "words": words}
    out = Output(arguments)
    if not out.json:
        show_words(words, out)
    out.show(data, lambda: f"{data['address']} is made in {home.path}; next: glow node")
    return 0
