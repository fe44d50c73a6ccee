"""What the value of a setting may be: how it is checked, and how it is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from firefly.address import format_address, parse_address
from firefly.durations import format_duration, parse_duration
from firefly.errors import GlowError

T = TypeVar("T")
Plain = str | int | list[str]
"""A value as it stands in the file."""
MAX_URL = 300
"""Characters of one URL."""
NOWHERE = "none"
"""What a person writes for no address at all."""


class Kind(ABC, Generic[T]):
    """A kind of value. `what` goes on from "it must be"."""

    @property
    @abstractmethod
    def what(self) -> str: ...

    @abstractmethod
    def check(self, raw: object) -> T:
        """The value that TOML's `raw` stands for. Raises ValueError, with a text if there is more to say."""

    @abstractmethod
    def plain(self, value: T) -> Plain:
        """How the value is written in the file."""

    def typed(self, text: str) -> object:
        """What a person means who types text that is no TOML."""
        return text


@dataclass(frozen=True)
class Choice(Kind[str]):
    """One of some words."""

    words: tuple[str, ...]

    @property
    def what(self) -> str:
        return "one of " + ", ".join(self.words)

    def check(self, raw: object) -> str:
        if not isinstance(raw, str) or raw not in self.words:
            raise ValueError
        return raw

    def plain(self, value: str) -> Plain:
        return value


@dataclass(frozen=True)
class Whole(Kind[int]):
    """A whole number within bounds."""

    least: int
    most: int

    @property
    def what(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def check(self, raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not self.least <= raw <= self.most:
            raise ValueError
        return raw

    def plain(self, value: int) -> Plain:
        return value


@dataclass(frozen=True)
class Duration(Kind[float]):
    """A time in seconds, within bounds; written with a unit."""

    least: float
    most: float

    @property
    def what(self) -> str:
        bounds = f"{format_duration(self.least)} to {format_duration(self.most)}"
        return f'a time from {bounds}, such as "90s", "5m", "2h", "1d" or a number of seconds'

    def check(self, raw: object) -> float:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise ValueError
        value = parse_duration(raw) if isinstance(raw, str) else raw
        if not self.least <= value <= self.most:  # nor is NaN
            raise ValueError
        return float(value)

    def plain(self, value: float) -> Plain:
        return format_duration(value)


@dataclass(frozen=True)
class Addresses(Kind[tuple[str, ...]]):
    """URLs where links may come in."""

    most: int

    @property
    def what(self) -> str:
        return f'an array of at most {self.most} URLs, such as ["tcp://0.0.0.0:4747"]; [] or none: no port is opened'

    def check(self, raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list) or len(raw) > self.most:
            raise ValueError
        return tuple(_check_url(url) for url in raw)

    def plain(self, value: tuple[str, ...]) -> Plain:
        return list(value)

    def typed(self, text: str) -> object:
        return [] if text == NOWHERE else text.replace(",", " ").split() or [text]


@dataclass(frozen=True)
class Nodes(Kind[tuple[bytes, ...]]):
    """Addresses of nodes."""

    most: int

    @property
    def what(self) -> str:
        return f"an array of at most {self.most} whole addresses of nodes, as `glow status` shows them; [] is none"

    def check(self, raw: object) -> tuple[bytes, ...]:
        if not isinstance(raw, list) or len(raw) > self.most or not all(isinstance(text, str) for text in raw):
            raise ValueError
        return tuple(parse_address(text) for text in raw)

    def plain(self, value: tuple[bytes, ...]) -> Plain:
        return [format_address(address) for address in value]

    def typed(self, text: str) -> object:
        return [] if text == NOWHERE else text.replace(",", " ").split() or [text]


def _check_url(url: object) -> str:
    """Raises ValueError for what no transport of this node can listen at."""
    from node.links import SHAREABLE, transport

    if not isinstance(url, str) or len(url) > MAX_URL or not url.isprintable():
        raise ValueError
    if url.partition(":")[0] not in SHAREABLE:
        raise ValueError(f"a node listens at {', '.join(f'{scheme}:' for scheme in sorted(SHAREABLE))} alone")
    parse = getattr(transport(url), "parse", None)
    try:
        if parse is not None:
            parse(url)
    except GlowError as error:
        raise ValueError(f"{error.message}; {error.hint}") from None
    return url
