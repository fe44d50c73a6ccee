"""Work that a command does through the node which runs on this device."""

from __future__ import annotations

import os
import socket
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import trio

from firefly.client import Glow, connect
from firefly.errors import InvalidArgument, NoSuchMethod, Unreachable
from firefly.home import socket_path
from firefly.interfaces.core import Location, Node
from node.cli.address import SELF
from node.cli.failures import root_cause
from node.cli.flags import home_of
from node.cli.progress import Progress, wants_progress

Work = Callable[[Glow], Awaitable[int]]


def attached(arguments: Namespace, work: Work, waits_for: str = "", *, about: str = "") -> int:
    """Runs `work` as a program attached to the node.

    `waits_for` is said on a terminal when it takes long; errors say that it, or `about`, is what is unreachable.
    --timeout bounds all of it. Raises what `work` raises, NoNode if no node runs, trio.TooSlowError.
    """

    async def run() -> int:
        phase = Progress(f"waiting for {waits_for}", shown=bool(waits_for) and wants_progress(arguments))
        with time_limit(arguments):
            async with phase.drawn(), connect(home_of(arguments)) as glow:
                return await work(glow)

    try:
        return trio.run(run)
    except BaseException as group:
        error = root_cause(group)
        about = about or waits_for
        if about and type(error) is Unreachable:
            raise Unreachable(error.message.replace("the node", about, 1), error.cause, error.hint) from None
        raise


def node_runs(arguments: Namespace) -> bool:
    """Whether a node answers at the home that is meant."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(os.fspath(socket_path(home_of(arguments)))) == 0


def time_limit(arguments: Namespace) -> AbstractContextManager[object]:
    """The time that --timeout allows."""
    return trio.fail_after(arguments.timeout) if arguments.timeout else nullcontext()


@contextmanager
def expecting(what: str, name: str, location: Location) -> Iterator[None]:
    """Calls of a resource that may turn out to be something else: then InvalidArgument says what it is."""
    try:
        yield
    except NoSuchMethod:
        if not location.proto:
            raise
        hint = f"glow ls {location.name or name}"
        raise InvalidArgument(f"{name} is no {what}", f"it is a {location.proto}", hint) from None


def named(arguments: Namespace, name: str | None) -> str:
    """The node that is meant: by the argument, by --node, else this one."""
    return name or arguments.node or SELF


async def node_at(glow: Glow, name: str) -> tuple[Location, Node]:
    """Where a node is, and a client of it. Raises NoSuchName."""
    location = await glow.resolve(name)
    return location, glow.at(location.node, location.node, Node)
