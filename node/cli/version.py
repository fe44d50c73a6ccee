"""`glow version`: what runs here."""

from __future__ import annotations

import platform
import sys
from argparse import ArgumentParser, Namespace
from importlib.metadata import PackageNotFoundError, version

from node.cli.output import Output

NAME = "version"
HELP = "the version of Glow"
UNKNOWN = "0"


def configure(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace) -> int:
    data = {"version": own_version(), "python": platform.python_version(), "platform": sys.platform}
    text = f"glow {data['version']} on Python {data['python']}, {data['platform']}"
    Output(arguments).show(data, lambda: text)
    return 0


def own_version() -> str:
    """As installed; `0` when run from a folder that is not installed."""
    try:
        return version("glow")
    except PackageNotFoundError:
        return UNKNOWN
