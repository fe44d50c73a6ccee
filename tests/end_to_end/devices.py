"""Real nodes as OS processes with homes of their own, driven by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GLOW = [sys.executable, "-m", "node.cli.main"]
START_LIMIT = 30.0
"""Seconds after which a node that says nothing counts as stuck."""


class Device:
    """A home, and the node that runs on it. `program` is what runs here; `within`: the command that it is handed to."""

    def __init__(self, home: Path, within: tuple[str, ...] = (), program: Sequence[str] = GLOW) -> None:
        self.home = home
        self.within = within
        self.program = program
        self.node: subprocess.Popen[str] | None = None

    def run(self, *words: str, limit: float = 60.0) -> subprocess.CompletedProcess[str]:
        """One command, whatever it answers."""
        command = [*self.within, *self.program, "--home", str(self.home), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)

    def glow(self, *words: str) -> str:
        """One command that must succeed; its standard output."""
        done = self.run(*words)
        assert done.returncode == 0, f"glow {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.glow("--json", *words))

    def popen(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on."""
        command = [*self.within, *self.program, "--home", str(self.home), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start(self, *words: str) -> dict[str, Any]:
        """Starts the node; returns what it says when it is ready."""
        self.node = self.popen("--json", *words)
        stuck = threading.Timer(START_LIMIT, self.node.kill)
        stuck.start()
        try:
            assert self.node.stdout is not None
            line = self.node.stdout.readline()
        finally:
            stuck.cancel()
        assert line, self.node.communicate()[1]
        ready: dict[str, Any] = json.loads(line)
        return ready

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends the node; returns its exit code."""
        assert self.node is not None
        node, self.node = self.node, None
        node.send_signal(how)
        node.communicate(timeout=30)
        return node.returncode


def first(folder: Path, name: str = "nas") -> Device:
    """The first device of a namespace, running."""
    device = Device(folder / name)
    device.start("node", "--name", name, "--listen", "tcp://127.0.0.1:0")
    return device


def joined(folder: Path, inviter: Device, name: str) -> Device:
    """One more device, running."""
    device = Device(folder / name)
    link = inviter.json("invite", "--name", name, "--yes")["link"]
    device.start("join", link, "--name", name, "--listen", "tcp://127.0.0.1:0")
    return device


def children_of(process: int) -> list[int]:
    """OS processes that a process has started and that still live (Linux)."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == process:
                found.append(int(entry))
    return found
