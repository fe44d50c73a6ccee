"""`glow config`, with and without a node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from node import start
from node.cli.main import main
from tests.node.cli.test_running import LOCAL, PATIENCE, environment, glow, running


class Shell:
    """Runs commands in this OS process, at one home."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.file = home / "config.toml"
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._capsys.readouterr()
        code = main(["config", *words])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def write(self, data: bytes) -> None:
        self.file.write_bytes(data)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    for name in os.environ:
        if name.startswith("GLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))
    return Shell(tmp_path / "home", capsys)


def test_without_a_node_it_works_on_the_file(shell: Shell) -> None:
    assert shell("path") == (0, f"{shell.file}\n", "")
    assert shell("history", "--json")[:2] == (0, "[]\n")
    code, out, err = shell("set", "log.level", "debug")
    assert (code, out) == (0, '1  log.level = "debug"\n')
    assert "no node runs here" in err
    assert shell("get", "log.level") == (0, "debug\n", "")
    assert shell.json("get", "log.level") == {"key": "log.level", "value": "debug", "source": "file"}
    assert shell("set", "listen", "tcp://127.0.0.1:1", "-q")[2] == ""
    assert shell.json("get")["listen"] == ["tcp://127.0.0.1:1"]
    assert shell.json("set", "log.level", "--unset")["entry"]["what"] == "log.level unset"
    assert shell("rollback")[1] == '4  rollback to 2: log.level = "debug"\n'
    assert [entry["number"] for entry in shell.json("history")] == [4, 3, 2, 1]
    assert shell("history", "1")[1].startswith("# ")
    assert shell.json("history", "0") == {"number": 0, "text": ""}
    assert shell("get", "listen")[1] == "tcp://127.0.0.1:1\n"


def test_explain_says_everything(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_INVITE_LIFETIME", "2h")
    explained = shell.json("explain", "invite.lifetime")
    assert (explained["value"], explained["default"], explained["source"]) == ("2h", "1d", "GLOW_INVITE_LIFETIME")
    assert set(explained) == {"key", "kind", "value", "source", "default", "meaning", "applies", "pending"}
    assert [setting["key"] for setting in shell.json("explain")][:2] == ["listen", "log.level"]
    text = shell("explain", "invite.lifetime")[1]
    for word in ('invite.lifetime = "2h"', "GLOW_INVITE_LIFETIME", '"1d"', "a time from 1s to 30d", "at once"):
        assert word in text
    assert "links.retry" in shell("explain")[1]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("set", "log.levle", "info"), 2, "did you mean log.level?"),
        (("set", "log.levle", "--unset"), 2, "did you mean log.level?"),
        (("set", "log.level", "loud"), 2, "must be one of error, warning, info, debug"),
        (("set", "log.level"), 2, "either a value or --unset"),
        (("set", "log.level", "info", "--unset"), 2, "either a value or --unset"),
        (("get", "log.levle"), 2, "did you mean log.level?"),
        (("explain", "zzz"), 2, "glow config explain"),
        (("rollback",), 1, "nothing to go back to"),
        (("rollback", "7"), 1, "no change 7"),
        (("rollback", "-7"), 2, "glow config"),
        (("rollback", "99999999999"), 2, "glow config history"),
        (("history", "7"), 1, "no change 7"),
        (("history", "x"), 2, "invalid int"),
        (("nonsense",), 2, "invalid choice"),
        ((), 2, "VERB"),
        (("get", "--node", "nas"), 9, "no node runs"),
    ],
)
def test_what_makes_no_sense_is_a_typed_error(words: tuple[str, ...], code: int, error: str, shell: Shell) -> None:
    found = shell(*words)
    assert (found[0], found[1]) == (code, "")
    assert found[2].startswith("error: ")
    assert error in found[2]
    assert "hint: " in found[2]


def test_a_variable_that_does_not_fit_is_a_typed_error(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_LOG_LEVEL", "loud")
    code, out, err = shell("get", "log.level")
    assert (code, out) == (2, "")
    assert err.startswith("error: GLOW_LOG_LEVEL=loud cannot be used\ncause: ")


def test_no_node_starts_with_a_broken_file_and_rollback_mends_it(shell: Shell) -> None:
    shell("set", "log.level", "info")
    shell.write(b"log.levle = 'info'\n")
    started = glow(shell.home, "node", *LOCAL)
    assert not (shell.home / "node.key").exists()
    assert started.returncode == 2
    assert "there is no setting" in started.stderr
    assert "did you mean log.level?" in started.stderr
    assert "glow config rollback" in started.stderr
    code, out, err = shell("get", "log.level")
    assert (code, out) == (1, "warning\n")
    assert "cannot be used" in err
    assert shell("explain", "log.level")[0] == 0
    assert shell("rollback")[0] == 0
    assert shell("get", "log.level") == (0, "info\n", "")


def test_changes_at_the_same_time_are_all_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    values = {"log.level": "info", "links.retry": "1m", "programs.limit": "99", "invite.lifetime": "2h"}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "node.cli.main", "config", "set", key, value],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for key, value in values.items()
    ]
    for child in children:
        _, err = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0, err
    found = json.loads(glow(home, "config", "get", "--json").stdout)
    assert {key: str(found[key]) for key in values} == values
    history = json.loads(glow(home, "config", "history", "--json").stdout)
    assert sorted(entry["number"] for entry in history) == [1, 2, 3, 4]


async def test_a_running_node_applies_a_change(shell: Shell) -> None:
    async def run(*words: str) -> tuple[int, str, str]:
        return await trio.to_thread.run_sync(shell, *words)

    async with start(shell.home, name="nas", listen=["tcp://127.0.0.1:0"]) as node:
        assert (await run("set", "links.retry", "1m"))[:2] == (
            0,
            '1  links.retry = "1m"\nlinks.retry: applied\n',
        )
        assert node._node.links.standing.longest_pause == 60.0
        assert "a flag or variable" in (await run("set", "listen", "tcp://127.0.0.1:1"))[1]
        assert (await run("get", "listen", "--node", "nas"))[1] == "tcp://127.0.0.1:0\n"
        shell.write(b"links.retry = 5\nx = 1\n")
        code, out, err = await run("get", "links.retry")
        assert (code, out) == (1, "1m\n")
        assert 'there is no setting "x"' in err
        assert (await run("set", "links.retry", "2m"))[0] == 2
        code, out, _ = await run("set", "x", "--unset")
        assert (code, out.splitlines()[:1]) == (0, ["4  x unset"])
        assert "links.retry: applied" in out
        assert node._node.links.standing.longest_pause == 5.0
    assert await trio.to_thread.run_sync(main, ["config", "get", "links.retry"]) == 0


def test_a_node_in_its_own_os_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert glow(home, "config", "set", "listen", "tcp://127.0.0.1:0").returncode == 0
    with running(home, "node", "--name", "nas") as (process, ready):
        [listening] = ready["listening"]
        assert glow(home, "config", "set", "log.level", "info").stdout.endswith("log.level: applied\n")
        changed = glow(home, "config", "set", "listen", "tcp://localhost:0")
        assert "listen: needs a restart: stop the node, then `glow node`" in changed.stdout
        (home / "config.toml").write_text("log.level = 'info'\nlinks.retry = '7s'\n")
        assert glow(home, "config", "get", "links.retry").stdout == "7s\n"
        pending = json.loads(glow(home, "config", "explain", "listen", "--json").stdout)
        assert (pending["source"], pending["pending"]) == ("file", ["tcp://0.0.0.0:0"])
        who = [entry["who"] for entry in json.loads(glow(home, "config", "history", "--json").stdout)]
        assert who[0] == "edited file"
        assert len(who) == 4
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        assert process.stderr is not None
        log = process.stderr.read()
    assert 'INFO node: links.retry is "7s" from now on' in log
    with running(home, "node") as (_, ready):
        assert [url.rpartition(":")[2] for url in ready["listening"]] == [listening.rpartition(":")[2]]
        after = json.loads(glow(home, "config", "history", "--json").stdout)
        assert [entry["who"] for entry in after] == who
