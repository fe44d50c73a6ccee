"""`glow run`: runs a WebAssembly program on any node, as if it ran here: streams piped, exit code passed on."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from firefly.client import Glow
from firefly.errors import NoSuchResource
from firefly.interfaces import executor as interface
from firefly.interfaces.core import Location, NoSuchName
from firefly.interfaces.executor import Executor, Folder, Job, Limits
from node.cli.address import parse
from node.cli.client import attached, expecting, named
from node.cli.create import pairs
from node.cli.failures import FAILED, UsageError
from node.cli.flags import seconds
from node.cli.output import Output, duration_text, plain, size_text

NAME = "run"
HELP = "run a WebAssembly program on a node"
TRAILING = True
"""What follows `--` are the arguments of the program."""

DEFAULT_RESOURCE = "executor"
PIECE = 60_000
_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}


def configure(parser: ArgumentParser) -> None:
    parser.usage = "glow run [--on NODE[/RESOURCE]] [--folder NAME[:GUEST][:rw]]… FILE [-- ARGUMENT…]"
    parser.epilog = "For example: glow run --on nas --folder files count.wasm -- /files < list.txt"
    add = parser.add_argument
    add("file", metavar="FILE", help="a module for WASI preview 1: .wasm, or its text .wat")
    add("--on", metavar="NODE[/RESOURCE]", help=f"where (default: this node, its resource `{DEFAULT_RESOURCE}`)")
    add(
        "--folder",
        action="append",
        default=[],
        metavar="NAME[:GUEST][:rw]",
        help="a file system of that node, seen at /NAME or GUEST; read-only without :rw",
    )
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of its environment")
    add("--function", metavar="NAME", help="call this exported function with the arguments as numbers instead")
    add("--wall", type=seconds, metavar="TIME", help="stop it after that time: 1.5, 30s, 5m")
    add("--fuel", type=int, metavar="COUNT", help="stop it after about that many instructions")
    add("--memory", type=size, metavar="SIZE", help="what its memory may grow to: 64MB")
    add("--output", type=size, metavar="SIZE", help="how much it may write: 10MB")


def size(text: str) -> int:
    """A number of bytes, `64MB` or `1.5GB`. Raises ValueError."""
    unit = _UNITS.get(text[-2:], 1)
    return int(float(text[:-2] if unit > 1 else text) * unit)


def run(arguments: Namespace) -> int:
    address = parse(arguments.on) if arguments.on else parse(named(arguments, None))
    if address.path is not None:
        raise UsageError(f"{arguments.on!r} is no node or executor", hint="--on nas, or --on nas/executor")
    name = f"{address.node}/{address.resource or DEFAULT_RESOURCE}"
    module = Path(arguments.file).read_bytes()
    job = job_of(arguments, module)
    numbers = [number(text) for text in arguments.trailing] if arguments.function else []
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        location = await find_executor(glow, address.node, name)
        with expecting("executor", name, location):
            executor = glow.at(location.node, location.resource, Executor)
            if not await executor.has(job.module):
                await executor.upload(pieces_of(module))
            if arguments.function:
                return await call(executor, job, arguments.function, numbers, out)
            return await stream(executor, job, out)

    return attached(arguments, work, about=name)


def job_of(arguments: Namespace, module: bytes) -> Job:
    """What is to be run. Raises UsageError."""
    return Job(
        hashlib.sha256(module).digest(),
        Path(arguments.file).name[:255],
        [] if arguments.function else arguments.trailing,
        pairs(arguments.env),
        [folder_of(text) for text in arguments.folder],
        Limits(arguments.wall, arguments.fuel, arguments.memory, arguments.output),
    )


def folder_of(text: str) -> Folder:
    """`NAME[:GUEST][:rw]`. Raises UsageError."""
    label, *rest = text.split(":")
    writable = rest[-1:] == ["rw"]
    guest = rest[: len(rest) - writable]
    if not label or len(guest) > 1 or any(not place.startswith("/") for place in guest):
        raise UsageError(f"{text!r} is no folder", hint="--folder files, --folder files:/data, --folder inbox:/in:rw")
    return Folder(label, guest[0] if guest else "", writable)


def number(text: str) -> interface.Number:
    """Raises UsageError."""
    try:
        return interface.NumberInteger(int(text, 0))
    except ValueError:
        pass
    try:
        return interface.NumberFloat(float(text))
    except ValueError:
        raise UsageError(
            f"{text!r} is no number", "functions take numbers", "pipe text to its standard input"
        ) from None


async def find_executor(glow: Glow, node: str, name: str) -> Location:
    """Raises NoSuchResource with the command that makes one."""
    try:
        return await glow.resolve(name)
    except NoSuchName as error:
        if error.name_ != name:
            raise
        label = name.partition("/")[2]
        where = "" if node == "self" else f" --node {node}"
        raise NoSuchResource(
            f"there is no {name}",
            f"{node} offers {', '.join(error.known) or 'nothing yet'}",
            f"glow create executor --label {label}{where}",
        ) from None


def pieces_of(data: bytes) -> list[bytes]:
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


async def standard_input() -> AsyncIterator[bytes]:
    """What is piped in, as it comes; nothing on a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return
    descriptor = sys.stdin.fileno()
    while data := await trio.to_thread.run_sync(os.read, descriptor, PIECE, abandon_on_cancel=True):
        yield data


async def stream(executor: Executor, job: Job, out: Output) -> int:
    """Runs a program; returns its exit code."""
    code = FAILED
    async with executor.run(job, standard_input()) as outputs:
        async for batch in outputs.batches():
            for item in batch:
                if isinstance(item, interface.OutputExit):
                    code = item.code
                    tell_usage(code, item.usage, out)
            await trio.to_thread.run_sync(write, batch, out)
    return exit_code(code)


def write(batch: list[interface.Output], out: Output) -> None:
    """Passes on what the program wrote. Blocks."""
    for item in batch:
        if isinstance(item, interface.OutputStdout | interface.OutputStderr):
            name = "stdout" if isinstance(item, interface.OutputStdout) else "stderr"
            if out.json:
                out.item(written_data(name, item.value), "")
            else:
                getattr(sys, name).buffer.write(item.value)
        elif isinstance(item, interface.OutputExit) and out.json:
            out.item({"exit": item.code, "usage": plain(item.usage)}, "")
    sys.stdout.flush()
    sys.stderr.flush()


def written_data(name: str, data: bytes) -> dict[str, str | None]:
    """What was written as JSON has it: text, or base64 if it is none (a piece may end inside of a character)."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name: None, "base64": base64.b64encode(data).decode()}


def tell_usage(code: int, usage: interface.Usage, out: Output) -> None:
    if out.verbose:
        out.note(
            f"it ended with {code} after {duration_text(usage.wall)}, {usage.fuel:,} units of fuel, "
            f"{size_text(usage.memory)} of memory"
        )


async def call(executor: Executor, job: Job, function: str, numbers: list[interface.Number], out: Output) -> int:
    """Calls one function: what it writes, then the numbers that it gives, one per line."""
    answer = await executor.call(job, function, numbers, b"".join([piece async for piece in standard_input()]))
    tell_usage(answer.code, answer.usage, out)
    values = [getattr(value, "value", None) for value in answer.values]
    if out.json:
        streams = [written_data("stdout", answer.output), written_data("stderr", answer.errors)]
        data = {"values": values, "exit": answer.code, "usage": plain(answer.usage), "written": streams}
        out.show(data, str)
    else:
        sys.stderr.buffer.write(answer.errors)
        sys.stdout.buffer.write(answer.output)
        out.text("\n".join(map(str, values)))
    return exit_code(answer.code)


def exit_code(code: int) -> int:
    """The code of the program as an operating system passes it on: 0 only if it was 0."""
    return code & 0xFF or (1 if code else 0)
