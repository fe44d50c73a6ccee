"""The configuration of a home where no node runs: the calls of proto Node, on file and store themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from firefly.errors import GlowError
from firefly.interfaces import core
from node.configuration.answers import change_of, describe, entry_of, local_user
from node.configuration.document import parse, read
from node.configuration.history import History
from node.configuration.live import Outcome
from node.configuration.settings import Effective, Setting, T, Values, effective, given
from node.home import Home
from node.store import Store


class Offline:
    """All methods block. Those that write, or may find an edit to keep, hold the home: they raise HomeInUse."""

    def __init__(self, home: Home, environment: Mapping[str, str] = os.environ) -> None:
        self._home = home
        self._environment = environment

    async def configuration(self) -> core.Configuration:
        """What a node that starts now would be set to, as far as its file can be used.

        Raises BadConfiguration for a variable of the environment.
        """
        path = self._home.configuration
        above = given({}, self._environment)
        values: Values = {}
        problem: GlowError | None = None
        try:
            values = parse(read(path), path)
        except GlowError as error:
            problem = error

        def wanted(setting: Setting[T]) -> Effective[T]:
            return effective(setting, above, values)

        return describe(path, wanted, wanted, problem)

    async def configure(self, key: str, value: str | None) -> core.ConfigurationChange:
        with self._history() as history:
            entry, _ = history.set(key, value, local_user())
            return change_of(entry, Outcome())

    async def configuration_rollback(self, number: int | None) -> core.ConfigurationChange:
        with self._history() as history:
            entry, _ = history.rollback(number, local_user())
            return change_of(entry, Outcome())

    async def configuration_history(self) -> list[core.ConfigurationEntry]:
        with self._history() as history:
            history.look()
            return [entry_of(entry) for entry in history.entries()]

    async def configuration_text(self, number: int) -> bytes:
        with self._history() as history:
            return history.text(number)

    @contextmanager
    def _history(self) -> Iterator[History]:
        self._home.make()
        with self._home.lock():
            store = Store(self._home.database)
            try:
                yield History(self._home.configuration, store)
            finally:
                store.close()
