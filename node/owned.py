"""Programs that belong to a builtin or plugin: what its `context.programs` is (firefly/programs.py)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from firefly.interfaces.core import ProcessKind, ProcessState, Role, Specification

if TYPE_CHECKING:
    from node.host import Process, ProcessHost

THIS_DEVICE = Role(0)
"""No role is as low: only this device's own processes and person may call."""


class OwnedPrograms:
    """Starts programs for `owner`; they run in `nursery`, which is the owner's."""

    def __init__(self, host: ProcessHost, owner: Process, nursery: trio.Nursery) -> None:
        self._host = host
        self._owner = owner
        self._nursery = nursery

    def start(self, label: str, command: Sequence[str], configuration: Mapping[str, str]) -> Owned:
        program, *arguments = command
        specification = Specification(label, ProcessKind.PROGRAM, program, arguments, dict(configuration), THIS_DEVICE)
        return Owned(self._host.start_owned(self._owner, self._nursery, specification))


class Owned:
    """A program as its owner sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.id = process.id
        self.label = process.specification.label

    @property
    def serves(self) -> bool:
        return self._process.state is ProcessState.RUNNING

    @property
    def reason(self) -> str:
        return self._process.reason

    @property
    def failing(self) -> bool:
        return self._process.state is ProcessState.WAITING and not self._process.served

    async def serving(self) -> None:
        while not self.serves:
            await self._process.serving.wait()

    async def ended(self) -> None:
        while self.serves:
            await self._process.down.wait()

    async def settled(self) -> None:
        await self._process.settled.wait()

    def restart(self, reason: str) -> None:
        number = self._process.os_process
        if number is not None:
            self._process.restart_reason = reason
            self._process.stopped(ProcessState.STARTING, reason)
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself just now
                os.killpg(number, signal.SIGKILL)

    async def kill(self) -> None:
        self._process.scope.cancel()
        await self._process.ended.wait()
