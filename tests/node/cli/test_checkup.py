"""The checks of `glow doctor`, one by one: each finds what it is for."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from firefly.home import socket_path
from firefly.interfaces.core import LinkStatus, NodeStatus, NodeSummary, ProcessState, Role
from node.cli import checkup
from node.cli.checkup import FAIL, OK, WARN, Check, node_checks, socket_check
from node.cli.survey import Survey
from tests.node.cli.test_explanations import link, node, process

NOW = datetime.now(UTC)
ME = node(name="me", address=bytes(16), how="this node", hops=0, expires=NOW + timedelta(days=400), role=Role.ADMIN)
NAS = node(expires=NOW + timedelta(days=20))


def status(*nodes: NodeSummary, links: list[LinkStatus], namespace: bytes = b"n" * 32, **counters: int) -> NodeStatus:
    return NodeStatus("me", ME.address, ME.key, namespace, ME.role, "1", "", "", NOW, [], [*nodes], links, counters)


def checks(seen: NodeStatus, states: tuple[ProcessState, ...] = (), version: str = "1") -> list[Check]:
    return node_checks(Survey(seen, {ME.address: [process(state, "why") for state in states]}), version, NOW)


def bad(found: list[Check] | Iterator[Check]) -> list[tuple[str, str]]:
    """Level and text of what is not ok; each of these has a hint."""
    listed = [check for check in found if check.level != OK]
    assert all(check.hint for check in listed)
    return [(check.level, check.what) for check in listed]


def home(folder: Path) -> Path:
    (folder / "home").mkdir(mode=0o700)
    (folder / "home" / "node.key").touch(0o600)
    return folder / "home"


def test_a_home_as_it_should_be(tmp_path: Path) -> None:
    assert bad(checkup.home(home(tmp_path))) == []


def test_no_home_is_no_failure(tmp_path: Path) -> None:
    assert [level for level, _ in bad(checkup.home(tmp_path / "none"))] == [WARN]
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    assert [level for level, _ in bad(checkup.home(empty))] == [WARN]


@pytest.mark.parametrize(("part", "mode"), [("", 0o750), ("node.key", 0o604)])
def test_what_others_can_open_fails(part: str, mode: int, tmp_path: Path) -> None:
    path = home(tmp_path)
    (path / part).chmod(mode)
    (level, what), *others = bad(checkup.home(path))
    assert (level, others) == (FAIL, [])
    assert f"mode {mode:04o}" in what


@pytest.mark.parametrize(("free", "level"), [(10**10, OK), (10**9 - 1, WARN), (10**8 - 1, FAIL)])
def test_space(free: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    (check,) = checkup.space(tmp_path / "not" / "yet")
    assert check.level == level
    assert str(tmp_path) in check.what


def test_a_clock_that_is_behind_its_own_files(tmp_path: Path) -> None:
    path = home(tmp_path)
    assert bad(checkup.clock(path)) == []
    assert bad(checkup.clock(path, lambda: time.time() - 200)) == [], "clocks are set by some seconds"
    assert [level for level, _ in bad(checkup.clock(path, lambda: time.time() - 3600))] == [FAIL]
    assert [level for level, _ in bad(checkup.clock(path, lambda: 0.0))] == [FAIL]


def test_python_and_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(checkup.python(tmp_path)) == []
    assert bad(checkup.parts(tmp_path)) == []
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert [level for level, _ in bad(checkup.python(tmp_path))] == [FAIL]


def test_parts_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["trio>=0.27", "glow-no-such-part>=1", 'glow-no-such-extra>=2; extra == "magic"',
              'glow-no-tool; extra == "dev"', 'glow-other; sys_platform == "win32"']  # fmt: skip
    monkeypatch.setattr(checkup, "requires", lambda _: wanted)
    optional, missing = checkup.parts(tmp_path)
    assert (optional.level, optional.hint) == (OK, "pip install 'glow[magic]'")
    assert (missing.level, missing.hint) == (FAIL, "pip install glow-no-such-part")


def test_the_control_socket(tmp_path: Path) -> None:
    assert socket_check(tmp_path, True).level == OK
    assert "no node runs" in socket_check(tmp_path, False).what
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(tmp_path)))
    assert "left" in socket_check(tmp_path, False).what


def test_a_node_that_is_well() -> None:
    assert bad(checks(status(ME, NAS, links=[link()]), (ProcessState.RUNNING,))) == []


@pytest.mark.parametrize(
    ("level", "text", "found"),
    [
        (WARN, "version 1, this command is 2", checks(status(links=[]), version="2")),
        (WARN, "no namespace", checks(status(links=[], namespace=bytes(32)))),
        (WARN, "no link is up", checks(status(ME, NAS, links=[]))),
        (WARN, "could not be made: off", checks(status(ME, links=[link(state="waiting", reason="off")]))),
        (WARN, "cannot be reached", checks(status(ME, node(reachable=False, how="unreachable"), links=[link()]))),
        (WARN, "certificate of me ends",
         checks(status(node(name="me", role=Role.ADMIN, expires=NOW + timedelta(days=59)), links=[link()]))),
        (WARN, "certificate of nas ends", checks(status(node(expires=NOW + timedelta(days=6)), links=[link()]))),
        (FAIL, "why", checks(status(links=[]), (ProcessState.FAILED,))),
        (WARN, "why", checks(status(links=[]), (ProcessState.WAITING,))),
        (WARN, "bad_handshakes is 7", checks(status(links=[], bad_handshakes=7))),
        (FAIL, "clones is 1", checks(status(links=[], clones=1, forwarded=99))),
    ],
)  # fmt: skip
def test_what_is_not_well(level: str, text: str, found: list[Check]) -> None:
    (shown,) = bad(found)
    assert shown[0] == level
    assert text in shown[1]


def test_unusual_counters_are_ones_that_the_code_counts() -> None:
    code = "".join(path.read_text() for path in (Path(checkup.__file__).parents[1]).rglob("*.py")
                   if "cli" not in path.parts)  # fmt: skip
    assert [name for name in checkup.UNUSUAL if f'"{name}"' not in code] == []
