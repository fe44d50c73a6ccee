"""`glow config`: what a node is set to, and every change of it. Works on the file itself where no node runs."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import Configuration, ConfigurationChange, ConfigurationEntry, Setting
from node.cli.client import attached, named, node_at, node_runs
from node.cli.failures import FAILED, OK, UsageError
from node.cli.flags import global_flags, home_of
from node.cli.output import Output, clean, local_time, plain

NAME = "config"
HELP = "what a node is set to, and every change of it"
PATIENCE = 10.0
"""Seconds to wait for another command that changes the same configuration, or for a node that is starting."""


class Target(Protocol):
    """The node, or the home where none runs."""

    async def configuration(self) -> Configuration: ...
    async def configure(self, key: str, value: str | None) -> ConfigurationChange: ...
    async def configuration_history(self) -> list[ConfigurationEntry]: ...
    async def configuration_text(self, number: int) -> bytes: ...
    async def configuration_rollback(self, number: int | None) -> ConfigurationChange: ...


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "A flag of the node stands above the environment (GLOW_LOG_LEVEL), that above the file."
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))

    def verb(name: str, line: str) -> ArgumentParser:
        sub: ArgumentParser = verbs.add_parser(name, help=line, description=f"{line}.", parents=[global_flags()])
        return sub

    verb("path", "print where the file is")
    verb("get", "print what is in effect").add_argument("key", nargs="?", metavar="KEY", help="one setting only")
    change = verb("set", "give a setting a value")
    change.add_argument("key", metavar="KEY", help="glow config explain lists them")
    change.add_argument(
        "value", nargs="?", metavar="VALUE", help='TOML, or text that needs no quotes: debug, 2h, ["a"]'
    )
    change.add_argument("--unset", action="store_true", help="back to its default")
    verb("explain", "say what a setting does, and where its value comes from").add_argument(
        "key", nargs="?", metavar="KEY", help="one setting only"
    )
    verb("history", "list the changes, newest first").add_argument(
        "number", nargs="?", type=int, metavar="NUMBER", help="print the file as that change left it"
    )
    verb("rollback", "go back to an earlier configuration").add_argument(
        "number", nargs="?", type=int, metavar="NUMBER", help="as that change left it (default: before the newest one)"
    )


def run(arguments: Namespace) -> int:
    if arguments.verb == "set" and (arguments.value is None) is not arguments.unset:
        raise UsageError("either a value or --unset", hint=f"glow config set {arguments.key} VALUE")
    out = Output(arguments)
    if arguments.node:
        return _at_node(arguments, out)
    end = time.monotonic() + PATIENCE
    while not node_runs(arguments):
        try:
            return _at_home(arguments, out)
        except GlowError as error:
            if type(error).__name__ != "HomeInUse" or time.monotonic() > end:
                raise
        time.sleep(0.05)
    return _at_node(arguments, out)


def _at_node(arguments: Namespace, out: Output) -> int:
    name = named(arguments, None)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        return await _VERBS[arguments.verb](node, arguments, out)

    return attached(arguments, work, name)


def _at_home(arguments: Namespace, out: Output) -> int:
    from node.configuration.offline import Offline
    from node.home import Home

    home = Home(home_of(arguments))
    code = trio.run(_VERBS[arguments.verb], Offline(home), arguments, out)
    if arguments.verb in ("set", "rollback"):
        out.note("no node runs here; one that starts uses it")
    return code


async def path(target: Target, arguments: Namespace, out: Output) -> int:
    found = (await target.configuration()).path
    out.show({"path": found}, lambda: found)
    return OK


async def get(target: Target, arguments: Namespace, out: Output) -> int:
    """Fails, after the answer, if the file as it is now is not what is in effect."""
    found = await _settings(target, out)
    code = FAILED if found.problem else OK
    if arguments.key is None:
        data = {setting.key: json.loads(setting.value) for setting in found.settings}
        out.show(data, lambda: "\n".join(f"{setting.key} = {setting.value}" for setting in found.settings))
        return code
    setting = _one(found.settings, arguments.key)
    out.show({"key": setting.key, "value": json.loads(setting.value), "source": setting.source}, lambda: _raw(setting))
    return code


def _raw(setting: Setting) -> str:
    """A value for a shell: text without quotes, an array one item per line."""
    value = json.loads(setting.value)
    return "\n".join(value) if isinstance(value, list) else str(value)


async def explain(target: Target, arguments: Namespace, out: Output) -> int:
    found = (await _settings(target, out)).settings
    if arguments.key is None:
        rows = [(s.key, s.value, s.source, s.applies, s.meaning) for s in found]
        header = ("SETTING", "VALUE", "FROM", "APPLIES", "MEANING")
        out.show([_data(setting) for setting in found], lambda: out.table(header, rows))
        return OK
    setting = _one(found, arguments.key)
    out.show(_data(setting), lambda: _explanation(setting, out))
    return OK


def _data(setting: Setting) -> dict[str, Any]:
    pending = None if setting.pending is None else json.loads(setting.pending)
    values = {"value": json.loads(setting.value), "default": json.loads(setting.default), "pending": pending}
    return {**plain(setting), **values}


def _explanation(setting: Setting, out: Output) -> str:
    lines = [
        f"{out.bold(setting.key)} = {setting.value}",
        f"  {setting.meaning}",
        f"  from     {setting.source}",
        f"  default  {setting.default}",
        f"  may be   {setting.kind}",
        f"  applies  {setting.applies}",
    ]
    if setting.pending is not None:
        lines.append(f"  pending  {setting.pending} after a restart: stop the node, then `glow node`")
    return "\n".join(lines)


async def _settings(target: Target, out: Output) -> Configuration:
    """What is in effect; what keeps the file from being so is said."""
    found = await target.configuration()
    if found.problem:
        sys.stderr.write(f"error: {clean(found.problem)}\nhint: mend it, or `glow config rollback`; ")
        sys.stderr.write("shown is what holds until then\n")
    return found


def _one(settings: list[Setting], key: str) -> Setting:
    """Raises UsageError, which names what is like it."""
    from difflib import get_close_matches

    known = {setting.key: setting for setting in settings}
    if key not in known:
        close = get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else "glow config explain"
        raise UsageError(f"there is no setting {key!r}", hint=hint)
    return known[key]


async def change(target: Target, arguments: Namespace, out: Output) -> int:
    _show_change(await target.configure(arguments.key, arguments.value), out)
    return OK


async def rollback(target: Target, arguments: Namespace, out: Output) -> int:
    if arguments.number is not None and not 0 <= arguments.number < 2**32:
        raise UsageError(f"there is no change {arguments.number}", hint="glow config history")
    _show_change(await target.configuration_rollback(arguments.number), out)
    return OK


def _show_change(change: ConfigurationChange, out: Output) -> None:
    lines = ["nothing had to be changed" if change.entry is None else f"{change.entry.number}  {change.entry.what}"]
    lines += [f"{key}: applied" for key in change.applied]
    lines += [f"{key}: needs a restart: stop the node, then `glow node`" for key in change.restart]
    lines += [
        f"{key}: kept, but a flag or variable of the running node stands above it; see `glow config explain {key}`"
        for key in change.overridden
    ]
    out.show(plain(change), lambda: "\n".join(lines))


async def history(target: Target, arguments: Namespace, out: Output) -> int:
    if arguments.number is not None:
        return await _show_text(target, arguments.number, out)
    entries = await target.configuration_history()
    rows = [(str(entry.number), local_time(entry.time), _who(entry), entry.what) for entry in entries]
    out.show([plain(entry) for entry in entries], lambda: out.table(("NUMBER", "TIME", "WHO", "WHAT"), rows))
    return OK


def _who(entry: ConfigurationEntry) -> str:
    return entry.who if entry.key is None else f"{entry.who} ({entry.key.hex()[:8]}…)"


async def _show_text(target: Target, number: int, out: Output) -> int:
    if not 0 <= number < 2**32:
        raise UsageError(f"there is no change {number}", hint="glow config history")
    data = await target.configuration_text(number)
    if out.json or out.terminal:
        text = data.decode(errors="replace")
        out.show({"number": number, "text": text}, lambda: text.rstrip("\n"))
    else:
        sys.stdout.buffer.write(data)
    return OK


Verb = Callable[[Target, Namespace, Output], Awaitable[int]]
_VERBS: dict[str, Verb] = {
    "path": path,
    "get": get,
    "set": change,
    "explain": explain,
    "history": history,
    "rollback": rollback,
}
