"""What completion scripts call at each Tab: prints what can stand at the cursor, one line each, and never an error.

    glow complete bash -- COMP_WORDBREAKS LINE-UP-TO-THE-CURSOR
    glow complete zsh|fish -- CURRENT-WORD WORD…          all words before the current one, `glow` first

bash and zsh get a space after what is a whole word, fish a tab and what the word means.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from node.cli.completing.line import Line, split
from node.cli.completing.parsers import Wanted, wanted
from node.cli.completing.places import Candidate, candidates
from node.cli.failures import OK
from node.cli.flags import home_of
from node.cli.output import clean

NAME = "complete"
HELP = "what can stand at the cursor"
TRAILING = True
SHELLS = ("bash", "zsh", "fish")
LIMIT = 3
"""Seconds after which the operating system ends a completion that hangs."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: Namespace) -> int:
    signal.alarm(LIMIT)
    try:
        line = line_of(arguments.shell, arguments.trailing)
        lines = printed(arguments.shell, line, found(line, arguments))
        sys.stdout.write("".join(f"{text}\n" for text in lines))
    except Exception:  # a message would stand in the middle of what is being typed
        if arguments.debug:
            raise
    finally:
        signal.alarm(0)
    return OK


def line_of(shell: str, given: list[str]) -> Line:
    """What is being typed; `glow` itself is left out."""
    if shell == "bash":
        breaks, text = given
        line = split(text, breaks)
    else:
        current, *words = given
        line = Line(words, current)
    line.words = line.words[1:]
    return line


def found(line: Line, arguments: Namespace) -> list[Candidate]:
    """Everything that fits what stands before the cursor."""
    at = wanted(line.words, line.current)
    fitting = [Candidate(word, line=meaning) for word, meaning in at.words.items()]
    if at.kind:
        fitting += candidates(at.kind, line.current, home_for(at, arguments), node_for(at, line, arguments))
    return [candidate for candidate in fitting if candidate.text.startswith(line.current)]


def home_for(at: Wanted, arguments: Namespace) -> Path:
    """The home that the line names, else the one that it would get."""
    return Path(at.given["home"]).expanduser() if "home" in at.given else home_of(arguments)


def node_for(at: Wanted, line: Line, arguments: Namespace) -> str:
    named: str | None = at.given.get("node") or arguments.node
    return named or "self"


def printable(text: str) -> bool:
    """Whether a name can be shown: it fits one line, drives no terminal, and is Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return clean(text) == text and "\n" not in text and "\x1b" not in text


def printed(shell: str, line: Line, candidates: Iterable[Candidate]) -> list[str]:
    """The lines for a shell. What could drive the terminal is left out: names come from other devices."""
    lines: list[str] = []
    for candidate in dict.fromkeys(candidates):
        if not printable(candidate.text):
            continue
        if shell == "bash":
            reply = line.reply(candidate.text, candidate.finished)
            lines += [reply] if reply is not None else []
        elif shell == "zsh":
            lines.append(candidate.text + " " * candidate.finished)
        else:
            lines.append(f"{candidate.text}\t{clean(' '.join(candidate.line.split()))}")
    return lines
