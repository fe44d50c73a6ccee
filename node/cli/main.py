"""`glow`: from arguments to an exit code.

Only the chosen command's module is imported, so the help is there at once. What is parsed twice are the flags of every
command, which may stand before or after its name.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from node.cli import failures
from node.cli.commands import COMMANDS, GROUPS, HIDDEN, Command, load
from node.cli.failures import UsageError
from node.cli.flags import from_environment, global_flags, home_of

WELCOME = """\
No node runs on this device yet. On your first device:

    glow node                 start it (glow node --detach: in the background)
    glow invite               print a link for the next device

On the next device:

    glow join LINK            become one computer with the first

glow --help shows all commands.
"""


class Parser(ArgumentParser):
    """Says what is wrong the way every other error is said."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; the console script's entry point."""
    debug = os.environ.get("GLOW_DEBUG", "") not in ("", "0")
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BaseException as group:
        error = failures.root_cause(group)
        if isinstance(error, BrokenPipeError):
            return _end_quietly()
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else failures.FAILED
        if debug or "--debug" in words:
            raise
        if not isinstance(error, KeyboardInterrupt):
            sys.stderr.write(failures.describe(error))
        return failures.exit_code(error)


def _end_quietly() -> int:
    """Nobody reads what is printed any more: `glow ls | head -1` is no failure."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return failures.OK


def _run(words: list[str]) -> int:
    top = _top_parser()
    settings = top.parse_args(words, from_environment())
    name: str | None = settings.command
    if settings.version:
        name = "version"
    if name is None:
        return _welcome(settings)
    if name not in COMMANDS and name not in HIDDEN:
        close = get_close_matches(name, COMMANDS, 1)
        raise UsageError(f"there is no command {name!r}", hint=f"glow {close[0]}" if close else "glow --help")
    command = load(name)
    return command.run(_parse(command, settings, settings.rest))


def _top_parser() -> Parser:
    parser = Parser(
        prog="glow",
        description=f"All of your devices as one computer.\n\n{_table()}",
        epilog="glow COMMAND --help says more; glow alone says what to do next.",
        formatter_class=RawDescriptionHelpFormatter,
        usage="glow [FLAG…] COMMAND …",
        parents=[global_flags()],
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("command", nargs="?", help=SUPPRESS)
    parser.add_argument("rest", nargs=REMAINDER, help=SUPPRESS)
    return parser


def _table() -> str:
    lines: list[str] = []
    for group, commands in GROUPS.items():
        lines += [group, *(f"  {name:9} {line}" for name, line in commands.items())]
    return "\n".join(lines)


def _parse(command: Command, settings: Namespace, rest: list[str]) -> Namespace:
    """Parses a command's own arguments into the settings made from the flags before its name."""
    parser = Parser(prog=f"glow {command.NAME}", description=sentence(command.HELP), parents=[global_flags()])
    command.configure(parser)
    if getattr(command, "TRAILING", False):
        rest, settings.trailing = _split(rest)
    nested = any(action.nargs == "A..." for action in parser._actions)
    # Flags may stand between positional arguments: `glow cp a -r b`.
    return parser.parse_args(rest, settings) if nested else parser.parse_intermixed_args(rest, settings)


def _split(rest: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after the first `--`."""
    if "--" not in rest:
        return rest, []
    place = rest.index("--")
    return rest[:place], rest[place + 1 :]


def sentence(line: str) -> str:
    """A help line as the beginning of a description."""
    return f"{line[:1].upper()}{line[1:]}."


def _welcome(settings: Namespace) -> int:
    """`glow` alone: what to do next, or how things are."""
    from firefly.home import socket_path

    if socket_path(home_of(settings)).exists():
        from firefly.client import NoNode

        try:
            return load("status").run(settings)
        except BaseException as error:
            if not isinstance(failures.root_cause(error), NoNode):
                raise
    sys.stdout.write(WELCOME)
    return failures.OK


if __name__ == "__main__":
    sys.exit(main())
