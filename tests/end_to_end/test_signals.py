"""Ctrl-C, SIGTERM, two at once: nothing is left behind, and who is in the way is named."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.devices import Device, children_of

NewDevice = Callable[..., Device]
EXAMPLE = Path(__file__).parents[2] / "examples" / "guestbook" / "process.py"


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_node_that_is_stopped_leaves_nothing(device: NewDevice, how: signal.Signals, code: int) -> None:
    nas = device("nas")
    nas.glow("create", "program", "--label", "guestbook", "--", sys.executable, str(EXAMPLE))
    assert nas.node is not None
    children = children_of(nas.node.pid)
    assert children
    assert nas.stop(how) == code
    assert not [child for child in children if Path("/proc", str(child)).exists()]
    assert not (nas.home / "control.sock").exists()
    nas.start("node")  # nothing holds the home


def test_the_second_node_on_a_home_says_who_holds_it(device: NewDevice) -> None:
    nas = device("nas")
    assert nas.node is not None
    second = nas.run("node")
    assert second.returncode != 0
    assert str(nas.node.pid) in second.stderr
    assert "hint:" in second.stderr


def test_a_watch_ends_with_130(device: NewDevice) -> None:
    nas = device("nas")
    nas.glow("create", "kv", "--label", "settings")
    watch = nas.popen("--jsonl", "kv", "watch", "self/settings", "--since", "0")
    nas.glow("kv", "set", "self/settings", "a", "b")
    assert watch.stdout is not None
    assert '"a"' in watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    _, errors = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert "Traceback" not in errors


def test_a_node_that_is_off_is_said_in_time(device: NewDevice) -> None:
    nas = device("nas")
    laptop = device("laptop", nas)
    nas.glow("create", "kv", "--label", "settings")
    laptop.glow("ls", "nas")
    nas.stop(signal.SIGKILL)
    done = laptop.run("ping", "nas", "-n", "1")
    assert done.returncode == 5
    assert "no path leads to it" in done.stdout
