"""What the two ends of a copy have in common.

A file is written under a temporary name that comes from its *token*: where it comes from, its size and its time. So a
copy that was cut finds what it wrote before when it is run again, and never continues from something else.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from firefly.errors import InvalidArgument
from firefly.interfaces.filesystem import Kind, Written

CHUNK = 1 << 20
"""Bytes that a thread reads or writes at a time, about."""
AHEAD = 2
"""Chunks that wait between the network and the disk."""
SMALL = 1 << 20
"""Files up to this size begin anew after a cut: asking for what is there would take longer."""
PART = ".glow-part"
"""Ends the temporary name of what is not complete yet."""

HIDDEN = ".glow-"
"""Begins the names that file systems keep for unfinished uploads and do not show."""

Batches = AsyncIterable[list[bytes]]


@dataclass(frozen=True, slots=True)
class Item:
    """What is at a path. `version` changes when the content does; `mode` holds permission bits."""

    kind: Kind
    size: int
    version: str
    mode: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is read: its pieces in batches, then the size and SHA-256 of the whole of it."""

    batches: AsyncIterator[list[bytes]]
    whole: Callable[[], Awaitable[Written]]


class Writing(Protocol):
    """A file that is written under a temporary name; `kept` bytes of it are there from before."""

    kept: int

    async def append(self, batches: Batches) -> None:
        """Adds the rest."""

    async def commit(self, expected: Written, mode: int) -> None:
        """Gives it its name. Raises Mismatch, and drops it, if it is not what is expected."""


class Place(Protocol):
    """A file system. Paths are text, as this place writes them."""

    name: str
    """Says where it is; the same place has the same name."""

    def join(self, folder: str, name: str) -> str: ...
    def beside(self, path: str, name: str) -> str:
        """The path of another entry of the folder in which `path` lies."""

    def whole(self, path: str) -> str:
        """The path in a form that can be compared."""

    async def stat(self, path: str) -> Item | None:
        """None if nothing is there."""

    async def children(self, path: str) -> list[tuple[str, Item]]:
        """The entries of a folder in the order of their names."""

    async def mkdir(self, path: str) -> None: ...
    async def rename(self, old: str, new: str) -> None: ...
    async def digest(self, path: str) -> Written: ...
    def reading(self, path: str, offset: int) -> AbstractAsyncContextManager[Reading]: ...
    def writing(self, path: str, token: bytes, size: int, fresh: bool) -> AbstractAsyncContextManager[Writing]:
        """`fresh`: what is there from before is not to be used. `size` is the expected one."""


def token_of(place: Place, path: str, item: Item, final: str) -> bytes:
    """16 bytes that stand for copying just this item to just that name."""
    parts = (place.name, path, str(item.size), item.version, final)
    text = "\0".join(parts).encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).digest()


def part_name(token: bytes) -> str:
    return f".{token.hex()}{PART}"


def is_part(name: str) -> bool:
    """Also of what a file system keeps for others."""
    return name.startswith(HIDDEN) or (name.startswith(".") and name.endswith(PART))


def checked_name(name: str) -> str:
    """The name under which an entry goes to another place. Raises InvalidArgument for one that could lead out."""
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(name) > 1024:
        raise InvalidArgument(f"{name[:100]!r} cannot be the name of a file")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name!a} is not UTF-8", hint="rename it, then copy it") from None
    return unicodedata.normalize("NFC", name)
