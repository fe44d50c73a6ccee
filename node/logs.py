"""What a node and its processes said lately: a ring in memory, which `glow logs` reads.

It hears Python's logging in this OS process, what programs write to their standard error, and what the node tells of
its links and processes. Who reads too slowly loses the oldest records and is told how many.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import trio
from msgspec.structs import replace

from firefly.interfaces.core import LogLevel, LogRecord
from firefly.runtime.context import current

MAX_RECORDS, MAX_BYTES = 10_000, 8 * 2**20
MAX_MESSAGE, MAX_NAME, MAX_FIELDS = 8192, 256, 16
"""Characters of a message (of a longer one the middle goes), of a field's name or value; fields of a record."""
OVERHEAD = 300
"""Bytes that a record takes beside its texts."""
BATCH = 64
"""Records that are given before others have a turn."""
NODE = "node"
"""Who speaks for no process."""

Wanted = Callable[[LogRecord], bool]


class Log:
    """The last records, at most 10,000 and 8 MiB: the oldest go. Any thread may add, trio's reads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Records since the start, by the name of their level."""
        self._records: deque[LogRecord] = deque()
        self._bytes = 0
        self._number = 0
        self._lock = threading.Lock()
        self._waiting: list[tuple[trio.lowlevel.TrioToken, trio.Event]] = []

    def add(self, level: LogLevel, process: str, logger: str, message: str, fields: Mapping[str, object] = {}) -> None:
        """Keeps a record. Texts that are too long are cut."""
        shown = {_text(key, MAX_NAME): _text(str(value), MAX_NAME) for key, value in islice(fields.items(), MAX_FIELDS)}
        texts = process, _text(logger, MAX_NAME), _text(message, MAX_MESSAGE)
        with self._lock:
            self._number += 1
            self.counts[level.name.lower()] += 1
            record = LogRecord(self._number, datetime.now(UTC), level, *texts, shown)
            self._records.append(record)
            self._bytes += _size(record)
            while self._bytes > MAX_BYTES or len(self._records) > MAX_RECORDS:
                self._bytes -= _size(self._records.popleft())
            waiting, self._waiting = self._waiting, []
        for token, event in waiting:
            with suppress(trio.RunFinishedError):  # a thread that outlives the node still talks
                token.run_sync_soon(event.set)

    def skip(self, count: int) -> None:
        """Records that came too fast to be kept: whoever reads on is told how many."""
        with self._lock:
            self._number += count

    async def read(self, after: int, last: int | None, follow: bool, wanted: Wanted) -> AsyncIterator[LogRecord]:
        """The records after number `after`, of those that are wanted only the `last`; then, with `follow`, what comes.

        `lost` of a record says how many, wanted or not, are gone between the one that was given before and this one.
        """
        if last is not None:
            after = max(after, self._before_last(last, wanted))
        lost = 0
        while True:
            batch, change = self._batch(after, follow)
            for record in batch:
                lost += record.number - after - 1
                after = record.number
                if wanted(record):
                    yield replace(record, lost=lost) if lost else record
                    lost = 0
            if batch:
                await trio.lowlevel.checkpoint()
            elif change is not None:
                await change.wait()
            else:
                return

    def _batch(self, after: int, follow: bool) -> tuple[list[LogRecord], trio.Event | None]:
        """The oldest records after a number; if there are none, what tells of the next one."""
        with self._lock:
            begin = bisect_right(self._records, after, key=lambda record: record.number)
            batch = list(islice(self._records, begin, begin + BATCH))
            if batch or not follow:
                return batch, None
            change = trio.Event()
            self._waiting.append((trio.lowlevel.current_trio_token(), change))
            return batch, change

    def _before_last(self, last: int, wanted: Wanted) -> int:
        """The number after which exactly the `last` wanted records come; 0 if there are not as many."""
        with self._lock:
            newest = list(reversed(self._records))
            number = self._number
        found = (record.number - 1 for record in newest if wanted(record))
        return next(islice(found, last - 1, None), 0) if last else number


def _size(record: LogRecord) -> int:
    fields = sum(len(key) + len(value) + OVERHEAD // 2 for key, value in record.fields.items())
    return OVERHEAD + len(record.message) + len(record.logger) + fields


def _text(text: str, limit: int) -> str:
    """At most `limit` characters, that every reader can decode: a traceback is told by its beginning and its end."""
    if len(text) > limit:
        half = limit // 2 - 1
        text = f"{text[:half]} … {text[-half:]}"
    return text if text.isascii() else text.encode(errors="replace").decode()


# --- Python's logging

running: ContextVar[tuple[Log, str]] = ContextVar("running_process")
"""Set in the tasks of a process: the log of its node, and its label."""
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record of Python's logging has; all else in it are its fields."""
_levels_before: list[int] = []


@contextmanager
def hearing(log: Log, host: object) -> Iterator[None]:
    """While the block runs, what this OS process says through Python's logging also goes into `log`.

    `host` is the node's resource table, by which its calls are known from those of another node of this OS process.
    Where nobody has configured logging, INFO is heard too, and standard error gets what it would have got.
    """
    root, handler = logging.getLogger(), _Handler(log, host)
    if not root.handlers and logging.lastResort is not None:
        _levels_before.append(root.level)
        root.addHandler(logging.lastResort)
        root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        if _levels_before and not any(isinstance(other, _Handler) for other in root.handlers):
            root.setLevel(_levels_before.pop())
            root.removeHandler(logging.lastResort or handler)


class _Handler(logging.Handler):
    """Takes what was said by this node: in its processes' tasks, in their calls, or by nobody in particular."""

    def __init__(self, log: Log, host: object) -> None:
        super().__init__()
        self._log = log
        self._host = host

    def emit(self, record: logging.LogRecord) -> None:
        try:
            process = self._speaker()
            if process is not None:
                self._log.add(_level(record.levelno), process, record.name, _message(record), _fields(record))
        except Exception:
            self.handleError(record)  # what logging does with a record that cannot be formatted

    def _speaker(self) -> str | None:
        """Label of the process that is speaking, or "node"; None if another node of this OS process is."""
        call = current.get(None)
        if call is not None:
            return (call.resource.label or NODE) if call.resource.host is self._host else None
        log, label = running.get((self._log, NODE))
        return label if log is self._log else None


def _level(number: int) -> LogLevel:
    return LogLevel(min(max(number // 10 * 10, LogLevel.DEBUG), LogLevel.CRITICAL))


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[0] is not None:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
