"""What the system tells of power, read from folders like Linux has them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from node.conditions import metered, on_battery

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="pmset tells there, not files")

MAINS_ON, MAINS_OFF = {"type": "Mains", "online": "1"}, {"type": "Mains", "online": "0"}
DRAINING = {"type": "Battery", "status": "Discharging", "scope": "System"}
CHARGING = {"type": "Battery", "status": "Charging"}
MOUSE = {"type": "Battery", "status": "Discharging", "scope": "Device"}


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ([], False),
        ([MAINS_ON, DRAINING], False),
        ([MAINS_OFF, DRAINING], True),
        ([DRAINING], True),
        ([CHARGING], False),
        ([MOUSE], False),
        ([MAINS_OFF, MOUSE], False),
        ([{"type": "USB", "online": "1"}, DRAINING], False),
        ([{}], False),
    ],
)
async def test_power(supplies: list[dict[str, str]], expected: bool, tmp_path: Path) -> None:
    for number, files in enumerate(supplies):
        (tmp_path / f"supply{number}").mkdir()
        for name, text in files.items():
            (tmp_path / f"supply{number}" / name).write_text(f"{text}\n")
    assert await on_battery(tmp_path) is expected


async def test_no_such_folder_is_mains(tmp_path: Path) -> None:
    assert not await on_battery(tmp_path / "nothing")


@pytest.mark.parametrize(("status", "expected"), [("DISCHARGING", True), ("CHARGING", False), ("FULL", False)])
async def test_what_a_phone_says(status: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "termux-battery-status"
    command.write_text(f'#!/bin/sh\necho \'{{\n  "plugged": "UNPLUGGED",\n  "status": "{status}"\n}}\'\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert await on_battery(tmp_path / "nothing") is expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo no; echo 'yes (guessed)'", True),
        ("echo yes", True),
        ("echo no; echo unknown", False),
        ("exit 8", False),
        ("printf '\\377'", False),
    ],
)
async def test_what_network_manager_says(
    script: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nmcli"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert await metered() is expected


async def test_without_network_manager_nothing_is_metered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await metered()
