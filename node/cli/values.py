"""Bytes that a person gives and sees: on the command line, in JSON, on a terminal."""

from __future__ import annotations

import base64
import sys
from typing import Any

from node.cli.output import size_text


def value_of(text: str | None) -> bytes:
    """The value on the command line, or standard input."""
    return sys.stdin.buffer.read() if text in (None, "-") else str(text).encode(errors="surrogateescape")


def value_data(value: bytes | None) -> dict[str, Any]:
    """A value in JSON: as text, and in base64 if it is no text."""
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value": None, "base64": base64.b64encode(value).decode()}


def value_text(value: bytes, limit: int) -> str:
    """One line that shows a value."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"{size_text(len(value))} of bytes"
    line = text.replace("\n", "\\n")
    return line if len(line) <= limit else f"{line[:limit]}…"
