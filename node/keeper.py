"""Writes a node's signed statements to its store: the newest of each slot, in order, by one task.

A disk that is full must not end the node. What could not be written is counted and tried again with the next change;
it is no loss for others, who have the statement, and after a restart they give it back.
"""

from __future__ import annotations

import logging
from collections import Counter

import trio

from node.store import Store, StoreFailed

log = logging.getLogger("node")


class Keeper:
    """What waits to be written, by (kind, slot)."""

    def __init__(self, store: Store, counters: Counter[str]) -> None:
        self._store = store
        self._counters = counters
        self._waiting: dict[tuple[str, bytes], tuple[bytes, bytes]] = {}
        self._work = trio.Event()

    def keep(self, kind: str, slot: bytes, identifier: bytes, data: bytes) -> None:
        self._waiting[kind, slot] = identifier, data
        self._work.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            batch, self._waiting = self._waiting, {}
            try:
                with trio.CancelScope(shield=True):
                    await self._store.run(lambda store, batch=batch: _write(store, batch))  # type: ignore[misc]
            except StoreFailed as error:
                self._waiting = batch | self._waiting
                self._counters["statements_unwritten"] += 1
                log.error("statements could not be kept: %s (%s)", error.message, error.cause)


def _write(store: Store, batch: dict[tuple[str, bytes], tuple[bytes, bytes]]) -> None:
    for (kind, slot), (identifier, data) in batch.items():
        store.keep_statement(identifier, kind, slot, data)
