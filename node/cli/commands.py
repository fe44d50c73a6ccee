"""The table of commands. `glow --help` reads this and imports no command."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser, Namespace
from typing import Protocol, cast

GROUPS: dict[str, dict[str, str]] = {
    "START": {
        "node": "run this device's node",
        "invite": "make a link with which another device joins",
        "join": "join the devices of whoever made an invite",
        "init": "make this device's identity, and run nothing",
    },
    "LOOK": {
        "status": "this node, the nodes it knows and its links",
        "ls": "nodes, their resources, or the files of a folder",
        "ping": "how long a node takes to answer",
        "trace": "which way packets go to a node, hop by hop",
        "route": "the ways to other nodes, and what stands in for a lost link",
        "ps": "the processes of a node",
        "why": "why something is as it is, and what would change it",
        "logs": "what a node and its processes said",
        "metrics": "what a node counts and measures",
        "doctor": "what is wrong on this device, and what helps",
    },
    "USE": {
        "call": "call a method of any resource",
        "cp": "copy files and folders between devices",
        "cat": "print files",
        "rm": "remove files and folders",
        "mkdir": "make folders",
        "mv": "rename or move files and folders",
        "kv": "read, write and watch a key-value store",
        "pub": "publish messages to a topic",
        "sub": "print what is published to a topic",
        "forward": "use a service of another device at a port of this one",
        "create": "make a process that a node keeps running",
        "kill": "end a process and forget it",
        "run": "run a WebAssembly program on a node",
    },
    "BUILD": {
        "idl": "check interfaces, generate their stubs, or show what they compile to",
        "simulate": "let a made-up mesh of real nodes run in virtual time",
    },
    "RUN": {
        "signaling": "run a hub: what helps devices to meet, and relays where nothing else works",
        "config": "what a node is set to, and every change of it",
        "link": "keep links to other nodes: by address, or through a command such as ssh",
        "completion": "a script that lets your shell complete commands",
        "version": "the version of Glow",
    },
}
"""By the group under which the help shows it: name and help line of every command."""

HIDDEN = {"complete"}
"""Commands that nobody types: completion scripts call them."""
COMMANDS: dict[str, str] = {name: line for group in GROUPS.values() for name, line in group.items()}


class Command(Protocol):
    """What a module of a command offers."""

    NAME: str
    HELP: str

    def configure(self, parser: ArgumentParser) -> None:
        """Adds the command's arguments."""

    def run(self, arguments: Namespace) -> int:
        """Does the work; returns the exit code, or raises what went wrong."""


def load(name: str) -> Command:
    """Imports the module of one command of the table."""
    return cast(Command, importlib.import_module(f"node.cli.{name}"))
