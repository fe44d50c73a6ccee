"""What every OS process that the node starts has in common: its last words, its end, and the reason of it.

It leads an OS session of its own (`start_new_session`), so that nothing it started outlives it, and its standard error
is a pipe that is always read.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import trio

STOP_TIME = 5.0
"""Seconds that an OS process has to end after SIGTERM, or after it has left its node."""
OUTPUT_TIME = 0.5
"""Seconds that its last lines may take to arrive, where something it started holds its standard error open."""
KEPT_LINES, MAX_LINE = 20, 1000
"""What is kept of its standard error, for the reason of its end."""
CHUNK, BURST = 16384, 200
"""Bytes of it that are read at once, and lines of them that go on to the log: who writes faster loses some."""
Said = Callable[[list[str], int], None]
"""Hears lines of standard error, and how many before them were left out."""
ERROR_LINES = 3
"""Lines of an error of the command line: error, cause, hint."""


class Output:
    """What a program writes to its standard error: always read, so writing never blocks it; the last lines are kept."""

    def __init__(self, child: trio.Process, said: Said = lambda lines, lost: None) -> None:
        self._child = child
        self._said = said
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.complete = trio.Event()

    @property
    def last(self) -> str:
        """The last line with anything in it, which of a Python program that failed is the exception, without the frame
        that Python draws around several; of a command of ours, which ends with error, cause and hint, the error.
        """
        lines = [text for line in self._lines if (text := line.strip(" |+-"))]
        return next((line for line in lines[-ERROR_LINES:] if line.startswith("error: ")), lines[-1] if lines else "")

    async def collect(self) -> None:
        """Reads until the last holder of its standard error has ended."""
        assert self._child.stderr is not None
        rest = b""
        with suppress(trio.ClosedResourceError):  # by `end`, where something it started held it open
            while data := await self._child.stderr.receive_some(CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                self._take(lines)
                rest = rest[-MAX_LINE:]
        self._take([rest])
        self.complete.set()

    def _take(self, lines: list[bytes]) -> None:
        taken = [_text(line) for line in lines[-BURST:]]
        told = [line for line in taken if line.strip()]
        self._lines.extend(told)
        self._said(told, len(lines) - len(taken))


def _text(line: bytes) -> str:
    return line[-MAX_LINE:].decode(errors="replace")


async def end(child: trio.Process) -> None:
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


def reason_of_end(code: int | None, last: str) -> str:
    if code is not None and code < 0:
        what = f"it was killed by signal {-code} ({signal.strsignal(-code)})"
    else:
        what = f"it exited with {code}"
    return f"{what}: {last}" if last else what
