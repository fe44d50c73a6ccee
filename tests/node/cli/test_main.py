"""From arguments to an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from firefly.errors import Unreachable
from node.cli import main as cli
from node.cli.commands import COMMANDS, load
from node.cli.failures import UsageError
from node.cli.flags import from_environment, home_of, seconds
from node.cli.main import main


@pytest.fixture(autouse=True)
def no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name:9} {line}" in text for name, line in COMMANDS.items())


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; from node.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "node.cli.main" in loaded
    assert not {"trio", "nacl", "cryptography", "lark", "construct", "node.cli.cp", "node.start"} & loaded


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_says_what_the_table_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load(name)
    assert (name, COMMANDS[name]) == (command.NAME, command.HELP)
    assert main([name, "--help"]) == 0
    assert f"glow {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["frobnicate"], "hint: glow --help"),
        (["pign"], "hint: glow ping"),
        (["ping"], "hint: glow ping --help"),
        (["ping", "nas", "--nonsense"], "hint: glow ping --help"),
        (["kv", "frob"], "hint: glow kv --help"),
        (["cp", "a"], "hint: "),
        (["create", "program"], "hint: "),
        (["create", "kv", "novalue"], "hint: KEY=VALUE"),
        (["create", "kv", "--label", "A B"], "hint: "),
        (["create", "kv", "--", "x"], "hint: "),
        (["kill", "a/b:c"], "hint: "),
        (["kv", "get", "nas", "x"], "hint: "),
        (["rm", "nas:"], "hint: "),
        (["mv", "nas:x"], "hint: "),
        (["join", "nonsense"], "hint: "),
        (["--timeout", "soon", "ls"], "hint: "),
    ],
)
def test_usage_errors(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert hint in captured.err


@pytest.mark.parametrize(
    "words",
    [["ls"], ["status"], ["ps"], ["ping", "nas"], ["trace", "nas"], ["kv", "ls", "nas/x"], ["cp", "nas:x", "."],
     ["cat", "nas:x"], ["create", "kv"], ["kill", "x"], ["rm", "nas:x"], ["mkdir", "nas:x"], ["mv", "nas:x", "nas:y"]],
)  # fmt: skip
def test_without_a_node(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 9
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no node runs" in captured.err
    assert "hint: " in captured.err
    assert "Traceback" not in captured.err


def test_alone_it_says_what_is_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "glow join LINK" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["version", "--json"], ["--json", "version"], ["--json", "--version"]])
def test_flags_stand_before_and_after_the_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("{")


class Failing:
    """A command that ends as it is told."""

    NAME, HELP = "version", "fails"

    def __init__(self, end: Callable[[Namespace], int]) -> None:
        self.run = end

    def configure(self, parser: object) -> None: ...


def ends(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def end(_: Namespace) -> int:
        raise error

    monkeypatch.setattr(cli, "load", lambda _: Failing(end))


def test_errors_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, ExceptionGroup("", [Unreachable("nas is off", hint="switch it on")]))
    assert main(["version"]) == 5
    assert capsys.readouterr().err == "error: nas is off\nhint: switch it on\n"


def test_debug_shows_where_an_error_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, Unreachable("nas is off"))
    with pytest.raises(Unreachable):
        main(["version", "--debug"])


def test_a_stopped_command_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ends(monkeypatch, BaseExceptionGroup("", [KeyboardInterrupt()]))
    assert main(["version"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_is_no_failure() -> None:
    script = "import sys; from node.cli.main import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_the_environment_sets_flags() -> None:
    settings = from_environment({"GLOW_JSON": "yes", "GLOW_TIMEOUT": "5m", "GLOW_NODE": "nas", "GLOW_HOME": "/x"})
    assert (settings.json, settings.quiet, settings.timeout, settings.node) == (True, False, 300.0, "nas")
    assert home_of(settings) == Path("/x")


@pytest.mark.parametrize("environment", [{"GLOW_JSON": "maybe"}, {"GLOW_TIMEOUT": "soon"}, {"GLOW_TIMEOUT": "-1"}])
def test_an_odd_environment_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        from_environment(environment)


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("30s", 30.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0)]
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "0", "-1", "nan", "inf", "5x"])
def test_odd_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"float|no time"):
        seconds(text)
