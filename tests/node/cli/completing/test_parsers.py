"""Which argument stands at the cursor."""

from __future__ import annotations

import subprocess
import sys

import pytest

from node.cli.commands import COMMANDS, HIDDEN
from node.cli.completing.parsers import wanted
from node.cli.logs import LEVELS


@pytest.mark.parametrize(
    ("words", "current", "kind"),
    [
        (["ping"], "", "NODE"),
        (["ping", "-n"], "", "N"),
        (["ping", "-n", "3"], "", "NODE"),
        (["ping", "nas"], "", ""),
        (["--node", "nas", "--timeout", "5s", "ping"], "", "NODE"),
        (["--node"], "", "NODE"),
        (["ping", "--home"], "", "DIR"),
        (["kv", "get"], "", "NODE/RESOURCE"),
        (["kv", "get", "nas/x"], "", "KEY"),
        (["cp"], "", "PLACE"),
        (["cp", "-r", "a", "b"], "", "PLACE"),
        (["cat", "nas:x"], "", "NODE[/RESOURCE]:PATH"),
        (["idl", "check"], "", "FILE"),
        (["idl", "check", "a", "-I"], "", "DIR"),
        (["create", "program", "--"], "", "FILE"),
        (["create", "program", "--", "x", "y"], "-", "FILE"),
        (["create"], "", "KIND"),
        (["kill"], "", "[NODE/]LABEL"),
        (["logs", "--process"], "", "LABEL"),
        (["why"], "", "THING"),
        (["nonsense"], "", ""),
        (["nonsense", "--what"], "", ""),
        (["kv", "nonsense"], "", ""),
    ],
)
def test_kinds(words: list[str], current: str, kind: str) -> None:
    assert wanted(words, current).kind == kind


def test_words_of_the_table_of_the_parsers_and_of_choices() -> None:
    assert wanted([], "").words == COMMANDS
    assert not HIDDEN & set(COMMANDS)
    assert set(wanted(["kv"], "").words) == {"get", "set", "del", "ls", "watch"}
    assert tuple(wanted(["logs", "--level"], "").words) == LEVELS
    assert list(wanted(["logs"], "--level=").words) == [f"--level={level}" for level in LEVELS]
    assert {"--json", "--follow", "-f"} <= set(wanted(["logs"], "-").words)
    assert {"--expected", "--ttl", "--json"} <= set(wanted(["kv", "set"], "--").words)
    assert "--json" in wanted([], "--").words
    assert "--ready-descriptor" not in wanted(["node"], "--").words, "what is not for people is not shown"


def test_options_before_the_cursor_are_known() -> None:
    assert wanted(["--home", "/x", "ping", "--node=nas"], "").given == {"home": "/x", "node": "nas"}


def test_parsers_need_no_heavy_module() -> None:
    script = """
import sys
from node.cli.commands import COMMANDS
from node.cli.completing.parsers import wanted
for name in COMMANDS:
    wanted([name], "--")
print(*set(sys.modules))
import node.cli.kv
assert node.cli.kv.KV.proto == "glow.kv.KV", "no placeholder is left behind"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"trio", "nacl", "cryptography", "lark", "construct", "node.cli.kv"} & set(done.stdout.split())


def test_light_parsers_are_the_real_ones() -> None:
    """What is told of a command is the same as when its module is loaded as it is."""
    script = """
from node.cli.commands import COMMANDS
from node.cli.completing.parsers import _configured, parser_of
light = {name: parser_of(name).format_help() for name in COMMANDS}
assert light == {name: _configured(name).format_help() for name in COMMANDS}
"""
    subprocess.run([sys.executable, "-c", script], check=True)
