"""What the demo is told with: devices, each a node of its own, and checks that are counted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GLOW = str(Path(sys.executable).with_name("glow"))
START_TIME = 30.0
"""Seconds that a node may take to come up on a slow machine."""
SHOWN = 12
"""Lines of a command's output that are shown."""


class CheckFailed(Exception):
    """A check of the demo did not hold."""


class Device:
    """One node with a home of its own. `node` is its OS process while it runs."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.home = folder / name
        self.node: subprocess.Popen[str] | None = None

    def glow(self, *arguments: str, check: bool = True, quiet: bool = False, stdin: str | None = None) -> str:
        """Runs one command on this device, with `stdin` piped into it; returns its standard output."""
        shown = ["glow" if part == GLOW else part for part in arguments]
        piped = "" if stdin is None else f"echo {shlex.quote(stdin.strip())} | "
        print(f"\n{self.name}$ {piped}glow {shlex.join(shown)}", flush=True)
        done = subprocess.run(
            [GLOW, "--home", str(self.home), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if not quiet:
            show(done.stdout)
        show(done.stderr)
        if check and done.returncode:
            raise CheckFailed(f"`glow {shlex.join(shown)}` on {self.name} ended with {done.returncode}")
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Runs a command that must fail; returns what it says."""
        print(f"\n{self.name}$ glow {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            [GLOW, "--home", str(self.home), *arguments], capture_output=True, text=True, timeout=600, check=False
        )
        show(done.stderr)
        if not done.returncode:
            raise CheckFailed(f"`glow {shlex.join(arguments)}` on {self.name} did not fail")
        return done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.glow("--json", *arguments, quiet=True))

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[Iterator[str]]:
        """Runs a command in the background for the time of the block; yields its lines. Ctrl-C ends it."""
        print(f"\n{self.name}$ glow {shlex.join(arguments)} &", flush=True)
        with subprocess.Popen(
            [GLOW, "--home", str(self.home), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as command:
            try:
                yield iter(command.stdout or ())
            finally:
                command.send_signal(signal.SIGINT)
                command.wait(10)

    def start(self, *arguments: str) -> dict[str, Any]:
        """Starts this device's node in the background; returns what it says when it is ready."""
        print(f"\n{self.name}$ glow {shlex.join(arguments)} &", flush=True)
        self.node = subprocess.Popen(
            [GLOW, "--home", str(self.home), "--json", *arguments], stdout=subprocess.PIPE, text=True
        )
        timer = threading.Timer(START_TIME, self.node.kill)
        timer.start()
        try:
            assert self.node.stdout is not None
            line = self.node.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise CheckFailed(f"the node {self.name} did not come up")
        ready: dict[str, Any] = json.loads(line)
        show(line)
        return ready

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.node is not None:
            self.node.send_signal(how)
            try:
                self.node.wait(20)
            except subprocess.TimeoutExpired:
                self.node.kill()
                self.node.wait()
            if self.node.stdout is not None:
                self.node.stdout.close()
            self.node = None


def show(text: str) -> None:
    lines = text.rstrip().splitlines()
    for line in lines[:SHOWN]:
        print("   ", line)
    if len(lines) > SHOWN:
        print(f"    ... {len(lines) - SHOWN} more lines", flush=True)


class Checks:
    """Counts what held; raises at the first thing that did not."""

    def __init__(self) -> None:
        self.passed = 0

    def __call__(self, what: str, holds: bool) -> None:
        if not holds:
            raise CheckFailed(what)
        self.passed += 1
        print(f"  ok: {what}", flush=True)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every regular file below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def tracked_files(into: Path) -> Path:
    """A copy of this repository's tracked files, or of its folder where there is no git."""
    root = HERE.parent
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name] if listed.returncode == 0 else []
    if not names:
        shutil.copytree(root, into, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"))
        return into
    for name in names:
        if (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, into / name)
    return into


def until(holds: Any, seconds: float = START_TIME) -> None:
    """Repeats a command until it shows what it must."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise CheckFailed(f"nothing changed within {seconds:g} s")
        time.sleep(0.2)
