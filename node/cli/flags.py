"""The flags that every command has. Each is also read from the environment: `--timeout` from GLOW_TIMEOUT."""

from __future__ import annotations

import os
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from firefly.durations import parse_duration
from node.cli.failures import UsageError

_NO = {"", "0", "no", "false", "off"}
_YES = {"1", "yes", "true", "on"}


def seconds(text: str) -> float:
    """A positive number of seconds, `1.5`, `30s`, `5m` or `2h`. Raises ValueError."""
    value = parse_duration(text)
    if not 0 < value < 1e9:
        raise ValueError(f"{text} is no time")
    return value


def global_flags() -> ArgumentParser:
    """A parent parser. It sets nothing that is not given, so that it can stand before and after the command."""
    parser = ArgumentParser(add_help=False)
    flags = parser.add_argument_group("flags of every command", "Each is also read from the environment, as GLOW_NAME.")
    add = flags.add_argument
    add("--json", action="store_true", default=SUPPRESS, help="print data as JSON")
    add("--jsonl", action="store_true", default=SUPPRESS, help="print data as JSON, one item per line")
    add("-q", "--quiet", action="store_true", default=SUPPRESS, help="no notes and no progress")
    add("-v", "--verbose", action="store_true", default=SUPPRESS, help="say more")
    add("--timeout", type=seconds, default=SUPPRESS, metavar="TIME", help="give up after that time: 1.5, 30s, 5m")
    add("-y", "--yes", action="store_true", default=SUPPRESS, help="answer questions with yes")
    add("--node", default=SUPPRESS, metavar="NODE", help="the node that is meant where none is named")
    add("--home", type=Path, default=SUPPRESS, metavar="DIR", help="where this device's node keeps its state")
    add("--debug", action="store_true", default=SUPPRESS, help="show where an error comes from")
    return parser


def from_environment(environment: Mapping[str, str] = os.environ) -> Namespace:
    """What the flags are when none is given. Raises UsageError for a variable that does not fit."""
    home = environment.get("GLOW_HOME")
    timeout = environment.get("GLOW_TIMEOUT")
    try:
        limit = seconds(timeout) if timeout else None
    except ValueError:
        raise UsageError(f"GLOW_TIMEOUT={timeout} is no time", hint="GLOW_TIMEOUT=30s") from None
    return Namespace(
        **{name: _switch(environment, f"GLOW_{name.upper()}") for name in _SWITCHES},
        timeout=limit,
        node=environment.get("GLOW_NODE") or None,
        home=Path(home) if home else None,
    )


_SWITCHES = ("json", "jsonl", "quiet", "verbose", "yes", "debug")


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in _NO | _YES:
        raise UsageError(f"{name}={text} is neither yes nor no", hint=f"{name}=1")
    return text in _YES


def home_of(arguments: Namespace) -> Path:
    """The home that the flags, the environment or the system name."""
    from firefly.home import default_home

    home: Path | None = arguments.home
    return default_home() if home is None else home.expanduser().absolute()
