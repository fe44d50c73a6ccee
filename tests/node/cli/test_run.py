"""`glow run` as a person uses it, on a node with an executor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

pytest.importorskip("wasmtime", reason="wasmtime has no wheel for this machine")

import node
from firefly.interfaces.core import ProcessKind, Specification
from firefly.interfaces.executor import Folder, NumberFloat, NumberInteger
from node.cli.failures import NO_SUCH, UNMET, USAGE, UsageError
from node.cli.main import main
from node.cli.run import exit_code, folder_of, number, size
from tests.end_to_end.devices import GLOW
from tests.node.family import LISTEN
from tests.processes.executor import programs


class Shown(NamedTuple):
    code: int
    out: bytes
    err: str


Run = Callable[..., Awaitable[Shown]]


@pytest.fixture
def no_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with open("/dev/null") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


@pytest.fixture
async def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], no_input: None
) -> AsyncIterator[Run]:
    """Runs a module with the words of a command line, on a node with an executor that shares tmp_path/share."""
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))
    (tmp_path / "share").mkdir()

    async def run(module: bytes, *words: str) -> Shown:
        file = tmp_path / "program.wat"
        file.write_bytes(module)
        capsysbinary.readouterr()
        place = words.index("--") if "--" in words else len(words)
        code = await trio.to_thread.run_sync(main, ["run", *words[:place], str(file), *words[place:]])
        shown = capsysbinary.readouterr()
        return Shown(code, shown.out, shown.err.decode())

    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        share = {"root": str(tmp_path / "share"), "writable": "yes"}
        await glow.node.create(Specification("executor", ProcessKind.BUILTIN, "executor", [], {"workers": "1"}))
        await glow.node.create(Specification("inbox", ProcessKind.BUILTIN, "filesystem", [], share))
        yield run


async def test_it_passes_on_what_the_program_writes_and_its_exit_code(run: Run, tmp_path: Path) -> None:
    assert await run(programs.says("out", 0)) == (0, b"out", "")
    assert await run(programs.says("oh", 7, descriptor=2)) == (7, b"", "oh")
    assert (await run(programs.ARGUMENTS, "--", "--flag", "a b")).out == b"program.wat\0--flag\0a b\0"
    shown = await run(programs.ENVIRONMENT, "--env", "A=1", "-v")
    assert (shown.out, "it ended with 0 after" in shown.err) == (b"A=1\0", True)
    written, last = map(json.loads, (await run(programs.says("hello", 7), "--json")).out.splitlines())
    assert (written, last["exit"]) == ({"stdout": "hello"}, 7)
    create = programs.opens("new.txt", programs.CREATE, programs.READ | programs.WRITE)
    assert (await run(create, "--folder", "inbox")).code == programs.NOT_PERMITTED
    assert (await run(create, "--folder", "inbox:/in:rw")).code == 0
    assert (tmp_path / "share" / "new.txt").exists()


async def test_it_calls_functions_with_numbers(run: Run) -> None:
    assert await run(programs.REACTOR, "--function", "ready", "--", "0x2") == (0, b"42\n-1\n", "")
    shown = await run(programs.REACTOR, "--json", "--function", "ready", "--", "2")
    assert json.loads(shown.out)["values"] == [42, -1]


async def test_standard_input_is_piped_into_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "echo.wat").write_bytes(programs.ECHO)
    data = bytes(range(256)) * 2000
    command = [*GLOW, "run", str(tmp_path / "echo.wat")]
    done = await trio.to_thread.run_sync(
        partial(subprocess.run, command, input=data, capture_output=True, timeout=60, check=False)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


BAD = (
    (b"hello", (), 1, "no WebAssembly module", "wasm32-wasip1"),
    (programs.UNKNOWN, (), UNMET, "env.teleport", "wasm32-wasip1"),
    (programs.LOOP, ("--wall", "0.1"), 1, "stopped after 0.1 s", "--wall"),
    (programs.LOOP, ("--fuel", "1000"), 1, "1000 units of fuel", "--fuel"),
    (programs.GREEDY, (), 1, "not enough memory", "--memory"),
    (programs.GROW, ("--memory", "1MB"), 1, "failed: unreachable", "--memory"),
    (programs.FLOOD, ("--output", "1kB"), 1, "after it wrote 1000 bytes", "--output"),
    (programs.TRAP, (), 1, "failed: unreachable", "in deep < start"),
    (programs.REACTOR, (), 1, "no function _start", "--function"),
    (programs.REACTOR, ("--function", "nope"), 1, "no function nope", "add, copy"),
    (programs.EMPTY, ("--folder", "nope"), NO_SUCH, "no file system nope", "glow create filesystem"),
    (programs.EMPTY, ("--wall", "2h"), 1, "wall=7200", "glow create executor"),
    (programs.EMPTY, ("--on", "nope"), NO_SUCH, "there is no 'nope'", "glow ls"),
    (programs.EMPTY, ("--on", "nas/gone"), NO_SUCH, "there is no nas/gone", "glow create executor --label gone"),
    (programs.EMPTY, ("--on", "nas/inbox"), 1, "is no executor", "glow.filesystem"),
    (programs.EMPTY, ("--on", "nas:path"), USAGE, "is no node or executor", "--on nas"),
    (programs.EMPTY, ("--memory", "much"), USAGE, "--memory", ""),
)


async def test_everything_bad_is_said_with_what_helps(run: Run) -> None:
    for module, words, code, error, hint in BAD:
        shown = await run(module, *words)
        assert shown.code == code, shown
        assert shown.err.startswith("error: "), shown
        assert error in shown.err.splitlines()[0], shown
        assert hint in shown.err, shown
        assert "Traceback" not in shown.err, shown
    assert (await run(programs.says("still here"))).out == b"still here"


async def test_a_module_of_100_mb_is_refused(run: Run) -> None:
    shown = await run(bytes(100_000_000))
    assert (shown.code, "at most 64 MiB" in shown.err) == (1, True)


def test_words_of_the_command_line() -> None:
    assert folder_of("files") == Folder("files")
    assert folder_of("files:rw") == Folder("files", "", True)
    assert folder_of("files:/data:rw") == Folder("files", "/data", True)
    for text in ("", "files:data", "files:/a:/b", ":rw"):
        with pytest.raises(UsageError):
            folder_of(text)
    assert (number("-3"), number("0x10"), number("1.5")) == (NumberInteger(-3), NumberInteger(16), NumberFloat(1.5))
    with pytest.raises(UsageError):
        number("three")
    assert (size("64MB"), size("1.5GB"), size("10")) == (64_000_000, 1_500_000_000, 10)
    assert [exit_code(code) for code in (0, 7, 256, -1, 511)] == [0, 7, 1, 255, 255]
