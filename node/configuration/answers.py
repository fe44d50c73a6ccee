"""What proto Node says of a configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firefly.errors import GlowError
from firefly.interfaces import core
from node.configuration.errors import BadConfiguration
from node.configuration.history import Author, Entry
from node.configuration.live import Configuration, Outcome
from node.configuration.settings import SETTINGS, Effective, Setting


class Answers:
    """The methods of proto Node about the configuration of the node that runs here."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def configuration(self) -> core.Configuration:
        configuration = self._configuration
        await configuration.look()
        return describe(
            configuration.history.path, configuration.effective, configuration.after_restart, configuration.problem
        )

    async def configure(self, key: str, value: str | None, author: Author) -> core.ConfigurationChange:
        with told():
            return change_of(*await self._configuration.change(lambda history: history.set(key, value, author)))

    async def rollback(self, number: int | None, author: Author) -> core.ConfigurationChange:
        with told():
            return change_of(*await self._configuration.change(lambda history: history.rollback(number, author)))

    async def history(self) -> list[core.ConfigurationEntry]:
        await self._configuration.look()
        return await self._configuration.ask(lambda history: [entry_of(entry) for entry in history.entries()])

    async def text(self, number: int) -> bytes:
        return await self._configuration.ask(lambda history: history.text(number))


def describe(
    path: Path,
    now: Callable[[Setting[Any]], Effective[Any]],
    later: Callable[[Setting[Any]], Effective[Any]],
    problem: GlowError | None,
) -> core.Configuration:
    """All settings: as they are `now`, and `later`, after a restart."""
    settings = [_setting(setting, now(setting), later(setting)) for setting in SETTINGS.values()]
    return core.Configuration(str(path), settings, text_of(problem) if problem is not None else "")


def _setting(setting: Setting[Any], now: Effective[Any], later: Effective[Any]) -> core.Setting:
    return core.Setting(
        key=setting.key,
        kind=setting.kind.what,
        value=setting.literal(now.value),
        source=now.source,
        default=setting.literal(setting.default),
        meaning=setting.meaning,
        applies=setting.applies,
        pending=None if later.value == now.value else setting.literal(later.value),
    )


def text_of(error: GlowError) -> str:
    return ": ".join(part for part in (error.message, error.cause) if part)


def change_of(entry: Entry | None, outcome: Outcome) -> core.ConfigurationChange:
    return core.ConfigurationChange(
        None if entry is None else entry_of(entry), outcome.applied, outcome.restart, outcome.overridden
    )


def entry_of(entry: Entry) -> core.ConfigurationEntry:
    return core.ConfigurationEntry(entry.number, entry.time, entry.who, entry.key or None, entry.what)


@contextmanager
def told() -> Iterator[None]:
    """BadConfiguration travels as the interface declares it."""
    try:
        yield
    except BadConfiguration as error:
        raise core.BadConfiguration(error.message, error.cause, error.hint) from None


def local_user() -> Author:
    """The user that this OS process runs as."""
    import pwd

    try:
        return Author(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:  # a container's user has no name
        return Author(f"user {os.getuid()}")
