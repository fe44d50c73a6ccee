"""What the system tells of this device's power supply and network, which decide how much it does for others."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import DEVNULL, CalledProcessError

import trio

POWER_SUPPLIES = Path("/sys/class/power_supply")
ASK_TIME = 5.0
"""Seconds that a command of the system may take to tell."""


async def on_battery(supplies: Path = POWER_SUPPLIES) -> bool:
    """Whether this device runs on a battery; False where nothing tells."""
    if sys.platform == "darwin":
        return "'Battery Power'" in await _said_by("pmset", "-g", "batt")
    if '"DISCHARGING"' in await _said_by("termux-battery-status"):  # Android shows apps no files
        return True
    return await trio.to_thread.run_sync(_discharging, supplies)


def _discharging(supplies: Path) -> bool:
    """Whether a battery of the device itself, not of a mouse, feeds it. Linux, Documentation/ABI sysfs-class-power."""
    batteries = []
    for supply in sorted(supplies.glob("*")):
        kind = _read(supply / "type")
        if kind in ("Mains", "USB") and _read(supply / "online") == "1":
            return False
        if kind == "Battery" and _read(supply / "scope") != "Device":
            batteries.append(_read(supply / "status"))
    return "Discharging" in batteries


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""  # not every supply has every file, and one may be unplugged meanwhile


async def metered() -> bool:
    """Whether the network costs by volume, as NetworkManager sees it; False where nothing tells."""
    answers = (await _said_by("nmcli", "-g", "GENERAL.METERED", "device", "show")).split("\n")
    return any(answer.startswith("yes") for answer in answers)


async def _said_by(command: str, *words: str) -> str:
    """What a command of the system prints; nothing if there is none, or it fails."""
    if shutil.which(command) is None:
        return ""
    with trio.move_on_after(ASK_TIME):
        try:
            done = await trio.run_process([command, *words], capture_stdout=True, stderr=DEVNULL, stdin=DEVNULL)
        except (OSError, CalledProcessError):
            return ""
        return done.stdout.decode(errors="replace")
    return ""
