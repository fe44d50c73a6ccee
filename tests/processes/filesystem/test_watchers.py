"""Watchers are bounded, and told when they are too slow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from firefly.errors import Busy, Interrupted
from firefly.interfaces.filesystem import Change, ChangeCreated, NotFound
from processes.background import Background
from processes.filesystem import watchers as module
from processes.filesystem.hops import Hops
from processes.filesystem.tree import Tree
from processes.filesystem.watchers import MAX_WAITING, Watchers, _Inbox

HOP = Hops(trio.CapacityLimiter(2), "watch", "")


async def test_an_inbox_gives_what_came_before_it_ended() -> None:
    inbox = _Inbox()
    inbox.put([ChangeCreated("a")])
    inbox.put([ChangeCreated("b")])
    inbox.end(NotFound("x"))
    inbox.end(Interrupted("later"))
    assert await inbox.take() == [ChangeCreated("a"), ChangeCreated("b")]
    with pytest.raises(NotFound):
        await inbox.take()


async def test_a_slow_watcher_is_told_so_and_stopped() -> None:
    inbox = _Inbox()
    for _ in range(MAX_WAITING):
        inbox.put([ChangeCreated("a")])
    assert not inbox.stop.is_set()
    inbox.put([ChangeCreated("a")])
    assert inbox.stop.is_set()
    assert len(await inbox.take()) == MAX_WAITING
    with pytest.raises(Busy, match="faster"):
        await inbox.take()


async def test_one_watcher_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WATCHERS", 1)
    tree = Tree(tmp_path)
    async with trio.open_nursery() as nursery:
        watchers = Watchers(tree, await Background.open(nursery))
        async with aclosing(watchers.changes("", HOP)) as first:
            nursery.start_soon(_touch_until, tmp_path, told := trio.Event())
            await anext(first)
            told.set()
            with pytest.raises(Busy, match="watchers"):
                await anext(watchers.changes("", HOP))
        async with aclosing(watchers.changes("", HOP)) as second:
            nursery.start_soon(_touch_until, tmp_path, told := trio.Event())
            await anext(second)
            told.set()
        nursery.cancel_scope.cancel()
    tree.close()


async def test_watchers_are_told_when_the_process_stops(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    async with trio.open_nursery() as nursery:
        background = await Background.open(nursery)
        watchers = Watchers(tree, background)
        async with aclosing(watchers.changes("", HOP)) as changes:
            nursery.start_soon(_touch_until, tmp_path, told := trio.Event())
            await anext(changes)
            told.set()
            await background.close()
            with pytest.raises(Interrupted):
                await _all(changes)
        with pytest.raises(Interrupted):
            await anext(watchers.changes("", HOP))
    tree.close()


async def _all(changes: AsyncIterator[Change]) -> None:
    async for _ in changes:
        pass


async def _touch_until(folder: Path, told: trio.Event) -> None:
    """Makes files until somebody was told of one: when a watch begins is not told."""
    number = 0
    while not told.is_set():
        number += 1
        (folder / str(number)).touch()
        with trio.move_on_after(0.05):
            await told.wait()
