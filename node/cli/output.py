"""What a command prints: data on stdout, as text or JSON, everything else on stderr."""

from __future__ import annotations

import datetime
import enum
import json
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

ADDRESSES = {"address", "alternate", "attached", "destination", "next_hop", "node"}
"""Fields of this name that hold 16 bytes are addresses of nodes, and shown as such."""
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


class Output:
    """Prints what one command found, in the format that its flags name."""

    def __init__(self, arguments: Namespace) -> None:
        self.lines: bool = arguments.jsonl
        self.json: bool = arguments.json or arguments.jsonl
        self.quiet: bool = arguments.quiet
        self.verbose: bool = arguments.verbose
        self.terminal = sys.stdout.isatty()
        self.colour = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def show(self, data: Any, text: Callable[[], str]) -> None:
        """Prints one answer: a list as an array, or one item per line with --jsonl."""
        if not self.json:
            self.text(text())
        elif self.lines and isinstance(data, list):
            for item in data:
                write_json(item)
        else:
            write_json(data, indent=None if self.lines or not self.terminal else 2)

    def item(self, data: Any, text: str) -> None:
        """Prints one item of a stream at once: a line of JSON, or text."""
        if self.json:
            write_json(data)
        else:
            self.text(text)
        sys.stdout.flush()

    def text(self, text: str) -> None:
        """Prints text that may hold names from other nodes: on a terminal without control characters."""
        if text:
            sys.stdout.write(f"{clean(text) if self.terminal else text}\n")

    def note(self, text: str) -> None:
        """Tells the person something that is not data."""
        if not self.quiet:
            sys.stderr.write(f"{clean(text)}\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        """Columns as wide as they must be; a column that is empty in every row is left out."""
        cells = [[clean(cell) if self.terminal else cell for cell in row] for row in rows]
        if not cells:
            return ""
        kept = [place for place in range(len(header)) if any(row[place] for row in cells)]
        widths = [max(len(header[place]), *(len(row[place]) for row in cells)) for place in kept]
        lines = [
            "  ".join(row[place].ljust(width) for place, width in zip(kept, widths, strict=True)).rstrip()
            for row in [list(header), *cells]
        ]
        return "\n".join([self.faint(lines[0]), *lines[1:]])

    def faint(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.colour else text

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text


def write_json(data: Any, indent: int | None = None) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=indent) + "\n")


_DANGEROUS = re.compile(r"\x1b(?!\[[012]m)|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text without what could drive a terminal; bold and faint may stay."""
    return _DANGEROUS.sub("\N{REPLACEMENT CHARACTER}", text)


def plain(value: Any, field: str = "") -> Any:
    """A value of an interface as JSON has it: bytes in hexadecimal, addresses as text, times as ISO 8601."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name), name) for name in value.__struct_fields__}
    if isinstance(value, bytes):
        return address_text(value) if field in ADDRESSES and len(value) == 16 else value.hex()
    if isinstance(value, datetime.datetime):
        return iso_time(value)
    if isinstance(value, list | tuple):
        return [plain(item, field) for item in value]
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    return value


def address_text(address: bytes) -> str:
    from firefly.address import format_address

    return format_address(address)


def hint_lines(hints: Iterable[str]) -> list[str]:
    """What helps against the reasons in a table, each once."""
    return [f"hint: {hint}" for hint in dict.fromkeys(hints) if hint]


def iso_time(value: datetime.datetime) -> str:
    """In UTC, to the millisecond at most."""
    return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(value: datetime.datetime) -> str:
    """As a person of this device reads it."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size_text(count: float) -> str:
    """Bytes in decimal units: 999 B, 1.5 kB, 20 MB."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in _UNITS:
        count /= 1000
        if count < 999.5 or unit == _UNITS[-1]:
            break
    return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"


def counted(count: int, what: str) -> str:
    """1 link, 2 links, 2 processes."""
    return f"{count} {what}" if count == 1 else f"{count} {what}{'es' if what.endswith('s') else 's'}"


def duration_text(seconds: float) -> str:
    """Seconds with three digits at most: 340 µs, 1.25 ms, 12 s, 5 min, 3 h, 2 days."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    for limit, size, unit in ((5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"
