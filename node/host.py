"""The process host: keeps the processes of a node running, as their specifications say
(docs/concepts/architecture.md, Processes).

    STARTING ── serves ──> RUNNING ── ends ──> WAITING ── back-off over ──> STARTING …
                                                  └── too many failures ──> FAILED

One supervisor, this one. A process that ends, or does not serve within 30 s (the setting `processes.start`), is started
again after 0.2 s, doubling to 30 s; after 5 failures within 60 s it is given up until it is created anew or its node
restarts. `glow ps` says why. A program that belongs to a process is not given up, since its owner cannot create it
anew, and ends with its owner.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import trio

from firefly.client import Context, Glow
from firefly.errors import Denied, GlowError
from firefly.interfaces.core import (
    BadSpecification,
    LogLevel,
    NameTaken,
    ProcessKind,
    ProcessState,
    ProcessStatus,
    Role,
    Specification,
)
from firefly.runtime import Host
from firefly.runtime.process import started
from firefly.runtime.server import FAULTS
from firefly.runtime.thread import HandlerThread
from node.attachment import AttachedResource, Program
from node.home import Home
from node.identity import check_label
from node.installed import Installed, find_class
from node.logs import Log, running
from node.owned import OwnedPrograms
from node.program import Attach, find_program, run_program
from node.store import DamagedStore, Store

log = logging.getLogger("node")
BACK_OFF = 0.2, 30.0
"""Seconds before the first and, doubling, at most before any later start."""
FAILURES, FAILURE_TIME = 5, 60.0
START_TIME = 30.0
SETTLE_TIME = 5.0
CLASSES = (ProcessKind.BUILTIN, ProcessKind.PLUGIN, ProcessKind.THREAD)
"""Kinds that are a class: which of them it is follows from the class, whatever the specification says."""


@dataclass
class Process:
    """A process and how it is doing."""

    id: bytes
    specification: Specification
    owner: Process | None = None  # the process that it belongs to; then it is nowhere on disk
    state: ProcessState = ProcessState.STARTING
    reason: str = ""
    hint: str = ""  # what helps against the failure of its last run
    proto: str = ""
    served: bool = False  # its last run came as far as that
    restart_reason: str = ""  # its owner asked for the end that comes next
    restarts: int = 0
    started: datetime | None = None
    os_process: int | None = None
    installed: Installed | None = None  # the class of a builtin, plugin or thread, once it is found
    thread: HandlerThread | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    starting: trio.CancelScope = field(default_factory=trio.CancelScope)
    settled: trio.Event = field(default_factory=trio.Event)  # it served, or failed to, for the first time
    serving: trio.Event = field(default_factory=trio.Event)  # it serves
    down: trio.Event = field(default_factory=trio.Event)  # it does not any more
    ended: trio.Event = field(default_factory=trio.Event)

    def status(self) -> ProcessStatus:
        given = self.specification
        return ProcessStatus(
            id=self.id,
            label=given.label,
            kind=given.kind,
            program=given.program,
            proto=self.proto,
            state=self.state,
            reason="; ".join(filter(None, (self.reason, self.doing()))),
            restarts=self.restarts,
            started=self.started,
            os_process=self.os_process,
        )

    def doing(self) -> str:
        """What keeps its thread, if it has one that is kept for long."""
        return "" if self.thread is None else self.thread.doing()

    def found(self, installed: Installed) -> None:
        self.installed = installed
        self.specification = msgspec.structs.replace(self.specification, kind=installed.kind)

    def running(self, proto: str) -> None:
        """It serves; of several resources of a program the first tells its proto."""
        if self.state is ProcessState.STARTING:
            self.starting.deadline = float("inf")
            self.state, self.reason, self.proto = ProcessState.RUNNING, "", proto
            self.started = datetime.now(UTC)
            self.served = True
            self.settled.set()
            self.serving.set()
            self.down = trio.Event()

    def stopped(self, state: ProcessState, reason: str) -> None:
        self.state, self.reason = state, reason
        self.started = self.os_process = None
        if self.serving.is_set():  # who waits for it goes on waiting
            self.serving = trio.Event()
        self.down.set()
        self.settled.set()


class ProcessHost:
    """All processes of a node. They run in `nursery`, whose end stops them.

    `resources` is the node's table, `attach` serves the socket of a program until it leaves, `changed` is called when
    resources have come or gone. `log` hears what becomes of the processes, and what they say.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        resources: Host,
        nursery: trio.Nursery,
        glow: Glow,
        attach: Attach,
        changed: Callable[[], None],
        log: Log | None = None,
    ) -> None:
        self.processes: dict[bytes, Process] = {}
        self.start_time = START_TIME
        self._home = home
        self._store = store
        self._resources = resources
        self._nursery = nursery
        self._glow = glow
        self._attach = attach
        self._changed = changed
        self._log = log or Log()
        self._context = copy_context()  # a process must not inherit what the call that made it has set

    async def start(self) -> None:
        """Starts what the store knows; returns when each serves or has failed once, after 5 s at the latest."""
        for identifier, packed in await self._store.run(Store.processes):
            self._launch(Process(identifier, _decode_specification(identifier, packed)))
        with trio.move_on_after(SETTLE_TIME):
            for process in list(self.processes.values()):
                await process.settled.wait()

    async def create(self, specification: Specification) -> Process:
        """Makes a process; when this returns it serves, and is on disk.

        Raises NameTaken, InvalidArgument (a bad label), StoreFailed; BadSpecification for what cannot run, which is
        forgotten then.
        """
        self._check_free(specification.label)
        process = Process(os.urandom(16), specification)
        self.processes[process.id] = process
        try:
            installed = await trio.to_thread.run_sync(check_specification, specification)
            if installed is not None:
                process.found(installed)
            packed = msgspec.msgpack.encode(process.specification)
            await self._store.run(lambda store: store.add_process(process.id, specification.label, packed))
        except BaseException:
            del self.processes[process.id]
            raise
        self._launch(process)
        await process.settled.wait()
        if process.state is not ProcessState.RUNNING:
            reason, hint = process.reason, process.hint
            await self.kill(process)
            raise BadSpecification(reason, hint)
        return process

    def start_owned(self, owner: Process, nursery: trio.Nursery, specification: Specification) -> Process:
        """Starts a program that belongs to `owner`, and ends with its nursery. Raises NameTaken, InvalidArgument."""
        self._check_free(specification.label)
        process = Process(os.urandom(16), specification, owner)
        self.processes[process.id] = process
        nursery.start_soon(self._supervise, process)
        return process

    def _check_free(self, label: str) -> None:
        check_label(label)
        if any(process.specification.label == label for process in self.processes.values()):
            raise NameTaken(label)

    async def kill(self, process: Process) -> ProcessStatus:
        """Ends a process and forgets its specification; its folder stays. Raises StoreFailed, and it goes on then;
        Denied for a program that belongs to a process."""
        if process.owner is not None:
            owner = process.owner.specification.label
            raise Denied(f"{process.specification.label} belongs to the process {owner}", hint=f"glow kill {owner}")
        await self._store.run(lambda store: store.remove_process(process.id))
        process.scope.cancel()
        await process.ended.wait()
        self.processes.pop(process.id, None)
        self._stopped(process, ProcessState.STOPPED, "killed")
        self._changed()
        return process.status()

    def find(self, identifier: bytes) -> Process | None:
        return self.processes.get(identifier)

    def _launch(self, process: Process) -> None:
        self.processes[process.id] = process
        self._context.copy().run(self._nursery.start_soon, self._supervise, process)

    def _say(self, process: Process, level: LogLevel, what: str) -> None:
        restarts = {"restarts": process.restarts} if process.restarts else {}
        self._log.add(level, process.specification.label, "process", what, restarts)

    def _running(self, process: Process, proto: str) -> None:
        if process.state is ProcessState.STARTING:
            process.running(proto)
            self._say(process, LogLevel.INFO, f"running: it serves {proto}")
        self._changed()

    def _stopped(self, process: Process, state: ProcessState, reason: str) -> None:
        process.stopped(state, reason)
        level = {ProcessState.WAITING: LogLevel.WARNING, ProcessState.FAILED: LogLevel.ERROR}.get(state, LogLevel.INFO)
        self._say(process, level, f"{state.name.lower()}: {reason}")

    async def _supervise(self, process: Process) -> None:
        running.set((self._log, process.specification.label))
        try:
            with process.scope:
                await self._keep_running(process)
                await trio.sleep_forever()
        finally:
            if process.owner is not None:
                del self.processes[process.id]
            process.settled.set()
            process.ended.set()

    async def _keep_running(self, process: Process) -> None:
        """Runs a process again and again; returns when it is given up."""
        failures: deque[float] = deque(maxlen=FAILURES)
        delay = BACK_OFF[0]
        while True:
            began = trio.current_time()
            reason = await self._run_once(process)
            if process.restart_reason:
                self._stopped(process, ProcessState.STARTING, process.restart_reason)
                process.restart_reason = ""
                process.restarts += 1
                continue
            failures.append(trio.current_time())
            if process.owner is None and len(failures) == FAILURES and failures[-1] - failures[0] < FAILURE_TIME:
                self._stopped(process, ProcessState.FAILED, f"given up after {FAILURES} failures in a minute: {reason}")
                return
            if trio.current_time() - began > FAILURE_TIME:
                delay = BACK_OFF[0]
            self._stopped(process, ProcessState.WAITING, reason)
            await trio.sleep(delay)
            if process.thread is not None:
                await process.thread.ended.wait()  # two threads of one process must never meet in its folder
            delay = min(delay * 2, BACK_OFF[1])
            process.restarts += 1
            process.state = ProcessState.STARTING

    async def _run_once(self, process: Process) -> str:
        """Runs a process until it ends; returns why."""
        process.served, process.hint = False, ""
        run = self._run_class if process.specification.kind in CLASSES else self._run_program
        try:
            with trio.CancelScope(deadline=trio.current_time() + self.start_time) as process.starting:
                return await run(process)
        except BaseException as error:
            failure = first_of(_own_failure(error))
            process.hint = failure.hint if isinstance(failure, GlowError) else ""
            return reason_of(failure)
        return f"it did not serve within {self.start_time:g} s"

    async def _run_class(self, process: Process) -> str:
        specification = process.specification
        if process.installed is None:
            process.found(await trio.to_thread.run_sync(find_class, specification.program))
        assert process.installed is not None
        label = specification.label

        def context(nursery: trio.Nursery) -> Context:
            folder, configuration = self._home.process_folder(process.id), dict(specification.configuration)
            programs = OwnedPrograms(self, process, nursery)
            return Context(process.id, label, folder, configuration, nursery, self._glow, programs=programs)

        def opened(thread: HandlerThread) -> None:
            process.thread = thread

        async with started(process.installed.load, label, context, opened) as server:
            well_known: bytes | None = getattr(server, "well_known", None)
            try:
                self._resources.add(process.id, server, int(specification.access), label)
                if well_known is not None:
                    self._resources.add(well_known, server)
                self._running(process, server.proto)
                await trio.sleep_forever()
            finally:
                self._resources.remove(process.id)
                if well_known is not None:
                    self._resources.remove(well_known)
                self._changed()

    async def _run_program(self, process: Process) -> str:
        specification = process.specification
        path = await trio.to_thread.run_sync(find_program, specification.program)
        program = Program(
            token=os.urandom(16),
            resource=process.id,
            label=specification.label,
            folder=str(self._home.process_folder((process.owner or process).id)),
            configuration=dict(specification.configuration),
            access=int(specification.access),
        )

        def registered(entry: AttachedResource) -> None:
            self._running(process, entry.proto)

        def started(number: int) -> None:
            process.os_process = number

        def said(lines: list[str], lost: int) -> None:
            self._log.skip(lost)
            for line in lines:
                self._log.add(LogLevel.INFO, specification.label, "stderr", line)

        command = [path, *specification.arguments]
        return await run_program(command, program, self._attach, registered, started, said)


def _own_failure(error: BaseException) -> BaseException:
    """What a process itself did wrong. Raises anything else: that it is cancelled, or Ctrl-C."""
    group = error if isinstance(error, BaseExceptionGroup) else BaseExceptionGroup("", [error])
    failure, rest = group.split(FAULTS)
    if failure is None:
        raise error
    if rest is not None:
        log.warning("a process that was to end failed: %s", reason_of(failure))
        raise rest
    return failure


def first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def reason_of(error: BaseException) -> str:
    """Why a process ended, for a person: of several errors the first."""
    error = first_of(error)
    if isinstance(error, BadSpecification):
        return error.reason
    if isinstance(error, GlowError):
        return ": ".join(part for part in (error.message, error.cause) if part)
    return f"{type(error).__name__}: {error}"


def check_specification(specification: Specification) -> Installed | None:
    """The class of what is one, None for a program. Raises BadSpecification for what cannot run. Blocks."""
    if specification.access not in (Role.ADMIN, Role.MEMBER):
        raise BadSpecification("the lowest role that may call a process is MEMBER or ADMIN")
    if specification.kind in CLASSES:
        return find_class(specification.program)
    if specification.kind != ProcessKind.PROGRAM:
        raise BadSpecification("this version runs the kinds builtin, plugin, thread and program")
    find_program(specification.program)
    return None


def _decode_specification(identifier: bytes, packed: bytes) -> Specification:
    try:
        return msgspec.msgpack.decode(packed, type=Specification)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedStore(
            f"the specification of process {identifier.hex()} cannot be read",
            cause=str(error),
            hint="restore the node's state from a backup",
        ) from None
