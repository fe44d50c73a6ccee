"""One run of a program: an OS process of its own, attached to its node over a socketpair
(docs/concepts/architecture.md, Processes; wire.md, 6 Local attachment).

The program finds the number of its end of the socketpair in GLOW_ATTACH_FD and the token that it must show in
GLOW_ATTACH_TOKEN. It leads an OS session of its own, so that a Ctrl-C meant for the node does not hit it first, and so
that nothing it started outlives it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from firefly.client import DESCRIPTOR, TOKEN
from firefly.interfaces.core import BadSpecification
from node.attachment import AttachedResource, Program

STOP_TIME = 5.0
"""Seconds that a program has to end after SIGTERM, or after it has left its node."""
OUTPUT_TIME = 0.5
"""Seconds that its last lines may take to arrive, where something it started holds its standard error open."""
KEPT_LINES, MAX_LINE = 20, 1000
"""What is kept of a program's standard error, for the reason of its end."""

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
    command: list[str], program: Program, attach: Attach, registered: Registered, started: Callable[[int], None]
) -> str:
    """Runs `command` until it ends; returns why. `started` hears its number as an OS process.

    Cancelled, it terminates the program and all that this has started, and kills what is left after 5 s. Raises
    OSError if the program cannot be started.
    """
    ours, child = await _start(command, program)
    started(child.pid)
    output = _Output(child)
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
        await _end(child)
    return fault or _reason(child.returncode, output.last)


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


class _Output:
    """The last lines with anything in them that a program wrote to its standard error.

    The rest is dropped, so writing never blocks it.
    """

    def __init__(self, child: trio.Process) -> None:
        self._child = child
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.complete = trio.Event()

    @property
    def last(self) -> str:
        """Of a Python program that failed it is the exception."""
        return self._lines[-1] if self._lines else ""

    async def collect(self) -> None:
        assert self._child.stderr is not None
        rest = b""
        async for data in self._child.stderr:
            *lines, rest = (rest + data).split(b"\n")
            self._keep(*lines)
            rest = rest[-MAX_LINE:]
        self._keep(rest)
        self.complete.set()

    def _keep(self, *lines: bytes) -> None:
        self._lines.extend(_text(line) for line in lines if line.strip())


def _text(line: bytes) -> str:
    return line[-MAX_LINE:].decode(errors="replace")


async def _end(child: trio.Process) -> None:
    """Terminates a program, and kills what is left of its OS session then."""
    with trio.CancelScope(shield=True):
        if child.returncode is None:
            _signal(child, signal.SIGTERM)
            with trio.move_on_after(STOP_TIME):
                await child.wait()
        _signal(child, signal.SIGKILL)
        await child.wait()
        if child.stderr is not None:
            await child.stderr.aclose()


def _signal(child: trio.Process, number: signal.Signals) -> None:
    """To the whole OS session; there may be nobody left in it."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        child.send_signal(number)  # some of it runs as another user: at least the program itself


def _reason(code: int | None, last: str) -> str:
    if code is not None and code < 0:
        what = f"it was killed by signal {-code} ({signal.strsignal(-code)})"
    else:
        what = f"it exited with {code}"
    return f"{what}: {last}" if last else what
