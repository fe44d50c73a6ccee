"""Statements reach the store in order, and a full disk does not end the node."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import trio
from trio.testing import wait_all_tasks_blocked

from node.keeper import Keeper
from node.store import Store, StoreFailed


class FullAtFirst(Store):
    """A real store whose disk is full for the first write."""

    failures = 1

    def keep_statement(self, identifier: bytes, kind: str, slot: bytes, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreFailed("the state could not be written", cause="disk full")
        super().keep_statement(identifier, kind, slot, data)


async def test_the_newest_of_a_slot_is_written(tmp_path: Path) -> None:
    store, counters = Store(tmp_path / "state"), Counter[str]()
    keeper = Keeper(store, counters)
    for number in range(100):
        keeper.keep("name", b"slot", bytes((number,)), b"data %d" % number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        while not store.statements():
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert store.statements() == [b"data 99"]
    store.close()


async def test_a_full_disk_is_counted_and_tried_again(tmp_path: Path) -> None:
    store, counters = FullAtFirst(tmp_path / "state"), Counter[str]()
    keeper = Keeper(store, counters)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        keeper.keep("name", b"one", b"1", b"first")
        while not counters["statements_unwritten"]:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        keeper.keep("name", b"two", b"2", b"second")
        while len(store.statements()) < 2:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert sorted(store.statements()) == [b"first", b"second"]
    store.close()
