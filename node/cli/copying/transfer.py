"""One file from one place to another: continued where it was cut, verified, and only then given its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import trio

from firefly.errors import GlowError, Interrupted, Unreachable
from firefly.interfaces.filesystem import Mismatch
from node.cli.copying.place import Batches, Item, Place, token_of
from node.cli.failures import root_cause
from node.cli.progress import Progress

ATTEMPTS = 4
"""How often one file is tried while the way to a node breaks."""
_RECOVERABLE = (Interrupted, Unreachable)
PAUSE = 1.0
"""Seconds before it is tried again; doubled each time."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to copy. `final` is where the copy is to be in the end; `exists` what is at `to` now."""

    source: Place
    path: str
    item: Item
    target: Place
    to: str
    final: str
    exists: Item | None
    shown: str


async def transfer(job: Job, progress: Progress) -> bool:
    """Copies a file; False if just this file is there already. Raises what stopped it, one error.

    Tries again when the way to a node breaks, and from the beginning when what was kept from before did not fit.
    """
    if await _unchanged(job):
        progress.skip(job.item.size)
        return False
    fresh = False
    for attempt in range(ATTEMPTS):
        moved = progress.done
        try:
            await _attempt(job, progress, fresh)
            return True
        except Exception as group:
            error = root_cause(group)
            again = isinstance(error, _RECOVERABLE) or (isinstance(error, Mismatch) and not fresh)
            if not again or attempt == ATTEMPTS - 1:
                raise error from None
            fresh = isinstance(error, Mismatch)
            progress.advance(moved - progress.done)
            if not fresh:
                await trio.sleep(PAUSE * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


async def _unchanged(job: Job) -> bool:
    """Whether the target has this very content; a copy that is run again need not move it again."""
    if job.exists is None or (job.exists.kind, job.exists.size) != (job.item.kind, job.item.size):
        return False
    results: list[tuple[int, bytes]] = []

    async def ask(place: Place, path: str) -> None:
        written = await place.digest(path)
        results.append((written.size, written.digest))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, job.source, job.path)
            nursery.start_soon(ask, job.target, job.to)
    except (ExceptionGroup, GlowError, OSError):
        return False  # Copying it will say what is the matter.
    return results[0] == results[1]


async def _attempt(job: Job, progress: Progress, fresh: bool) -> None:
    token = token_of(job.source, job.path, job.item, job.final)
    async with job.target.writing(job.to, token, job.item.size, fresh) as writing:
        progress.skip(writing.kept)
        async with job.source.reading(job.path, writing.kept) as reading:
            await writing.append(_counted(reading.batches, progress))
            expected = await reading.whole()
        await writing.commit(expected, job.item.mode)


async def _counted(batches: Batches, progress: Progress) -> AsyncIterator[list[bytes]]:
    async for batch in batches:
        progress.advance(sum(map(len, batch)))
        yield batch
