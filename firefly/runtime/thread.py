"""Blocking handlers: the OS thread of a process, in which they run one at a time, in the order of their calls.

A class with `blocking = True` may sleep, wait for a disk or compute. Whatever is made in the thread (the process, the
objects that it passes) has its plain `def` handlers run there; `async def` handlers run in the node as always.

- At most MAX_WAITING calls wait for the thread; who calls then is told Busy. Notifications wait instead: those of one
  peer come one after another, under its credit.
- A stream of results is a plain generator. Each item is asked for when there is room for it, and other calls have their
  turn in between. A stream of arguments is read with a plain `for`, which holds the thread until the next item came.
- A caller that gives up is let go at once. Its handler, if it runs already, runs on unheard; what it waits for with
  `wait` or in a stream of arguments ends with CallCancelled.
- A thread that is stuck cannot be ended, only left behind: it is a daemon, and holds up neither node nor exit.
"""

from __future__ import annotations

import inspect
import logging
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Any, TypeVar

import outcome
import trio

from firefly.errors import Busy, CallCancelled, Interrupted

log = logging.getLogger("firefly")
T = TypeVar("T")
MAX_WAITING = 256
"""Calls that may wait for their turn."""
STOP_TIME = 5.0
"""Seconds that a process has to stop."""
LONG = 1.0
"""Seconds after which `doing` finds a handler worth telling of."""
_END = object()
_own = threading.local()


class Job:
    """Something to do in the thread, and the task that waits for it; None if none does."""

    __slots__ = ("arguments", "context", "function", "given_up", "name", "task")

    def __init__(
        self, name: str, task: trio.lowlevel.Task | None, function: Callable[..., Any], *arguments: Any
    ) -> None:
        self.name = name
        self.task = task
        self.function = function
        self.arguments = arguments
        self.context: Context = copy_context()
        self.given_up = False


class HandlerThread:
    """The thread of one process. Everything but `wait` is called from trio's thread."""

    def __init__(self, name: str) -> None:
        self.ended = trio.Event()
        self.stop_by = math.inf
        self._name = name
        self._token = trio.lowlevel.current_trio_token()
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._current: Job | None = None
        self._since = 0.0
        self._closed = self._ending = False
        self._waits: dict[trio.CancelScope, Job] = {}
        threading.Thread(target=self._work, name=f"glow {name}", daemon=True).start()

    # --- trio's side

    async def run(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` gives or raises in the thread; `name` is what it is called by in `doing`.

        If the task is cancelled it waits no longer: a job that has not begun never does.
        """
        job = Job(name, trio.lowlevel.current_task(), function, *arguments)
        self._add(job)

        def abort(_: object) -> trio.lowlevel.Abort:
            job.task = None
            self._give_up(job)
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(abort)

    async def handle(self, name: str, bounded: bool, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same for a call from outside. Raises Busy if `bounded` and too many wait, Interrupted at the end."""
        if self._closed:
            raise _stopping()
        if bounded and len(self._jobs) >= MAX_WAITING:
            raise Busy(
                f"{MAX_WAITING} calls wait for {self._name} already",
                cause=self.doing() or "it takes one after another",
                hint="call again in a while",
            )
        return await self.run(name, function, *arguments)

    def post(self, name: str, function: Callable[..., Any]) -> None:
        """Has something done that nobody waits for; what it raises is logged."""
        self._add(Job(name, None, function))

    def doing(self) -> str:
        """What has kept the thread for a while, for a person; empty if nothing has."""
        job, busy = self._current, time.monotonic() - self._since
        if job is None or busy < LONG:
            return ""
        waiting = f"; {len(self._jobs)} more wait" if self._jobs else ""
        return f"busy in {job.name} for {busy:.0f} s{waiting}"

    def _add(self, job: Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def _give_up(self, job: Job) -> None:
        job.given_up = True
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
        for scope, waiting in list(self._waits.items()):
            if waiting is job:
                scope.cancel()

    def _finish(self, job: Job, result: outcome.Outcome[Any]) -> None:
        error = result.error if isinstance(result, outcome.Error) else None
        if job.task is None:
            if error is not None and not job.given_up:
                log.error("%s failed in %s", self._name, job.name, exc_info=error)
            return
        if error is not None and not isinstance(error, Exception):
            failed = RuntimeError(f"{job.name} raised {type(error).__name__}: {error}")
            failed.__cause__ = error
            result = outcome.Error(failed)
        task, job.task = job.task, None
        trio.lowlevel.reschedule(task, result)

    # --- the end

    def close(self) -> None:
        """No call begins any more; those that wait end with Interrupted, and so does what handlers wait for."""
        if self._closed:
            return
        self._closed = True
        self.stop_by = trio.current_time() + STOP_TIME
        with self._changed:
            dropped = [job for job in self._jobs if job.task is not None]
            self._jobs = deque(job for job in self._jobs if job.task is None)
        for job in dropped:
            self._finish(job, outcome.Error(_stopping()))
        for scope in self._waits:
            scope.cancel()

    async def end(self) -> None:
        """Waits until the thread has ended, but not longer than `stop_by`; one that is stuck is left behind."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        with trio.CancelScope(shield=True, deadline=self.stop_by):
            await self.ended.wait()
        job = self._current
        if job is not None and not self.ended.is_set():
            log.warning("%s is stuck in %s: its thread is left behind", self._name, job.name)
            self._give_up(job)
            self._finish(job, outcome.Error(_stopping()))

    # --- the thread's side

    def wait(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Runs an async function in the node, for a handler in this thread, and waits for its result.

        Raises what it raises; CallCancelled if the handler's caller gives up meanwhile, or the process is stopped.
        """
        result: T = trio.from_thread.run(self._await, function, arguments, trio_token=self._token)
        return result

    async def _await(self, function: Callable[..., Awaitable[T]], arguments: tuple[Any, ...]) -> T:
        scope, job = trio.CancelScope(), self._current
        assert job is not None  # the thread waits in it
        if job.given_up:
            scope.cancel()
        self._waits[scope] = job
        try:
            with scope:
                return await function(*arguments)
        finally:
            del self._waits[scope]
        raise CallCancelled("nobody waits for the handler any more", "its caller gave up, or its process is stopped")

    def _work(self) -> None:
        _own.thread = self
        while self._work_once():
            """Nothing of a call is held while the next one is awaited."""
        self._tell(self.ended.set)

    def _work_once(self) -> bool:
        job = self._next()
        if job is None:
            return False
        result = outcome.capture(job.context.run, job.function, *job.arguments)
        return self._tell(self._finish, job, result)

    def _next(self) -> Job | None:
        with self._changed:
            self._current = None
            while not self._jobs:
                if self._ending:
                    return None
                self._changed.wait()
            self._current, self._since = self._jobs.popleft(), time.monotonic()
            return self._current

    def _tell(self, function: Callable[..., object], *arguments: Any) -> bool:
        """False if there is nobody left to tell."""
        try:
            self._token.run_sync_soon(function, *arguments)
        except trio.RunFinishedError:
            return False
        return True


def _stopping() -> Interrupted:
    return Interrupted("the process is stopping", hint="`glow ps` shows what it does; call again in a while")


def own_thread() -> HandlerThread | None:
    """The thread of handlers that this code runs in, if it is one."""
    found: HandlerThread | None = getattr(_own, "thread", None)
    return found


def wait(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """For blocking handlers: runs an async function, like the method of a stub, and waits for its result.

    Raises what it raises; CallCancelled if the handler's caller gives up meanwhile, or the process is stopped.
    """
    thread = own_thread()
    if thread is None:
        raise RuntimeError("only a blocking handler can wait like this: `await` it instead")
    return thread.wait(function, *arguments)


def in_thread(thread: HandlerThread, name: str, handler: Callable[..., Any], *, notify: bool, stream: bool) -> Any:
    """A plain `def` handler as an async one that runs it in `thread`; `stream`: it gives items."""

    async def answer(*arguments: Any) -> Any:
        return await thread.handle(name, not notify, handler, *arguments)

    async def items(*arguments: Any) -> AsyncIterator[Any]:
        iterator = await thread.handle(name, True, lambda: iter(handler(*arguments)))
        try:
            while (item := await thread.run(name, next, iterator, _END)) is not _END:
                yield item
        finally:
            if hasattr(iterator, "close"):
                thread.post(name, iterator.close)

    return items if stream else answer


def is_plain(function: Any) -> bool:
    """Whether it runs in whatever thread it is called in."""
    return not inspect.iscoroutinefunction(function) and not inspect.isasyncgenfunction(function)


@asynccontextmanager
async def open_thread(name: str) -> AsyncIterator[HandlerThread]:
    """A thread for the time of the block. Its end takes STOP_TIME at most: what is stuck then is left behind."""
    thread = HandlerThread(name)
    try:
        yield thread
    finally:
        thread.close()
        await thread.end()
