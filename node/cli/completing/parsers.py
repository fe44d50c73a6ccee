"""Which argument of which command stands at the cursor, as the commands' own parsers say.

A person who presses Tab waits for this, and trio alone takes longer to import than all of it. So a command's module is
loaded with placeholders for what it imports from elsewhere: `configure` needs none of it. Where that does not work the
module is loaded as it is, which is only slower.
"""

from __future__ import annotations

import sys
from argparse import REMAINDER, SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from node.cli.commands import COMMANDS, load
from node.cli.flags import global_flags

MANY = ("*", "+", REMAINDER, "...")
COMMAND_LINE = "FILE"
"""What follows `--` where a command takes another one: mostly files."""


@dataclass
class Wanted:
    """What may stand at the cursor: one of `words` (with their descriptions), or something of a kind.

    `kind` is the metavar of the argument: NODE, FILE … `given` are the values of the options before the cursor.
    """

    words: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    given: dict[str, str] = field(default_factory=dict)


def wanted(words: Sequence[str], current: str) -> Wanted:
    """What may stand at the cursor after `words`, the first of which follows `glow`."""
    walk = _Walk()
    for word in words:
        walk.take(word)
    return walk.wanted(current)


class _Walk:
    """Goes along a command line as argparse will, word by word."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._after_dashes = False
        self._commands = True  # the command's name is still to come
        self._enter(global_flags())

    def _enter(self, parser: ArgumentParser) -> None:
        actions = parser._actions
        self._options = {name: action for action in actions for name in action.option_strings}
        self._positionals = [action for action in actions if not action.option_strings]
        self._taken = 0
        self._option: Action | None = None  # whose value comes next

    def take(self, word: str) -> None:
        """Goes past a whole word."""
        if self._option is not None:
            self._given[self._option.dest] = word
            self._option = None
        elif word == "--":
            self._after_dashes = True
        elif word.startswith("-") and not self._after_dashes:
            self._take_option(word)
        elif self._commands:
            self._commands = False
            self._enter(parser_of(word) if word in COMMANDS else ArgumentParser(add_help=False))
        else:
            action = self._positional()
            if isinstance(action, _SubParsersAction):
                self._enter(action.choices.get(word, ArgumentParser(add_help=False)))
            else:
                self._taken += 1

    def _take_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        action = self._options.get(name)
        if action is not None and equals:
            self._given[action.dest] = value
        elif action is not None and action.nargs != 0:
            self._option = action

    def _positional(self) -> Action | None:
        """Whose turn it is."""
        before = 0
        for action in self._positionals:
            before += action.nargs if isinstance(action.nargs, int) else 1
            if self._taken < before or action.nargs in MANY:
                return action
        return None

    def wanted(self, current: str) -> Wanted:
        if self._option is not None:
            return self._of(self._option)
        if self._after_dashes and not self._commands:
            return Wanted(kind=COMMAND_LINE, given=self._given)
        if current.startswith("-"):
            return self._of_options(current)
        if self._commands:
            return Wanted(dict(COMMANDS), given=self._given)
        action = self._positional()
        return self._of(action) if action is not None else Wanted(given=self._given)

    def _of_options(self, current: str) -> Wanted:
        name, equals, _ = current.partition("=")
        if equals and name in self._options:
            found = self._of(self._options[name])
            return Wanted({f"{name}={word}": line for word, line in found.words.items()}, given=self._given)
        shown = {name: action for name, action in self._options.items() if action.help is not SUPPRESS}
        return Wanted({name: action.help or "" for name, action in shown.items()}, given=self._given)

    def _of(self, action: Action) -> Wanted:
        """What an argument takes."""
        if isinstance(action, _SubParsersAction):
            lines = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return Wanted(lines, given=self._given)
        if action.choices is not None:
            return Wanted({str(choice): "" for choice in action.choices}, given=self._given)
        kind = action.metavar if isinstance(action.metavar, str) else ""
        return Wanted(kind=kind, given=self._given)


def parser_of(name: str) -> ArgumentParser:
    """The parser of a command, made as node/cli/main.py makes it."""
    try:
        with _placeholders():
            return _configured(name)
    except Exception:
        return _configured(name)


def _configured(name: str) -> ArgumentParser:
    parser = ArgumentParser(parents=[global_flags()])
    load(name).configure(parser)
    return parser


@contextmanager
def _placeholders() -> Iterator[None]:
    """While the block runs, imports of what is no part of Python or the command line give placeholders."""
    before, finder = set(sys.modules), _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if not _standard(name):
                del sys.modules[name]


def _standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        ours = name == "node" or name == "node.cli" or name.startswith("node.cli.")
        return None if ours or _standard(name) else ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing in it."""


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return _Anything(name, (), {})


class _Anything(type):
    """A class that stands for whatever a module imports: it can be derived from, called, and has every name."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})

    def __getitem__(cls, item: object) -> Any:
        return cls

    def __iter__(cls) -> Iterator[Any]:
        raise TypeError("what is in it is not known: the module has to be loaded as it is")
