"""`glow create`: makes a process. Its node keeps it running, and starts it again after a restart of the device."""

from __future__ import annotations

import re
import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from firefly.client import Glow
from firefly.interfaces.core import ProcessKind, ProcessState, Role, Specification
from node.cli.address import DEFAULT_RESOURCE, SELF
from node.cli.client import attached, named, node_at
from node.cli.failures import FAILED, OK, UsageError
from node.cli.output import Output, plain

NAME = "create"
HELP = "make a process that a node keeps running"
TRAILING = True
"""What follows `--` is the command of a program, kept as it is."""

PROGRAM = "program"
FILESYSTEM = "filesystem"
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
INSIDE = (ProcessKind.PLUGIN, ProcessKind.THREAD)
_ROLES = {"admin": Role.ADMIN, "member": Role.MEMBER}


def configure(parser: ArgumentParser) -> None:
    parser.usage = "glow create KIND [--label LABEL] [--access member|admin] [KEY=VALUE …] [-- COMMAND ARGUMENT…]"
    parser.epilog = "For example: glow create filesystem --label photos root=~/Pictures writable=yes"
    parser.add_argument("kind", metavar="KIND", help="filesystem, kv, pubsub, another installed kind, or program")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="the configuration of the process")
    parser.add_argument("--label", help="its name on that node (default: the kind; `files` for a file system)")
    parser.add_argument("--access", choices=sorted(_ROLES), default="member", help="the lowest role that may call it")


def run(arguments: Namespace) -> int:
    name = named(arguments, None)
    specification = specification_of(arguments, here=name == SELF)
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        status = await node.create(specification)
        where = status.label if name == SELF else f"{name}/{status.label}"
        state = status.state.name.lower() + (f": {status.reason}" if status.reason else "")
        out.show(plain(status), lambda: f"{where} is {state}")
        if status.kind in INSIDE:
            out.note(
                f"{status.program} runs inside the node and may do whatever the node may: it is as safe as its package"
            )
        return FAILED if status.state == ProcessState.FAILED else OK

    return attached(arguments, work, name)


def specification_of(arguments: Namespace, *, here: bool) -> Specification:
    """What the process is made from; `here`: on this device, so paths are of this device. Raises UsageError."""
    configuration = pairs(arguments.settings)
    label = arguments.label or (DEFAULT_RESOURCE if arguments.kind == FILESYSTEM else arguments.kind)
    if not _LABEL.fullmatch(label):
        raise UsageError(f"{label!r} cannot be a label", "it has other characters than a-z, 0-9 and -", "--label notes")
    if here and arguments.kind == FILESYSTEM and "root" in configuration:
        configuration["root"] = str(Path(configuration["root"]).expanduser().absolute())
    access = _ROLES[arguments.access]
    if arguments.kind != PROGRAM:
        if arguments.trailing:
            raise UsageError("only a program has a command", hint="glow create program --label NAME -- COMMAND")
        return Specification(label, ProcessKind.BUILTIN, arguments.kind, [], configuration, access)
    if not arguments.trailing:
        raise UsageError("a program needs a command", hint="glow create program --label NAME -- COMMAND ARGUMENT…")
    program, *rest = arguments.trailing
    if here:
        program, rest = executable(program), [whole(argument) for argument in rest]
    return Specification(label, ProcessKind.PROGRAM, program, rest, configuration, access)


def whole(argument: str) -> str:
    """The whole path of an argument that names a file here: the program will run in another folder."""
    path = Path(argument)
    return str(path.absolute()) if path.is_file() else argument


def executable(program: str) -> str:
    """Where a program of this device is, since its node may run in another folder. Raises UsageError."""
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"there is no program {program!r}", "it is neither a file that can be run nor in the PATH")
    return str(Path(found).absolute())


def pairs(settings: list[str]) -> dict[str, str]:
    """`["a=1"]` as a dictionary. Raises UsageError."""
    found: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"{setting!r} is no setting", hint="KEY=VALUE")
        if key in found:
            raise UsageError(f"{key} is given twice")
        found[key] = value
    return found
