"""Which paths are served (docs/concepts/security.md, "Authorization"): a path is refused, never repaired."""

from __future__ import annotations

import unicodedata

HIDDEN = ".glow-"
"""Names that begin so, in whatever case, are unfinished files of this process: neither listed nor served."""
MAX_DEPTH = 256


class Refused(Exception):
    """The path is not one that a tree serves."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


def split(path: str) -> list[str]:
    """The segments of a path, none for the root. Raises Refused."""
    if not path:
        return []
    segments = path.split("/")
    reason = _reason_against(path, segments)
    if reason is not None:
        raise Refused(path.encode(errors="replace").decode(), reason)
    return segments


def _reason_against(path: str, segments: list[str]) -> str | None:
    try:
        path.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not unicodedata.is_normalized("NFC", path):
        return "it is not in Unicode's normal form NFC"
    if "\0" in path or "\\" in path:
        return "it holds a NUL or a backslash"
    if len(segments) > MAX_DEPTH:
        return f"it is over {MAX_DEPTH} folders deep"
    for segment in segments:
        if segment in ("", ".", ".."):
            return f"it has the segment {segment!r}"
        if is_hidden(segment):
            return f"names that begin with {HIDDEN} are kept for unfinished files"
    return None


def is_hidden(name: str) -> bool:
    return name[: len(HIDDEN)].lower() == HIDDEN


def is_servable(name: str) -> bool:
    """Whether a name in a folder can be a segment of a path."""
    return "/" not in name and name != "" and _reason_against(name, [name]) is None


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
