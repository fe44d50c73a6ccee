"""The text of a file and places in it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from idl.model import Span

MAX_SIZE = 1 << 20
"""Bytes of a source."""


class Unreadable(Exception):
    """A source that cannot be a file of the language: `code` is the rule of idl/diagnostics.py that it breaks."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Source:
    """A file's text. `name` is how messages call it, usually the path as the user gave it."""

    name: str
    text: str
    path: Path | None = None

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Source:
        """Raises Unreadable for a file that is missing, over 1 MiB or not UTF-8."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise Unreadable("unreadable", error.strerror or str(error)) from None
        return cls(name or str(path), decode(data), path)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]

    def place(self, span: Span) -> tuple[int, int]:
        """Line and column of a span's start, both from 1."""
        line = bisect_right(self._starts, span.start)
        return line, span.start - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        start = self._starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


def decode(data: bytes) -> str:
    """The text of a source. Raises Unreadable."""
    if len(data) > MAX_SIZE:
        raise Unreadable("too-large", f"it is larger than {MAX_SIZE} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not-utf8", f"byte {error.start} is not UTF-8") from None
