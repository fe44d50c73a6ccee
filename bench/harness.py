"""Rounds of measurements: each round gives every system a turn, so that a busy moment of the machine hits all alike."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from bench.client import HOST
from bench.systems import System
from bench.works import Work

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 30.0
"""Seconds that an end may take until it is ready."""
WORK_LIMIT = 60.0
STOP_LIMIT = 5.0


class Failed(Exception):
    """An end did not start, died, or did not answer in time; the text holds its last words."""


class Endpoint:
    """One OS process of bench/endpoint.py."""

    def __init__(self, process: trio.Process, errors: Path) -> None:
        self._process = process
        self.pid = process.pid
        self._errors = errors
        self._unread = b""

    async def ask(self, order: dict[str, Any], limit: float) -> dict[str, Any]:
        """The answer to one order. Raises Failed."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps(order).encode() + b"\n")
        return await self.answer(limit)

    async def answer(self, limit: float) -> dict[str, Any]:
        """The next line. Raises Failed if none comes within `limit` seconds."""
        assert self._process.stdout is not None
        with trio.move_on_after(limit):
            while b"\n" not in self._unread:
                if not (more := await self._process.stdout.receive_some()):
                    raise Failed(f"ended: {self.last_words()}")
                self._unread += more
            line, _, self._unread = self._unread.partition(b"\n")
            return dict(json.loads(line))
        raise Failed(f"no answer within {limit:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def stop(self) -> None:
        """Ends it by closing its standard input; kills it and its children if that does not help."""
        assert self._process.stdin is not None
        with trio.CancelScope(shield=True):
            await self._process.stdin.aclose()
            with trio.move_on_after(STOP_LIMIT):
                await self._process.wait()
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()


@asynccontextmanager
async def endpoint(system: System, role: str, place: dict[str, Any]) -> AsyncIterator[Endpoint]:
    """A ready endpoint, stopped on leaving. Raises Failed."""
    errors = Path(place["folder"]) / f"{role}.log"
    command = [sys.executable, "-m", "bench.endpoint", system.module, role, json.dumps(place)]
    with errors.open("wb") as log:
        # A session of its own: Ctrl-C reaches the harness alone, which then stops every end in order.
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, start_new_session=True
        )
    end = Endpoint(process, errors)
    try:
        await end.answer(START_LIMIT)
        yield end
    finally:
        await end.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


@asynccontextmanager
async def running(system: System) -> AsyncIterator[Endpoint]:
    """The client's end of a system whose other ends run too. Raises Failed."""
    port, broker_port = free_ports(2)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="glow-bench-"))
        place = {"folder": folder, "mode": system.mode, "port": port, "broker_port": broker_port}
        for role in ("broker", "serve") if system.has_broker else ("serve",):
            await stack.enter_async_context(endpoint(system, role, place))
        yield await stack.enter_async_context(endpoint(system, "run", place))


Figures = dict[tuple[Work, System], list[float]]


@dataclass
class Outcome:
    """One figure per round for every work of every system, and what went wrong instead, as text."""

    figures: Figures = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


async def measure(
    systems: Sequence[System], works: Sequence[Work], rounds: int, seconds: float, tell: Callable[[str], None]
) -> Outcome:
    """Gives every system a turn per round and tells each figure as it comes. A failure costs the rest of that turn."""
    outcome = Outcome()
    for number in range(1, rounds + 1):
        tell(f"round {number} of {rounds}")
        # Every other round goes backwards: nobody is always first after somebody else.
        for system in systems if number % 2 else reversed(systems):
            if not (its_works := [work for work in works if work.name in system.works]):
                continue
            try:
                await take_turn(system, its_works, seconds, outcome, tell)
            except Failed as error:
                outcome.failures.append(f"{system}: {error}")
                tell(f"  {system}: {error}")
    return outcome


async def take_turn(
    system: System, works: list[Work], seconds: float, outcome: Outcome, tell: Callable[[str], None]
) -> None:
    async with running(system) as client:
        for work in works:
            answer = await client.ask({"work": work.name, "seconds": seconds}, WORK_LIMIT)
            if "error" in answer:
                raise Failed(f"{work.name}: {answer['error']}")
            outcome.figures.setdefault((work, system), []).append(answer["figure"])
            tell(f"  {system}: {work.title}: {answer['figure']:,.1f} {work.unit}")
