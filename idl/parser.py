"""Text to model: lexing, LALR parsing, and recovery, so that one run reports every syntax error of a file.

The tables of the grammar are kept in the user's cache folder, because building them takes longer than all the rest.
A cache that cannot be read or written only costs that time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import lark
import platformdirs
from lark import Lark, Token, Tree, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from idl.builder import Builder
from idl.report import Report
from idl.model import File, Span
from idl.recovery import Recovery
from idl.source import Source

MAX_DEPTH = 64
"""Brackets inside brackets."""

_GRAMMAR = Path(__file__).with_name("grammar.lark")
_OPENING = {"LBRACE", "LPAR", "LSQB"}
_CLOSING = {"RBRACE", "RPAR", "RSQB"}
_NEVER_RIGHT = {"STRAY": "stray-character", "OPEN_STRING": "open-string", "OPEN_COMMENT": "open-comment"}


def parse(source: Source, report: Report) -> File:
    """The model of a source. What is wrong goes to `report`; what could be read in spite of it is in the model."""
    machine = _tables().parse_interactive(source.text, start="file")
    tokens, docs = _tokens(machine, source, report)
    if not _shallow(tokens, source, report):
        return File()
    tree = _run(machine, tokens, source, report)
    return Builder(source, report, docs).file(tree)


def _tokens(machine: InteractiveParser, source: Source, report: Report) -> tuple[list[Token], dict[int, str]]:
    """The tokens, and the documentation of each token that some stands before, by the token's offset."""
    tokens: list[Token] = []
    docs: dict[int, str] = {}
    lines: list[str] = []
    for token in machine.lexer_thread.lex(machine.parser_state):
        if token.type == "DOC":
            lines.append(token[3:].removeprefix(" ").rstrip())
        elif token.type in _NEVER_RIGHT:
            report.add(_NEVER_RIGHT[token.type], source, span_of(token), text=token[:20])
        else:
            if lines:
                docs[token.start_pos or 0] = "\n".join(lines)
                lines = []
            tokens.append(token)
    end = len(source.text)
    tokens.append(Token("$END", "", start_pos=end, end_pos=end))
    return tokens, docs


def span_of(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _shallow(tokens: list[Token], source: Source, report: Report) -> bool:
    depth = marks = 0
    for token in tokens:
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        marks = marks + 1 if token.type == "QMARK" else 0
        if depth + marks > MAX_DEPTH:
            report.add("too-deep", source, span_of(token), limit=MAX_DEPTH)
            return False
    return True


def _run(machine: InteractiveParser, tokens: list[Token], source: Source, report: Report) -> Tree[Token]:
    recovery = Recovery(machine, tokens, source, report)
    index = 0
    while True:
        try:
            tree = machine.feed_token(tokens[index])
        except UnexpectedToken:
            index = recovery.recover(index)
        else:
            if index == len(tokens) - 1:
                return tree  # type: ignore[no-any-return]
            index += 1


@cache
def _tables() -> Lark:
    grammar = _GRAMMAR.read_bytes()
    version = f"{lark.__version__} {sys.version} {sys.platform}".encode()
    kept = Path(platformdirs.user_cache_dir("glow")) / f"grammar-{hashlib.sha256(grammar + version).hexdigest()[:16]}"
    with contextlib.suppress(Exception):  # absent, cut off, of another lark: anything but a good table is made again
        with kept.open("rb") as file:
            return Lark.load(file)
    built = Lark(
        grammar.decode(), parser="lalr", lexer="basic", start=["file", "_other"], propagate_positions=True
    )
    with contextlib.suppress(OSError):
        _keep(built, kept)
    return built


def _keep(tables: Lark, path: Path) -> None:
    """Writes under a temporary name first, so that nobody ever reads half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            tables.save(file)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
