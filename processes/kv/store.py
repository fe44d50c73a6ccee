"""A store as the process uses it: writes that wait together share a sync, reads share a snapshot and a hop."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from firefly.errors import GlowError
from processes.kv.database import open_database, open_to_read
from processes.kv.reading import Reader
from processes.kv.worker import Job, Worker
from processes.kv.writing import Writer, WrongRevision

T = TypeVar("T")


class Unusable(GlowError):
    """The store's file cannot be read or written."""


class Store:
    """Group commit: all writes that wait while a commit runs go in the next one. What `write` returned is on disk."""

    def __init__(self, path: Path) -> None:
        """Blocks. Raises Damaged."""
        database = open_database(path)
        self._writer = Writer(database)
        self._reader = Reader(open_to_read(path))
        self._writing = Worker(self._commit, self._committed)
        self._reading = Worker(self._read)
        self._changed = trio.Event()

    async def serve(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._writing.serve)
                nursery.start_soon(self._reading.serve)
        finally:
            self._committed()

    def close(self) -> None:
        """After `serve` has ended. Blocks."""
        self._reader.close()
        self._writer.close()

    @property
    def changed(self) -> trio.Event:
        """Set after the next commit, and when the store stops."""
        return self._changed

    async def write(self, work: Callable[[Writer], T], size: int = 0) -> T:
        """Raises WrongRevision, Busy, Interrupted, Unusable; then nothing was changed, but for Interrupted."""
        return await self._writing.do(lambda: work(self._writer), size)

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Raises what the work does, Busy, Interrupted, Unusable."""
        return await self._reading.do(lambda: work(self._reader))

    def _committed(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _commit(self, jobs: list[Job]) -> None:
        """One transaction for all; if it fails each has its own, so that one value too many harms no other."""
        try:
            self._writer.commit([lambda job=job: _run_write(job) for job in jobs])  # type: ignore[misc]
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = unusable(error) if isinstance(error, sqlite3.Error) else error
                return
            for job in jobs:
                self._commit([job])

    def _read(self, jobs: list[Job]) -> None:
        try:
            self._reader.snapshot([job.run for job in jobs])
        except sqlite3.Error as error:
            raise unusable(error) from None
        for job in jobs:
            if isinstance(job.error, sqlite3.Error):
                job.error = unusable(job.error)


def _run_write(job: Job) -> None:
    """A wrong revision is the job's own error; any other undoes the transaction."""
    job.error = None
    try:
        job.result = job.work()
    except WrongRevision as error:
        job.error = error


def unusable(error: sqlite3.Error) -> Unusable:
    full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    hint = "make room on the disk of its node" if full else "look at the disk of its node"
    return Unusable("the store cannot be used", cause=str(error), hint=hint)
