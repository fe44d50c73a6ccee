"""Without any extra, as on a phone: the program works, and what needs an extra names the command that installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.devices import Device

ROOT = Path(__file__).parents[2]
LEAN = Path(__file__).parent / "lean"
EXTRAS = ("aioice", "aiortc", "av", "wasmtime", "zeroconf")


@pytest.fixture(autouse=True)
def nothing_but_the_necessary(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started from here on finds no extra (lean/sitecustomize.py)."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(LEAN), str(ROOT)]))


def test_a_node_and_its_commands_need_no_extra(tmp_path: Path) -> None:
    shared, content = tmp_path / "shared", os.urandom(100_000)
    shared.mkdir()
    (tmp_path / "photo").write_bytes(content)
    (tmp_path / "job.wat").write_text("(module)")
    phone = Device(tmp_path / "phone")
    try:
        assert phone.start("node", "--name", "phone", "--listen", "tcp://127.0.0.1:0")["listening"]
        phone.glow("create", "kv", "--label", "settings")
        phone.glow("kv", "set", "self/settings", "theme", "dark")
        assert phone.glow("kv", "get", "self/settings", "theme") == "dark"
        phone.glow("create", "filesystem", "--label", "files", f"root={shared}", "writable=yes")
        phone.glow("cp", str(tmp_path / "photo"), "phone:photo")
        assert (shared / "photo").read_bytes() == content
        assert [node["name"] for node in phone.json("status")["nodes"]] == ["phone"]
        refused = phone.run("create", "executor")
        assert refused.returncode == 1
        assert "hint: pip install 'glow[wasm]'" in refused.stderr
    finally:
        if phone.node is not None:
            phone.node.kill()
            phone.node.communicate()


def test_the_extras_are_absent_here_indeed() -> None:
    """Else the test above would prove nothing."""
    code = f"import importlib.util as u; print([name for name in {EXTRAS!r} if u.find_spec(name)], u.find_spec('trio'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("[] ModuleSpec(")
