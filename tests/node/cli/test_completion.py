"""Completion as shells see it: the scripts run in the real ones, against a node that runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from node import start
from node.cli.complete import LIMIT
from node.cli.completion import SCRIPTS
from node.cli.main import main
from tests.node.family import LISTEN

ODD = ["a b.txt", "it's", "$(touch pwned)", "`touch pwned`", 'say "hi"', "*", "grüße", "👩‍🚀", "a;b|c&d"]
NEVER = ["line\nbreak", "\x1b]0;title\x07", "\u202eexe"]
"""Names that would break the list, drive the terminal, or show as another name."""


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A folder in which `glow` is a command, whose node laptop shares `share` and keeps `settings`."""
    share = tmp_path / "share"
    (share / "My Photos" / "2024").mkdir(parents=True)
    for name in ODD + NEVER:
        (share / name).touch()
    command = tmp_path / "bin" / "glow"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m node.cli.main "$@"\n')
    command.chmod(0o755)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").touch()
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    async with start(tmp_path / "home", name="laptop", listen=LISTEN):
        for words in (["create", "filesystem", f"root={share}"], ["create", "kv", "--label", "settings"]):
            assert await trio.to_thread.run_sync(main, words) == 0
        yield tmp_path / "here"


async def shell(folder: Path, *command: str) -> str:
    done = await trio.run_process(command, cwd=folder, capture_stdout=True, capture_stderr=True, stdin=b"")
    assert done.stderr == b"", done.stderr.decode()
    assert not (folder / "pwned").exists(), "nothing that is completed is ever run"
    return done.stdout.decode()


async def bash(folder: Path, *lines: str) -> list[list[str]]:
    """What real bash has in COMPREPLY when Tab is pressed at the end of each line."""
    script = ['eval "$(glow completion bash)"', "set -u"]
    for line in lines:
        script += [f"COMP_LINE={shlex.quote(line)}", "COMP_POINT=${#COMP_LINE}", "COMP_WORDS=($COMP_LINE) COMP_CWORD=1",
                   '_glow; printf "%s\\0" "${COMPREPLY[@]+"${COMPREPLY[@]}"}" $\'\\n\'']  # fmt: skip
    out = await shell(folder, "bash", "--norc", "--noprofile", "-f", "-c", "\n".join(script))
    return [[word for word in answer.split("\0") if word] for answer in out.split("\n\0")[:-1]]


async def test_bash(device: Path) -> None:
    (device / "no such\\thing").touch()
    lines = {
        "glow stat": ["status "],
        "glow kv g": ["get "],
        "glow kv get laptop/": ["laptop/settings ", "laptop/files "],
        "glow logs --level w": ["warning "],
        "glow cat laptop:My": ["My\\ Photos/"],
        "glow cat laptop:My\\ Photos/": ["My\\ Photos/2024/"],
        'glow cat "laptop:My': ["laptop:My Photos/"],
        "glow cat laptop/files:gr": ["grüße "],
        "glow cat laptop/f": ["laptop/files:"],
        "glow cp $(touch pwned) `touch pwned` no": ["no\\ such\\\\thing ", "notes.txt "],
        "glow kill s": ["settings ", "self/"],
        "glow frobnicate ": [],
        "glow cat laptop/nothing:": [],
    }
    replies = await bash(device, *lines)
    assert [sorted(reply) for reply in replies] == [sorted(reply) for reply in lines.values()]


async def test_odd_names_are_read_by_bash_as_they_are(device: Path) -> None:
    (replies,) = await bash(device, "glow cat laptop:")
    listed = await shell(device, "bash", "--norc", "-c", "printf '%s\\0' " + " ".join(replies))
    assert sorted(listed.split("\0")[:-1]) == sorted([*ODD, "My Photos/"])


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
async def test_fish(device: Path) -> None:
    for line, wanted in {
        "glow stat": "status",
        "glow kv g": "get",
        "glow cat laptop:My\\ P": "laptop:My Photos/",
    }.items():
        script = f"glow completion fish | source; complete -C {shlex.quote(line)}"
        assert (await shell(device, "fish", "--no-config", "-c", script)).partition("\t")[0].strip() == wanted


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
async def test_zsh(device: Path) -> None:
    """Without a terminal zsh completes nothing, so what it does with the answers is read at `compadd`."""
    stub = "compdef() { }; compadd() { shift $(( $# - 1 )); print -rl -- ${(P)1} }"
    for line, wanted in {
        "glow stat": "status",
        "glow kv g": "get",
        "glow cat laptop:My\\ P": "laptop:My Photos/",
    }.items():
        words = shlex.split(line)
        typed = f"words=({' '.join(map(shlex.quote, words))}); CURRENT={len(words)}; PREFIX={shlex.quote(words[-1])}"
        script = f'{stub}; eval "$(glow completion zsh)"; {typed}; _glow'
        assert (await shell(device, "zsh", "-f", "-c", script)).strip() == wanted


async def answer(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert await trio.to_thread.run_sync(main, ["complete", "zsh", "--", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


async def test_another_home_and_another_node(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await answer(capsys, "lap", "glow", "--home", str(device / "nowhere"), "ping") == []
    assert await answer(capsys, "lap", "glow", "--home", os.environ["GLOW_HOME"], "ping") == ["laptop "]
    assert await answer(capsys, "set", "glow", "--node", "laptop", "logs", "--process") == ["settings "]
    assert await answer(capsys, "", "glow", "--node", "nowhere", "logs", "--process") == []


@pytest.mark.parametrize("shell_name", sorted(SCRIPTS))
def test_nothing_is_said_without_a_node_or_with_nonsense(
    shell_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOW_HOME", str(tmp_path))
    for given in (
        [],
        ["x"],
        ["", "glow ping "],
        ["", "glow", "ping"],
        ["\udcff", "glow", "cat"],
        ["/nowhere/", "glow", "cp"],
    ):
        assert main(["complete", shell_name, "--", *given]) == 0
        assert "laptop" not in capsys.readouterr().out
        assert main([shell_name]) == 2
        capsys.readouterr()


async def test_a_node_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from firefly.home import socket_path

    monkeypatch.setenv("GLOW_HOME", str(tmp_path))
    monkeypatch.setattr("node.cli.completing.places.PATIENCE", 0.05)
    with trio.socket.socket(trio.socket.AF_UNIX) as listener:
        await listener.bind(str(socket_path(tmp_path)))
        listener.listen(1)
        with trio.fail_after(LIMIT):
            assert await answer(capsys, "", "glow", "ping") == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_are_printed_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", name]) == 0
    assert capsys.readouterr().out == SCRIPTS[name]
    assert main(["completion", "csh"]) == 2
    assert "hint: glow completion --help" in capsys.readouterr().err
