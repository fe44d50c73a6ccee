"""A command line of bash, up to the cursor: its words, and what readline puts in place of the last one.

Bash ends words for its completion at the characters of COMP_WORDBREAKS, `:` among them, and replaces only what comes
after the last one. So `nas:ph` is one word for us, of which only `ph` may be given back. Nothing is ever expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SPACE = " \t\n"
_PLAIN = re.compile(r"[\w@%+=:,./-]")
"""What needs no backslash. Letters and digits of every script are plain."""
_IN_DOUBLE_QUOTES = re.compile(r'[$`"\\]')


@dataclass
class Line:
    """`words` are whole; `current` is what stands before the cursor, without its quotes.

    `kept` of its characters stand before the part that is replaced; `quote` is the quote that is still open.
    """

    words: list[str] = field(default_factory=list)
    current: str = ""
    kept: int = 0
    quote: str = ""
    tilde: bool = False
    """It begins with `~`, not quoted: the user's home."""

    def reply(self, candidate: str, finished: bool) -> str | None:
        """What readline is to put there; None if it cannot be written in the quotes that are open."""
        rest = candidate[self.kept :]
        if self.quote == "'":
            return rest.replace("'", "'\\''")
        if self.quote:
            # An exclamation mark is expanded in double quotes, and no backslash prevents it.
            return None if "!" in rest else _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", rest)
        home = "~" if self.tilde and not self.kept else ""
        return home + quoted(rest.removeprefix(home)) + " " * finished


def quoted(text: str) -> str:
    """The text with a backslash before whatever bash might take for something else."""
    return "".join(character if _PLAIN.match(character) else f"\\{character}" for character in text)


def split(text: str, breaks: str) -> Line:
    """The words of a line that ends at the cursor; `breaks` is COMP_WORDBREAKS."""
    line = Line()
    started = escaped = False
    for character in text:
        if escaped:
            line.current += character
            escaped = False
        elif character == "\\" and line.quote != "'":
            escaped = started = True
        elif character == line.quote:
            line.quote, line.kept = "", len(line.current)
        elif line.quote:
            line.current += character
        elif character in "'\"":
            line.quote, line.kept, started = character, len(line.current), True
        elif character in _SPACE:
            if started:
                line.words.append(line.current)
            line.current, line.kept, line.tilde, started = "", 0, False, False
        else:
            line.tilde = line.tilde or (character == "~" and not started)
            started = True
            line.current += character
            if character in breaks:
                line.kept = len(line.current)
    return line
