"""One run of a program: an OS process of its own, attached to its node over a socketpair
(docs/concepts/architecture.md, Processes; wire.md, 6 Local attachment).

The program finds the number of its end of the socketpair in GLOW_ATTACH_FD and the token that it must show in
GLOW_ATTACH_TOKEN. It leads an OS session of its own, so that a Ctrl-C meant for the node does not hit it first, and so
that nothing it started outlives it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from firefly.client import DESCRIPTOR, TOKEN
from firefly.interfaces.core import BadSpecification
from node.attachment import AttachedResource, Program
from node.child import OUTPUT_TIME, STOP_TIME, Output, Said, end, reason_of_end

Registered = Callable[[AttachedResource], None]
Attach = Callable[[socket.socket, Program, Registered], Awaitable[str]]
"""Serves the node's end of the socketpair, which it owns from then on, until the program has left.

Returns what the program did wrong, if that is why it was detached: it is ended then.
"""


def find_program(name: str) -> str:
    """The whole path of an executable: looked up like a shell does, or already whole. Raises BadSpecification."""
    if os.sep in name and not os.path.isabs(name):
        raise BadSpecification(f"the node needs the whole path of {name!r}")
    found = shutil.which(name)
    if found is None:
        raise BadSpecification(f"there is no program {name!r} on this device, or it may not be executed")
    return os.path.abspath(found)


async def run_program(
    command: list[str],
    program: Program,
    attach: Attach,
    registered: Registered,
    started: Callable[[int], None],
    said: Said = lambda lines, lost: None,
) -> str:
    """Runs `command` until it ends; returns why. `started` hears its number as an OS process, `said` its lines.

    Cancelled, it terminates the program and all that this has started, and kills what is left after 5 s. Raises
    OSError if the program cannot be started.
    """
    ours, child = await _start(command, program)
    started(child.pid)
    output = Output(child, said)
    fault = ""

    async def serve(scope: trio.CancelScope) -> None:
        nonlocal fault
        wrong = await attach(ours, program, registered)
        if not wrong:
            await trio.sleep(STOP_TIME)
        fault = wrong or "it left its node and did not end"
        scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(output.collect)
            nursery.start_soon(serve, nursery.cancel_scope)
            await child.wait()
            with trio.move_on_after(OUTPUT_TIME):
                await output.complete.wait()
            nursery.cancel_scope.cancel()
    finally:
        await end(child)
    return fault or reason_of_end(child.returncode, output.last)


async def _start(command: list[str], program: Program) -> tuple[socket.socket, trio.Process]:
    ours, theirs = socket.socketpair()
    environment = {**os.environ, DESCRIPTOR: str(theirs.fileno()), TOKEN: program.token.hex()}
    with theirs:
        try:
            child = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd=Path(program.folder),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    return ours, child
