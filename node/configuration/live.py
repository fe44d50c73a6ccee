"""The configuration of a running node: what is in effect, and how a change of the file gets there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trio

from firefly.errors import GlowError
from node.configuration.document import parse
from node.configuration.history import Entry, History
from node.configuration.settings import (
    AT_ONCE,
    SETTINGS,
    Effective,
    Given,
    Setting,
    Values,
    effective,
)
from node.store import Store

LOOK_PAUSE = 2.0
"""Seconds between two looks whether somebody has edited the file."""
T = TypeVar("T")
log = logging.getLogger("node")


@dataclass
class Outcome:
    """What became of the keys that a change gave a new value."""

    applied: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    overridden: list[str] = field(default_factory=list)


class Configuration:
    """What a node is set to. `above` is what its flags and its environment say, for as long as it runs.

    The constructor blocks. It raises BadConfiguration, UnreadableConfiguration and StoreFailed: a node does not start
    with a file that it cannot use. One that runs stays with what it had, and says why in `problem`.
    """

    def __init__(self, history: History, store: Store, above: Given) -> None:
        self.history = history
        self.problem: GlowError | None = None
        self._store = store
        self._above = above
        self._values: Values = parse(history.look(), history.path)
        self._seen = _signature(history)
        self._now = {key: self._wanted(setting) for key, setting in SETTINGS.items()}
        self._followers: dict[str, Callable[[Any], None]] = {}
        self._lock = trio.Lock()

    def effective(self, setting: Setting[T]) -> Effective[T]:
        """What is in effect now, and where it comes from."""
        return self._now[setting.key]

    def after_restart(self, setting: Setting[T]) -> Effective[T]:
        """What would be after a restart with the same flags and environment."""
        return self._wanted(setting)

    def _wanted(self, setting: Setting[T]) -> Effective[T]:
        return effective(setting, self._above, self._values)

    def follow(self, setting: Setting[T], take: Callable[[T], None]) -> None:
        """Calls `take` with the value now, and with every new one."""
        self._followers[setting.key] = take
        take(self.effective(setting).value)

    async def look(self) -> None:
        """Takes up what somebody has edited. An edit that cannot be used changes nothing and becomes the `problem`."""
        async with self._lock:
            self._seen = await trio.to_thread.run_sync(_signature, self.history)
            try:
                data = await self._store.use(lambda _: self.history.look())
                self._take(parse(data, self.history.path))
            except GlowError as error:
                if self.problem is None or str(self.problem) != str(error) or self.problem.cause != error.cause:
                    log.warning("%s, so nothing changes: %s", error.message, error.cause)
                self.problem = error

    async def change(self, work: Callable[[History], tuple[Entry | None, Values]]) -> tuple[Entry | None, Outcome]:
        """Has the history make a change, and applies what can be applied at once. Raises what `work` raises."""
        async with self._lock:
            entry, values = await self._store.use(lambda _: work(self.history))
            return entry, self._take(values)

    async def ask(self, work: Callable[[History], T]) -> T:
        """Something that the history knows."""
        return await self._store.use(lambda _: work(self.history))

    async def watch(self) -> None:
        """Notices edits, for as long as the node runs."""
        while True:
            await trio.sleep(LOOK_PAUSE)
            if await trio.to_thread.run_sync(_signature, self.history) != self._seen:
                await self.look()

    def _take(self, values: Values) -> Outcome:
        before, self._values, self.problem = self._values, values, None
        outcome = Outcome()
        for key, setting in SETTINGS.items():
            if before.get(key) != values.get(key):
                self._take_one(setting, outcome)
        return outcome

    def _take_one(self, setting: Setting[Any], outcome: Outcome) -> None:
        key, wanted = setting.key, self._wanted(setting)
        if key in self._above:
            outcome.overridden.append(key)
        elif setting.applies == AT_ONCE or wanted.value == self._now[key].value:
            self._now[key] = wanted
            if key in self._followers:
                self._followers[key](wanted.value)
            outcome.applied.append(key)
            log.info("%s is %s from now on", key, setting.literal(wanted.value))
        else:
            outcome.restart.append(key)
            log.info("%s will be %s after a restart", key, setting.literal(wanted.value))


def _signature(history: History) -> tuple[int, ...]:
    """Changes whenever somebody has touched the file."""
    try:
        state = os.stat(history.path)
    except OSError as error:
        return (error.errno or 0,)
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
