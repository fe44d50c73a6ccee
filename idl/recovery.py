"""What the parser does at a syntax error: says what was expected, then goes on at the next declaration or member.

The parser's stack of states tells what is open. A place to go on is a token that begins something (a declaration, a
method, a field, …) or ends a list, and that an open list can take: what lies above that list on the stack is dropped.
Where a declaration begins while bodies are open, their `}` is taken as written.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from lark import Token, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser
from lark.parsers.lalr_parser_state import ParseConf

from idl.model import Span
from idl.report import Report
from idl.source import Source

DECLARATIONS = {"LIBRARY", "IMPORT", "TYPE", "CONST", "ENUM", "UNION", "ERROR", "PROTO"}
WORDS = DECLARATIONS | {"NAME", "DEF", "MSG", "AS", "STRUCT", "THROWS"}
"""Every token that can be a name."""
MAX_ERRORS = 100

_SHOWN = {
    "NAME": "a name", "INT": "a number", "FLOAT": "a number", "STRING": "a string", "$END": "the end of the file",
    "EQUAL": "`=`", "COLON": "`:`", "LBRACE": "`{`", "RBRACE": "`}`", "COMMA": "`,`", "LPAR": "`(`", "RPAR": "`)`",
    "VBAR": "`|`", "AT": "an attribute", "AMPERSAND": "`&`", "QMARK": "`?`", "LSQB": "`[`", "RSQB": "`]`",
    "__ANON_0": "`<=`", "SEMICOLON": "`;`", "DOT": "`.`",
}  # fmt: skip
_SELDOM_MEANT = {"COMMA", "SEMICOLON", "AT", "DOT", "QMARK", "AMPERSAND", "VBAR", "LSQB"}
_FOREIGN = {
    "interface": "proto", "service": "proto", "protocol": "proto", "class": "proto", "message": "type NAME = struct",
    "rpc": "def", "func": "def", "fn": "def", "method": "def", "oneway": "msg", "notify": "msg", "package": "library",
    "namespace": "library", "include": "import", "using": "import", "typedef": "type", "exception": "error",
    "variant": "union", "oneof": "union",
}  # fmt: skip


class Recovery:
    def __init__(self, machine: InteractiveParser, tokens: list[Token], source: Source, report: Report) -> None:
        self._machine = machine
        self._tokens = tokens
        self._source = source
        self._report = report
        self._errors = 0

    def recover(self, index: int, silent: bool = False) -> int:
        """Reports the token that did not fit, unless `silent`, and readies the parser.

        Returns the index of the token to go on with.
        """
        if not silent:
            self._describe(index)
        self._errors += 1
        place = self._place(index) if self._errors < MAX_ERRORS else len(self._tokens) - 1
        token = self._tokens[place]
        begins = token.type in DECLARATIONS or token.type == "$END"
        if not (begins and self._close_bodies(token)):
            self._cut(self._level(place))
        return place

    def _place(self, index: int) -> int:
        """Index of the next token from which the parser can go on; at last the end of the file."""
        skipped = 0
        for place in range(index - self._mistaken(index), len(self._tokens)):
            kind = self._tokens[place].type
            if kind == "$END" or (self._level(place) > 0 and (not skipped or self._stands_alone(place))):
                return place
            skipped += kind == "LBRACE"
            skipped -= kind == "RBRACE" and skipped > 0
        raise AssertionError("the tokens end with $END")

    def _mistaken(self, index: int) -> bool:
        """Whether the token before was taken for a name, but begins a declaration: `def m(`, then `type A` below."""
        if index < 2 or self._tokens[index].type not in WORDS:
            return False
        before, last = self._tokens[index - 1], self._tokens[index - 2]
        return before.type in DECLARATIONS and before.line != last.line

    def _stands_alone(self, place: int) -> bool:
        return self._tokens[place].type in DECLARATIONS and self._tokens[place].column == 1

    def _level(self, place: int) -> int:
        """How much of the stack to keep for the token at `place`; 0 if no open list takes it."""
        token, following = self._tokens[place], self._tokens[min(place + 1, len(self._tokens) - 1)]
        needed, barred = _signs(token.type, following.type)
        states = self._machine.parser_state.parse_conf.states
        stack = self._machine.parser_state.state_stack
        for level in range(len(stack), 0, -1):
            actions = states[stack[level - 1]]
            if needed and needed <= actions.keys() and barred not in actions and self._takes(level, token):
                return level
        return 1 if token.type == "$END" else 0

    def _takes(self, level: int, token: Token) -> bool:
        trial: InteractiveParser = self._machine.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
        del trial.parser_state.state_stack[level:]
        del trial.parser_state.value_stack[level - 1 :]
        trial.parser_state.parse_conf = _without_callbacks(trial)
        try:
            trial.feed_token(token)
        except UnexpectedToken:
            return False
        return True

    def _cut(self, level: int) -> None:
        del self._machine.parser_state.state_stack[level:]
        del self._machine.parser_state.value_stack[level - 1 :]

    def _close_bodies(self, before: Token) -> bool:
        """Ends open bodies, innermost first, until `before` fits; False if it never does."""
        brace, parenthesis = Token("RBRACE", "}"), Token("RPAR", ")")
        states = self._machine.parser_state.parse_conf.states
        stack = self._machine.parser_state.state_stack
        for level in range(len(stack), 0, -1):
            if level > len(stack):
                continue  # the last body was closed with what it was part of
            if {"RBRACE", "AT"} <= states[stack[level - 1]].keys() and self._takes(level, brace):
                self._cut(level)
                self._machine.feed_token(brace)
                if self._takes(len(stack), before) and not self._takes(len(stack), parenthesis):
                    return True
        return False

    def _describe(self, index: int) -> None:
        found = self._tokens[index]
        expected: set[str] = self._machine.accepts()  # type: ignore[no-untyped-call]
        span = Span(found.start_pos or 0, found.end_pos or 0)
        shown = "the end of the file" if found.type == "$END" else f"`{found[:40]}`"
        self._report.add("syntax", self._source, span, expected=_join(expected), found=shown, fix=_fix(found, expected))


def _without_callbacks(machine: InteractiveParser) -> ParseConf[Any]:
    silent = copy(machine.parser_state.parse_conf)
    silent.callbacks = {}
    return silent


def _signs(kind: str, following: str) -> tuple[set[str], str]:
    """What the actions of a list's state contain, and must not, if this token begins or ends something in it."""
    if kind in {"RBRACE", "RPAR"}:
        return {kind, "AT"}, ""
    if kind in DECLARATIONS | {"DEF", "MSG"} and following in WORDS:
        return {kind, "AT"}, "NAME"
    if kind == "$END":
        return {kind, "PROTO"}, ""
    if kind in WORDS and following in {"COLON", "EQUAL"}:
        return {"NAME", "AT"}, ""
    if kind == "INT" and following == "COLON":
        return {"INT", "AT"}, ""
    return ({"AT"}, "") if kind == "AT" else (set(), "")


def _join(expected: set[str]) -> str:
    """The expected tokens in words, the likely ones only."""
    if expected >= DECLARATIONS and "NAME" not in expected:
        expected = expected - DECLARATIONS
        names = ["a declaration"]
    else:
        names = []
    if "NAME" in expected:
        expected = (expected - WORDS) | {"NAME"}
    likely = expected - _SELDOM_MEANT or expected
    names += sorted({_SHOWN.get(token) or f"`{token.lower()}`" for token in likely})
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def _fix(found: Token, expected: set[str]) -> str:
    if found.type == "NAME" and found in _FOREIGN and "PROTO" in expected:
        return f"the word is `{_FOREIGN[found]}` here"
    if found.type == "$END":
        return "close what is still open"
    if "RBRACE" in expected and found.type in DECLARATIONS:
        return "close the body before it with `}`"
    if "PROTO" in expected and "NAME" not in expected:
        return "a file consists of library, import, type, const, enum, union, error and proto"
    if "STRUCT" in expected and found.type == "LBRACE":
        return "a struct is written `struct { … }`"
    if "COLON" in expected and "EQUAL" not in expected and found.type in WORDS:
        return "a type follows its name after a colon: `name: Type`"
    if "NAME" in expected and found.type == "INT":
        return "a name begins with a letter"
    return f"write {_join(expected)} before it, or remove it"
