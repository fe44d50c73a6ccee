"""What deploy/ runs are commands that there are."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest

from node.cli import signaling

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def unit_command() -> list[str]:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "glow-signaling.service")
    return shlex.split(unit["Service"]["ExecStart"])[1:]


def container_command() -> list[str]:
    text = (DEPLOY / "Containerfile").read_text()
    entry, command = (re.search(rf"^{word} (\[.*\])$", text, re.M) for word in ("ENTRYPOINT", "CMD"))
    assert entry is not None
    assert command is not None
    return [*json.loads(entry[1])[1:], *json.loads(command[1])]


def compose_command() -> list[str]:
    text = (DEPLOY / "compose.yaml").read_text()
    command = re.search(r"command:\s*(\[.*?\])", text, re.S)
    assert command is not None
    return list(json.loads(command[1]))


@pytest.mark.parametrize("words", [unit_command(), container_command(), compose_command()])
def test_it_runs_a_hub(words: list[str]) -> None:
    where = words.index(signaling.NAME)
    assert words[:where] in ([], ["--home", words[where - 1]])
    parser = ArgumentParser()
    signaling.configure(parser)
    arguments = parser.parse_args(words[where + 1 :])
    assert arguments.listen == ["0.0.0.0:8080"]
    assert signaling.specification_of(arguments).configuration["stun"] == "0.0.0.0:3478"
