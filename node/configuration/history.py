"""The file and its history, changed together so that neither lies.

    1  the change is written to the store, not done yet
    2  the file is replaced
    3  the change is done

The file is the truth of what the node is set to, the store of who made it so. Whatever ends this in between, the next
look sees which of the two files there is, and keeps or drops the change. A file that nobody here wrote was edited: it
is kept too, also if it cannot be used, so that there is always a way back. All of this blocks. One history at a time
writes: whoever has one holds the home.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firefly.errors import GlowError, InvalidArgument
from node.configuration.document import difference, edit, parse, read, write
from node.configuration.errors import BadConfiguration, UnreadableConfiguration
from node.configuration.kinds import Plain
from node.configuration.settings import Setting, Values, find
from node.store import ConfigurationRow, Store

EDITED = "edited file"


@dataclass(frozen=True)
class Author:
    """Who changes something: a user of this device, or the node with `key` for its own."""

    who: str
    key: bytes = b""


@dataclass(frozen=True)
class Entry:
    """One change of the configuration. Number 0 was before the first, when there was no file."""

    number: int
    time: datetime
    who: str
    key: bytes
    what: str


class History:
    """The configuration file at `path`, and what `store` knows of it."""

    def __init__(self, path: Path, store: Store, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._store = store
        self._now = now

    def look(self) -> bytes:
        """What the file holds, once that is in the history. Raises UnreadableConfiguration, StoreFailed."""
        data = read(self.path)
        for number, wanted in self._store.undone_configurations():
            if wanted == data:
                self._store.finish_configuration(number)
            else:
                self._store.remove_configuration(number)
        newest = self._newest()
        if data != newest:
            self._store.add_configuration(self._row(Author(EDITED), newest, data), data, done=True)
        return data

    def set(self, key: str, text: str | None, author: Author) -> tuple[Entry | None, Values]:
        """Gives a setting the value that a person typed; None removes the key, also one that is no setting.

        Returns the change, None if nothing changed, and all values of the file. Raises BadConfiguration,
        UnreadableConfiguration, UnwritableConfiguration, StoreFailed; then the file is as it was.
        """
        value = None if text is None else _plain(find(key), text)
        before = self.look()
        after = edit(before, key, value, self.path)
        if after == before:
            find(key)
        return self._replace(before, after, author)

    def rollback(self, number: int | None, author: Author) -> tuple[Entry | None, Values]:
        """Goes back to the file that change `number` left, by default to the last good one before the newest change.

        Itself a change. Like `set`; raises InvalidArgument where there is nothing to go back to.
        """
        before: bytes | None
        try:
            before = self.look()
        except UnreadableConfiguration:
            before = None
        if number is None:
            number = self._last_good(before)
        after = self.text(number)
        try:
            parse(after, self.path)
        except BadConfiguration as error:
            raise BadConfiguration(f"there is no way back to {number}", error.cause, "glow config history") from None
        return self._replace(before, after, author, f"rollback to {number}: ")

    def entries(self) -> list[Entry]:
        """Newest first."""
        return [_entry(row) for row in self._store.configurations()]

    def text(self, number: int) -> bytes:
        """The file as that change left it. Raises InvalidArgument."""
        data = b"" if number == 0 else self._store.configuration(number)
        if data is None:
            raise InvalidArgument(f"there is no change {number} of the configuration", hint="glow config history")
        return data

    def _newest(self) -> bytes:
        rows = self._store.configurations()
        return self.text(rows[0][0]) if rows else b""

    def _last_good(self, before: bytes | None) -> int:
        """The newest change that left another file than there is now, and one that can be used."""
        numbers = [row[0] for row in self._store.configurations()]
        if not numbers or numbers[-1] == 1:
            numbers.append(0)
        for number in numbers:
            data = self.text(number)
            if data != before and self._good(data):
                return number
        raise InvalidArgument(
            "there is nothing to go back to",
            cause="no other configuration that can be used is known",
            hint="glow config history",
        )

    def _good(self, data: bytes) -> bool:
        try:
            parse(data, self.path)
        except BadConfiguration:
            return False
        return True

    def _replace(
        self, before: bytes | None, after: bytes, author: Author, what: str = ""
    ) -> tuple[Entry | None, Values]:
        """Changes the file. `before` is None if it could not be read."""
        values = parse(after, self.path)
        if after == before:
            return None, values
        row = self._row(author, before or b"", after, what)
        number = self._store.add_configuration(row, after, done=False)
        try:
            write(self.path, after)
        except GlowError:
            self._store.remove_configuration(number)
            raise
        self._store.finish_configuration(number)
        return _entry((number, *row)), values

    def _row(self, author: Author, before: bytes, after: bytes, what: str = "") -> tuple[float, str, bytes, str]:
        return self._now(), author.who, author.key, what + difference(before, after, self.path)


def _plain(setting: Setting[Any], text: str) -> Plain:
    return setting.kind.plain(setting.typed(text))


def _entry(row: ConfigurationRow) -> Entry:
    number, at, who, key, what = row
    return Entry(number, datetime.fromtimestamp(at, UTC), who, key, what)
