"""The process host: keeps the processes of a node running, as their specifications say
(docs/concepts/architecture.md, Processes).

One supervisor, this one. A process that fails is started again after 0.2 s, doubling to 30 s; after 5 failures within
60 s it is given up, and `glow ps` says why.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import trio
from firefly.interfaces.core import (
    BadSpecification,
    NameTaken,
    ProcessKind,
    ProcessState,
    ProcessStatus,
    Specification,
)

from firefly.client import DESCRIPTOR, TOKEN, Context, Glow
from firefly.errors import GlowError
from firefly.runtime import Host
from node.attachment import AttachedResource, Program
from node.home import Home
from node.identity import check_label
from node.store import Store

BACK_OFF = 0.2, 30.0
FAILURES, FAILURE_TIME = 5, 60.0
STOP_TIME = 5.0
KEPT_OUTPUT = 20
"""Lines of a program's standard error that are kept for the reason of its end."""
MAX_LINE = 1000
GROUP = "glow.processes"
Attach = Callable[[socket.socket, Program, Callable[[AttachedResource], None]], Awaitable[None]]


@dataclass
class Process:
    """A process and how it is doing."""

    id: bytes
    specification: Specification
    state: ProcessState = ProcessState.STARTING
    reason: str = ""
    proto: str = ""
    restarts: int = 0
    started: datetime | None = None
    os_process: int | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    settled: trio.Event = field(default_factory=trio.Event)

    def status(self) -> ProcessStatus:
        given = self.specification
        return ProcessStatus(
            id=self.id,
            label=given.label,
            kind=given.kind,
            program=given.program,
            proto=self.proto,
            state=self.state,
            reason=self.reason,
            restarts=self.restarts,
            started=self.started,
            os_process=self.os_process,
        )

    def running(self, proto: str) -> None:
        self.state, self.reason, self.proto = ProcessState.RUNNING, "", proto
        self.started = datetime.now(UTC)
        self.settled.set()


class ProcessHost:
    """All processes of a node. `attach` serves the socket of a program until it leaves."""

    def __init__(
        self,
        home: Home,
        store: Store,
        resources: Host,
        nursery: trio.Nursery,
        glow: Glow,
        attach: Attach,
        changed: Callable[[], None],
    ) -> None:
        self.processes: dict[bytes, Process] = {}
        self._home = home
        self._store = store
        self._resources = resources
        self._nursery = nursery
        self._glow = glow
        self._attach = attach
        self._changed = changed

    async def start(self) -> None:
        """Starts what the store knows; returns when each is running, or has failed once."""
        for identifier, packed in await self._store.run(Store.processes):
            self._launch(Process(identifier, msgspec.msgpack.decode(packed, type=Specification)))
        with trio.move_on_after(STOP_TIME):
            for process in list(self.processes.values()):
                await process.settled.wait()

    async def create(self, specification: Specification) -> Process:
        """Makes and starts a process. Raises NameTaken, BadSpecification; what its start raised, and forgets it then."""
        check_label(specification.label)
        if any(process.specification.label == specification.label for process in self.processes.values()):
            raise NameTaken(specification.label)
        check_specification(specification)
        process = Process(os.urandom(16), specification)
        packed = msgspec.msgpack.encode(specification)
        self.processes[process.id] = process
        await self._store.run(lambda store: store.add_process(process.id, specification.label, packed))
        self._launch(process)
        await process.settled.wait()
        if process.state is not ProcessState.RUNNING:
            reason = process.reason
            await self.kill(process)
            raise BadSpecification(reason)
        return process

    async def kill(self, process: Process) -> ProcessStatus:
        """Ends a process and forgets its specification; its folder stays."""
        await self._store.run(lambda store: store.remove_process(process.id))
        process.scope.cancel()
        await process.ended.wait()
        self.processes.pop(process.id, None)
        process.state, process.reason = ProcessState.STOPPED, "killed"
        self._changed()
        return process.status()

    def find(self, identifier: bytes) -> Process | None:
        return self.processes.get(identifier)

    def _launch(self, process: Process) -> None:
        self.processes[process.id] = process
        self._nursery.start_soon(self._supervise, process)

    async def _supervise(self, process: Process) -> None:
        failures: deque[float] = deque(maxlen=FAILURES)
        delay = BACK_OFF[0]
        try:
            with process.scope:
                while True:
                    began = trio.current_time()
                    process.reason = await self._run_once(process)
                    failures.append(trio.current_time())
                    if trio.current_time() - began > FAILURE_TIME:
                        delay = BACK_OFF[0]
                    process.os_process = None
                    if len(failures) == FAILURES and failures[-1] - failures[0] < FAILURE_TIME:
                        process.state = ProcessState.FAILED
                        process.reason = f"given up after {FAILURES} failures in a minute: {process.reason}"
                        process.settled.set()
                        self._changed()
                        await trio.sleep_forever()
                    process.state = ProcessState.WAITING
                    process.settled.set()
                    self._changed()
                    await trio.sleep(delay)
                    delay = min(delay * 2, BACK_OFF[1])
                    process.restarts += 1
                    process.state = ProcessState.STARTING
        finally:
            process.ended.set()

    async def _run_once(self, process: Process) -> str:
        """Runs a process until it ends; returns why."""
        try:
            if process.specification.kind == ProcessKind.PROGRAM:
                return await self._run_program(process)
            return await self._run_class(process)
        except Exception as error:
            return _reason(error)

    # --- builtin and plugin

    async def _run_class(self, process: Process) -> str:
        specification = process.specification
        instance = find_class(specification.program)()
        try:
            async with trio.open_nursery() as nursery:
                context = Context(
                    process.id,
                    specification.label,
                    self._home.process_folder(process.id),
                    dict(specification.configuration),
                    nursery,
                    self._glow,
                )
                await _call(instance, "start", context)
                self._resources.add(process.id, instance, int(specification.access))
                process.running(instance.proto)
                self._changed()
                await trio.sleep_forever()
        finally:
            self._resources.remove(process.id)
            self._changed()
            with trio.move_on_after(STOP_TIME, shield=True):
                await _call(instance, "stop")

    # --- program

    async def _run_program(self, process: Process) -> str:
        specification = process.specification
        ours, theirs = socket.socketpair()
        token = os.urandom(16)
        folder = self._home.process_folder(process.id)
        program = Program(
            token,
            process.id,
            specification.label,
            str(folder),
            dict(specification.configuration),
            int(specification.access),
        )
        environment = {**os.environ, DESCRIPTOR: str(theirs.fileno()), TOKEN: token.hex()}
        with theirs:
            child = await trio.lowlevel.open_process(
                [specification.program, *specification.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        process.os_process = child.pid
        output: deque[str] = deque(maxlen=KEPT_OUTPUT)

        def registered(entry: AttachedResource) -> None:
            process.running(entry.proto)
            self._changed()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_output, child, output)
                nursery.start_soon(self._attach, ours, program, registered)
                await child.wait()
                with trio.move_on_after(0.5):
                    await nursery.start(_until_quiet, child)
                nursery.cancel_scope.cancel()
        finally:
            await _end(child)
        return _exit_reason(child.returncode, output)


async def _call(instance: Any, name: str, *arguments: Any) -> None:
    method = getattr(instance, name, None)
    if method is not None:
        await method(*arguments)


async def _until_quiet(child: trio.Process, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Gives the last lines of standard error a moment to arrive."""
    await trio.sleep(0.05)
    task_status.started()


async def _keep_output(child: trio.Process, output: deque[str]) -> None:
    """Keeps the last lines of a program's standard error; more than fits is dropped, so it never blocks the program."""
    assert child.stderr is not None
    rest = b""
    async for data in child.stderr:
        *lines, rest = (rest + data).split(b"\n")
        output.extend(line.decode(errors="replace")[:MAX_LINE] for line in lines)
        rest = rest[-MAX_LINE:]
    if rest:
        output.append(rest.decode(errors="replace"))


async def _end(child: trio.Process) -> None:
    """Terminates a program and all that it started in its session; kills what is left after 5 s."""
    with trio.CancelScope(shield=True):
        for how in (signal.SIGTERM, signal.SIGKILL):
            if child.returncode is None:
                _signal_group(child.pid, how)
                with trio.move_on_after(STOP_TIME):
                    await child.wait()
        _signal_group(child.pid, signal.SIGKILL)
        if child.stderr is not None:
            await child.stderr.aclose()


def _signal_group(pid: int, how: signal.Signals) -> None:
    try:
        os.killpg(pid, how)
    except (ProcessLookupError, PermissionError):
        return  # the whole group has ended


def _exit_reason(code: int | None, output: deque[str]) -> str:
    last = next((line for line in reversed(output) if line.strip()), "")
    if code is None:
        what = "it was stopped"
    elif code < 0:
        what = f"it was killed by {signal.Signals(-code).name}"
    else:
        what = f"it exited with {code}"
    return f"{what}: {last}" if last else what


def _reason(error: BaseException) -> str:
    """Why a process ended, of the exception that ended it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, GlowError):
        return ": ".join(part for part in (error.message, error.cause) if part)
    return f"{type(error).__name__}: {error}"


def find_class(name: str) -> Any:
    """The process class of an entry point. Raises BadSpecification, which names those that are there."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise BadSpecification(f"there is no kind of process called {name!r}; installed are: {known}")
    try:
        return found[name].load()
    except Exception as error:
        raise BadSpecification(f"the process {name!r} cannot be loaded: {type(error).__name__}: {error}") from error


def check_specification(specification: Specification) -> None:
    """Raises BadSpecification for what could never run."""
    if specification.kind in (ProcessKind.BUILTIN, ProcessKind.PLUGIN):
        find_class(specification.program)
    elif specification.kind == ProcessKind.PROGRAM:
        program = specification.program
        if not _is_executable(program):
            raise BadSpecification(f"there is no program {program!r} on this device")
    else:
        raise BadSpecification("this version runs the kinds builtin, plugin and program")


def _is_executable(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None or (Path(program).is_file() and os.access(program, os.X_OK))
