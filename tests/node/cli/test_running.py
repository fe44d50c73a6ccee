"""The commands that are the node, as OS processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.cli.failures import UsageError
from node.cli.running import configure_node, listening

PATIENCE = 60.0
"""Seconds that anything may take on a busy machine before the test fails."""


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GLOW_")}
    return {**kept, "GLOW_HOME": str(home), "PYTHONPATH": os.getcwd()}


def glow(home: Path, *words: str, told: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node.cli.main", *words],
        env=environment(home),
        input=told,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@contextmanager
def running(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """A command that is the node, and the JSON line that it prints when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "node.cli.main", "--json", *words],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            yield process, json.loads(line) if line else process.stderr.read()
        finally:
            process.kill()


WSS = "wss://0.0.0.0:443"


@pytest.mark.parametrize(
    ("words", "urls"),
    [
        ([], None),
        (["--listen", WSS], [WSS]),
        (["--listen", WSS, "--certificate", "/a b.pem"], [f"{WSS}?certificate=%2Fa+b.pem"]),
        (
            ["--listen", "ws://nas:1", "--listen", WSS, "--certificate", "/c", "--key", "/k"],
            ["ws://nas:1", f"{WSS}?certificate=%2Fc&key=%2Fk"],
        ),
    ],
)
def test_a_certificate_goes_to_the_addresses_that_have_one(words: list[str], urls: list[str] | None) -> None:
    parser = ArgumentParser()
    configure_node(parser)
    assert listening(parser.parse_args(words)) == urls


@pytest.mark.parametrize(
    "words", [["--key", "k"], ["--certificate", "c"], ["--listen", "ws://n:1", "--certificate", "c"]]
)
def test_a_certificate_without_an_address_for_it_is_refused(words: list[str]) -> None:
    parser = ArgumentParser()
    configure_node(parser)
    with pytest.raises(UsageError) as caught:
        listening(parser.parse_args(words))
    assert "--certificate" in caught.value.hint


LOCAL = ("--listen", "tcp://127.0.0.1:0")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_node_runs_until_it_is_stopped(how: signal.Signals, code: int, tmp_path: Path) -> None:
    with running(tmp_path / "home", "node", "--name", "nas", *LOCAL) as (process, ready):
        assert ready["name"] == "nas"
        assert ready["listening"][0].startswith("tcp://127.0.0.1:")
        assert ready["os_process"] == process.pid
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (code, ""), err
        assert "Traceback" not in err
    assert not (tmp_path / "home" / "control.sock").exists()


def test_the_words_of_a_first_device(tmp_path: Path) -> None:
    made = glow(tmp_path / "home", "init", "--name", "nas", "--json")
    data = json.loads(made.stdout)
    assert len(data["words"].split()) == 24
    assert data["words"] not in made.stderr
    again = glow(tmp_path / "home", "init")
    assert again.returncode == 1
    assert "hint: " in again.stderr


def test_detach_join_and_a_second_node(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    started = glow(first, "node", "--name", "first", *LOCAL, "--detach", "--json")
    assert started.returncode == 0, started.stderr
    nodes = [json.loads(started.stdout)["os_process"]]
    try:
        again = glow(first, "node", "--detach")
        assert again.returncode == 1
        assert again.stderr.startswith("error: ")
        link = json.loads(glow(first, "invite", "--name", "second", "--yes", "--json").stdout)["link"]
        joined = glow(second, "join", "-", *LOCAL, "--detach", "--json", told=f"{link}\n")
        assert joined.returncode == 0, joined.stderr
        ready = json.loads(joined.stdout)
        nodes.append(ready["os_process"])
        assert ready["name"] == "second"
        used = glow(tmp_path / "third", "join", link, "--detach", *LOCAL)
        assert used.returncode == 1, used.stderr
        assert used.stderr.startswith("error: ")
    finally:
        for node in nodes:
            os.kill(node, signal.SIGTERM)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 4)])
def test_an_invite_asks_before_it_lets_a_device_in(answer: str, code: int, tmp_path: Path) -> None:
    with running(tmp_path / "first", "node", *LOCAL):
        inviting = subprocess.Popen(
            [sys.executable, "-m", "node.cli.main", "--json", "invite", "--name", "second"],
            env=environment(tmp_path / "first"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with inviting:
            assert inviting.stdout is not None
            try:
                link = json.loads(inviting.stdout.readline())["link"]
                assert inviting.stdin is not None
                inviting.stdin.write(f"{answer}\n")
                inviting.stdin.flush()
                with running(tmp_path / "second", "join", link, *LOCAL) as (_, ready):
                    assert inviting.wait(PATIENCE) == code
                    assert (ready["name"] == "second") if code == 0 else ready.startswith("error: ")
            finally:
                inviting.kill()


def test_an_invite_becomes_the_node(tmp_path: Path) -> None:
    with running(tmp_path / "first", "invite", "--yes", "--name", "second") as (process, made):
        with running(tmp_path / "second", "join", made["link"], *LOCAL) as (_, ready):
            assert ready["name"] == "second"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
