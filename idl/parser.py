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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import lark
import platformdirs
from lark import Lark, Token, Tree, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from idl.builder import Builder
from idl.model import File, Span
from idl.recovery import DECLARATIONS, Recovery
from idl.report import Report
from idl.source import Source

MAX_DEPTH = 64
"""Brackets inside brackets."""

_GRAMMAR = Path(__file__).with_name("grammar.lark")
_OPENING = {"LBRACE", "LPAR", "LSQB"}
_CLOSING = {"RBRACE", "RPAR", "RSQB"}
_NEVER_RIGHT = {"STRAY": "stray-character", "OPEN_STRING": "open-string", "OPEN_COMMENT": "open-comment"}
_MEANT = {
    "->": "a result is written `: Type`",
    "#": "a comment begins with `//`",
    "<": "parameters of a type stand in `[ ]`",
    ">": "parameters of a type stand in `[ ]`",
    "'": 'a string stands in `" "`',
}


def parse(source: Source, report: Report) -> File:
    """The model of a source. What is wrong goes to `report`; what could be read in spite of it is in the model."""
    machine = _tables().parse_interactive(source.text, start="file")
    before = report.errors
    lexed = _lex(machine, source, report)
    if not _shallow(lexed.tokens, source, report):
        return File(readable=False)
    tree = _run(machine, lexed, source, report)
    file = Builder(source, report, lexed.docs).file(tree)
    if report.errors > before:
        file.lost = {str(name) for word, name in pairwise(lexed.tokens) if word.type in DECLARATIONS}
    return file


@dataclass(slots=True)
class _Tokens:
    """A file's tokens up to `$END`. `docs` is the documentation before a token, by the token's offset; `after_wrong`
    are the indices of tokens that follow text which is no token at all."""

    tokens: list[Token]
    docs: dict[int, str]
    after_wrong: set[int]


def _lex(machine: InteractiveParser, source: Source, report: Report) -> _Tokens:
    lexed = _Tokens([], {}, set())
    lines: list[str] = []
    wrong: list[Token] = []
    end = len(source.text)
    final = Token("$END", "", start_pos=end, end_pos=end)
    stream: Iterator[Token] = machine.lexer_thread.lex(machine.parser_state)  # type: ignore[no-untyped-call]
    for token in chain(stream, [final]):
        if token.type == "DOC":
            lines.append(token[3:].removeprefix(" ").rstrip())
            continue
        if wrong and (token.type not in _NEVER_RIGHT or token.start_pos != wrong[-1].end_pos):
            _report_wrong(wrong, source, report)
            lexed.after_wrong.add(len(lexed.tokens))
            wrong = []
        if token.type in _NEVER_RIGHT:
            wrong.append(token)
            continue
        if lines:
            lexed.docs[token.start_pos or 0] = "\n".join(lines)
            lines = []
        lexed.tokens.append(token)
    return lexed


def _report_wrong(tokens: list[Token], source: Source, report: Report) -> None:
    """Reports text that is no token; what stands together is one finding."""
    text = "".join(tokens)
    fix = next((fix for sign, fix in _MEANT.items() if text.startswith(sign)), "remove it")
    span = Span(tokens[0].start_pos or 0, tokens[-1].end_pos or 0)
    report.add(_NEVER_RIGHT[tokens[0].type], source, span, text=text[:20], fix=fix)


def _shallow(tokens: list[Token], source: Source, report: Report) -> bool:
    depth = marks = 0
    for token in tokens:
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        marks = marks + 1 if token.type == "QMARK" else 0
        if depth + marks > MAX_DEPTH:
            report.add("too-deep", source, Span(token.start_pos or 0, token.end_pos or 0), limit=MAX_DEPTH)
            return False
    return True


def _run(machine: InteractiveParser, lexed: _Tokens, source: Source, report: Report) -> Tree[Token]:
    tokens = lexed.tokens
    recovery = Recovery(machine, tokens, source, report)
    index = 0
    while True:
        try:
            tree = machine.feed_token(tokens[index])
        except UnexpectedToken:
            index = recovery.recover(index, silent=index in lexed.after_wrong)
        else:
            if index == len(tokens) - 1:
                return tree  # type: ignore[no-any-return]
            index += 1


@cache
def _tables() -> Lark:
    grammar = _GRAMMAR.read_bytes()
    version = f"{lark.__version__} {sys.version} {sys.platform}".encode()
    kept = Path(platformdirs.user_cache_dir("glow")) / f"grammar-{hashlib.sha256(grammar + version).hexdigest()[:16]}"
    # Absent, cut off, of another lark: anything but a good table is made again.
    with contextlib.suppress(Exception), kept.open("rb") as file:
        return Lark.load(file)
    built = Lark(grammar.decode(), parser="lalr", lexer="basic", start=["file", "_other"], propagate_positions=True)
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
