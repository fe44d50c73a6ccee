"""From a process class to a process: made, started, and stopped at the end. The same in a node and in a program."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import trio

from firefly.runtime.server import Server
from firefly.runtime.thread import STOP_TIME, HandlerThread, is_plain, open_thread


@asynccontextmanager
async def started(
    kind: type[Server],
    label: str,
    context: Callable[[trio.Nursery], Any],
    opened: Callable[[HandlerThread], None] = lambda thread: None,
) -> AsyncIterator[Server]:
    """A process of a class for the time of the block, which is cancelled if what the process started fails.

    `context` makes what `start` is given; a class with `blocking` gets a thread, which `opened` hears of. At the end
    first the nursery ends, then `stop` is called; it may take STOP_TIME.
    """
    async with open_thread(label) if kind.blocking else nullcontext() as thread:
        if thread is not None:
            opened(thread)
        served = False
        process = kind() if thread is None else await thread.run("its constructor", kind)
        try:
            async with trio.open_nursery() as nursery:
                await _call(process, "start", context(nursery))
                served = True
                yield process
                nursery.cancel_scope.cancel()
        finally:
            if served:  # what never started has nothing to stop, and may not even have it
                await _stop(process)


async def _stop(process: Server) -> None:
    deadline = trio.current_time() + STOP_TIME
    if process.thread is not None:
        process.thread.close()
        deadline = process.thread.stop_by
    with trio.CancelScope(shield=True, deadline=deadline):
        await _call(process, "stop")


async def _call(process: Server, name: str, *arguments: Any) -> None:
    method = getattr(process, name, None)
    if method is None:
        return
    if process.thread is not None and is_plain(method):
        await process.thread.run(name, method, *arguments)
        return
    result = method(*arguments)
    if inspect.isawaitable(result):
        await result
