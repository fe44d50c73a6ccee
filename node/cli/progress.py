"""What a person sees while a command works: what it waits for, or how far it is; on a terminal, after one second."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from node.cli.output import clean, duration_text, size_text

PATIENCE = 1.0
"""Seconds before anything is shown."""
INTERVAL = 0.2
STALLED = 3.0
"""Seconds without a byte after which the line says what is waited for."""
WIDTH = 100


class Progress:
    """One line on stderr that is drawn over. `total` may grow while it runs; all counts are bytes."""

    def __init__(self, phase: str, *, shown: bool, waits_for: str = "") -> None:
        self.phase = phase
        self.shown = shown
        self.waits_for = waits_for
        self.done = 0
        self.total = 0
        self._begun = self._moved = trio.current_time()
        self._skipped = 0
        self._drawn = False

    def advance(self, count: int) -> None:
        """`count` more bytes arrived; a negative count takes back what has to be done again."""
        self.done += count
        self._moved = trio.current_time()

    def skip(self, count: int) -> None:
        """`count` bytes were there already; they do not count for the rate."""
        self.advance(count)
        self._skipped += count

    @property
    def moved(self) -> int:
        """Bytes that were really moved."""
        return self.done - self._skipped

    def line(self, now: float) -> str:
        """What to draw: phase, bytes, rate, time left; or what is waited for."""
        waiting = f" – waiting for {self.waits_for}" if self.waits_for and now - self._moved >= STALLED else ""
        if not self.total:
            return f"{self.phase}{waiting or ' …'}"
        rate = self.moved / max(now - self._begun, 1e-3)
        share = f"{self.phase}  {size_text(self.done)} of {size_text(self.total)}  {self.done / self.total:.0%}"
        left = f", {duration_text((self.total - self.done) / rate)} left" if rate > 0 and self.done < self.total else ""
        return f"{share}  {size_text(rate)}/s{left}{waiting}"

    def clear(self) -> None:
        """Makes room for other text; the line comes back by itself."""
        if self._drawn:
            self._write("")

    @asynccontextmanager
    async def drawn(self) -> AsyncIterator[None]:
        """Draws while the block runs."""
        if not self.shown:
            yield
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._draw)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()
                self.clear()

    async def _draw(self) -> None:
        await trio.sleep(PATIENCE)
        while True:
            self._drawn = True
            self._write(self.line(trio.current_time()))
            await trio.sleep(INTERVAL)

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{clean(line)[:WIDTH]}")
        sys.stderr.flush()


def wants_progress(arguments: Namespace) -> bool:
    """Whether somebody looks who wants to see it."""
    return sys.stderr.isatty() and not arguments.quiet and not arguments.json and not arguments.jsonl
