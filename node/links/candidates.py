"""Candidates: addresses at which the other end of a data channel may be reached (RFC 8839, section 5.1).

A session description holds them, or they are told after it one by one, as browsers do (RFC 8838): then they may also
come before it. A browser's own addresses are hidden behind names of multicast DNS, random and ending in .local, which
the program for data channels looks up.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from node.links import LinkError

MAX_CANDIDATES = 16
"""Candidates of the other end that are tried."""
END = "a=end-of-candidates"
"""What says that there are no more, in a description; told alone it is an empty candidate."""
LINE = re.compile(
    r"(?:a=)?candidate:(?P<used>[\w+/]{1,32} 1 (?P<transport>\w{1,16}) [0-9]{1,10} [\w.:-]{1,255}"
    r" (?P<port>[0-9]{1,5}) typ \w{1,16})(?: [ -~]*)?",
    re.ASCII,
)
"""A candidate of component 1: data channels have no other."""


def parse(line: str) -> str | None:
    """What is used of a candidate, which is all up to its type; of an end, nothing. None if it is not for UDP, which
    alone is spoken here. Raises LinkError.
    """
    if line in ("", END):
        return ""
    found = LINE.fullmatch(line)
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise LinkError("the other end has told a candidate that is none", cause=repr(line[:80]))
    return found["used"] if found["transport"].lower() == "udp" else None


class Candidates:
    """Those of one other end. `use` gets what `parse` returns of each, once there is a description: bounded in number,
    and the end, which is empty, last.
    """

    def __init__(self, use: Callable[[str], None]) -> None:
        self._use = use
        self._waiting: list[str] = []
        self._number = 0
        self._described = self._ended = False

    def add(self, line: str) -> None:
        """Takes one that is told alone. Raises LinkError, and goes on without it."""
        candidate = parse(line)
        if candidate and self._ended:
            raise LinkError("the other end has told a candidate after the last one", cause=candidate)
        if candidate and not self._has_room():
            raise LinkError(f"the other end has told more than {MAX_CANDIDATES} candidates", cause=candidate)
        self._take(candidate)

    def split(self, description: str) -> str:
        """A description without its candidates, which wait; those that are too many are left out. Raises LinkError."""
        lines = []
        for line in description.splitlines(keepends=True):
            if not line.startswith(("a=candidate", END)):
                lines.append(line)
            elif not (candidate := parse(line.rstrip())) or self._has_room():
                self._take(candidate)
        return "".join(lines)

    def described(self) -> None:
        """The description is known where they are used."""
        self._described = True
        for candidate in self._waiting:
            self._use(candidate)
        self._waiting.clear()
        if self._ended:
            self._use("")

    def _has_room(self) -> bool:
        return self._number < MAX_CANDIDATES

    def _take(self, candidate: str | None) -> None:
        if candidate:
            self._number += 1
            (self._use if self._described else self._waiting.append)(candidate)
        elif candidate is not None and not self._ended:
            self._ended = True
            if self._described:
                self._use(candidate)
