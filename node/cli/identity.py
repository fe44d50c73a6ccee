"""Making this device's identity, for the commands that need one."""

from __future__ import annotations

from argparse import Namespace

from node.cli.flags import home_of
from node.cli.output import Output
from node.cli.running import show_words


def make_first_identity(arguments: Namespace) -> None:
    """If there is none at the home: a node key, and a namespace whose first administrator it is.

    A configuration with which the node would not start is told before there are words to write down.
    """
    from node.configuration.document import parse, read
    from node.home import Home
    from node.identity import create_identity

    home = Home(home_of(arguments))
    if not home.initialized:
        parse(read(home.configuration), home.configuration)
        show_words(create_identity(home, arguments.name), Output(arguments))
