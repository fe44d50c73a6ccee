"""The main job, end to end: three nodes as separate OS processes in a line, laptop - relay - nas.

    python examples/three_devices.py [FOLDER]

Every command is printed with what came back; everything that it starts it stops; FOLDER is only read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
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

    def glow(self, *arguments: str, check: bool = True, quiet: bool = False) -> str:
        """Runs one command on this device; returns its standard output."""
        shown = ["glow" if part == GLOW else part for part in arguments]
        print(f"\n{self.name}$ glow {shlex.join(shown)}", flush=True)
        done = subprocess.run(
            [GLOW, "--home", str(self.home), *arguments], capture_output=True, text=True, timeout=600, check=False
        )
        if not quiet:
            show(done.stdout)
        show(done.stderr)
        if check and done.returncode:
            raise CheckFailed(f"`glow {shlex.join(shown)}` on {self.name} ended with {done.returncode}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.glow("--json", *arguments, quiet=True))

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


def run(check: Checks, folder: Path, work: Path, laptop: Device, relay: Device, nas: Device) -> None:
    pair(check, laptop, relay, nas)
    inbox = work / "inbox"
    inbox.mkdir()
    furnish(nas, folder, inbox)
    files(check, folder, work, inbox, laptop)
    keys(check, laptop)
    guestbook(check, laptop)
    javascript(check, laptop, nas)
    look(check, laptop)
    survive(check, laptop, nas, inbox)


def pair(check: Checks, laptop: Device, relay: Device, nas: Device) -> None:
    relay.start("node", "--name", "relay", "--listen", "tcp://127.0.0.1:0")
    for device in (nas, laptop):
        invite = relay.json("invite", "--name", device.name, "--yes")
        ready = device.start("join", invite["link"], "--name", device.name)
        check(f"{device.name} joined", ready.get("name") == device.name)


def furnish(nas: Device, folder: Path, inbox: Path) -> None:
    nas.glow("create", "filesystem", "--label", "files", f"root={folder}")
    nas.glow("create", "filesystem", "--label", "inbox", f"root={inbox}", "writable=yes")
    nas.glow("create", "kv", "--label", "settings")
    program = HERE / "guestbook" / "process.py"
    nas.glow("create", "program", "--label", "guestbook", "--", sys.executable, str(program))


def files(check: Checks, folder: Path, work: Path, inbox: Path, laptop: Device) -> None:
    until(lambda: "files" in laptop.glow("ls", "nas"))
    laptop.glow("ls", "-l", "nas:")
    copy = work / "copy"
    laptop.glow("cp", "-r", "nas:", str(copy))
    original = digests(folder)
    check(f"{len(original)} files came over the relay byte for byte", digests(copy) == original)
    letter = work / "letter.txt"
    letter.write_text("Written on the laptop, kept on the nas.\n" * 1000)
    laptop.glow("cp", str(letter), "nas/inbox:letter.txt")
    check("a file was copied into the writable share", (inbox / "letter.txt").read_bytes() == letter.read_bytes())
    denied = subprocess.run(
        [GLOW, "--home", str(laptop.home), "cp", str(letter), "nas:letter.txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\nlaptop$ glow cp {letter.name} nas:letter.txt")
    show(denied.stderr)
    check("the read-only share refused a write", denied.returncode != 0 and "hint:" in denied.stderr)


def keys(check: Checks, laptop: Device) -> None:
    watch = subprocess.Popen(
        [GLOW, "--home", str(laptop.home), "--jsonl", "kv", "watch", "nas/settings", "--since", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    print("\nlaptop$ glow --jsonl kv watch nas/settings --since 0 &")
    try:
        laptop.glow("kv", "set", "nas/settings", "theme", "dark")
        check("a key reads back", laptop.glow("kv", "get", "nas/settings", "theme").strip() == "dark")
        laptop.glow("kv", "set", "nas/settings", "font", "mono")
        check("keys are listed", {"theme", "font"} <= set(laptop.glow("kv", "ls", "nas/settings").split()))
        assert watch.stdout is not None
        changes = [json.loads(watch.stdout.readline()) for _ in range(2)]
        show("\n".join(map(json.dumps, changes)))
        check("the watch told of both keys", [change["key"] for change in changes] == ["theme", "font"])
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait(10)
        if watch.stdout is not None:
            watch.stdout.close()


def guestbook(check: Checks, laptop: Device) -> None:
    until(lambda: "guestbook" in laptop.glow("ls", "nas"))
    laptop.glow("call", "nas/guestbook.sign", "name=laptop", "message=hello from the other side")
    rude = laptop.glow("call", "nas/guestbook.sign", "name=laptop", "message=darn", check=False)
    check("a declared error came back as one", not rude)
    entries = laptop.json("call", "nas/guestbook.entries")
    check("the example process keeps entries", [entry["name"] for entry in entries] == ["laptop"])


def javascript(check: Checks, laptop: Device, nas: Device) -> None:
    """A process in another language, written from docs/concepts/wire.md."""
    if shutil.which("node") is None:
        print("\n  skipped: a process in JavaScript, since there is no Node.js (`node`) on this device")
        return
    nas.glow("create", "program", "--label", "dice", "--", "node", str(HERE / "javascript" / "dice.mjs"))
    until(lambda: "dice" in laptop.glow("ls", "nas"))
    rolls = laptop.json("call", "nas/dice.roll", "count=100")
    check("a process in JavaScript threw 100 dice", len(rolls) == 100 and set(rolls) <= set(range(1, 7)))
    wrong = laptop.glow("call", "nas/dice.roll", "sides=1", check=False)
    check("its declared error came back as one", not wrong)


def look(check: Checks, laptop: Device) -> None:
    laptop.glow("status")
    laptop.glow("ls")
    processes = laptop.json("ps", "nas")
    laptop.glow("ps", "nas")
    labels = {process["label"] for process in processes}
    check("ps shows the four processes", {"files", "inbox", "settings", "guestbook"} <= labels)
    laptop.glow("ping", "nas")
    laptop.glow("trace", "nas")
    hops = [hop["name"] for hop in laptop.json("trace", "nas")]
    check("the way to nas leads through relay", hops == ["laptop", "relay", "nas"])


def survive(check: Checks, laptop: Device, nas: Device, inbox: Path) -> None:
    before = {process["label"]: process["id"] for process in laptop.json("ps", "nas")}
    print("\nnas$ kill -9 (its node)")
    nas.stop(signal.SIGKILL)
    nas.start("node")
    until(lambda: "guestbook" in laptop.glow("ls", "nas", check=False))
    after = {process["label"]: process["id"] for process in laptop.json("ps", "nas")}
    check("after kill -9 and a restart the processes are the same", before == after)
    check("the key is still there", laptop.glow("kv", "get", "nas/settings", "theme").strip() == "dark")
    back = inbox.parent / "letter-back.txt"
    laptop.glow("cp", "nas/inbox:letter.txt", str(back))
    check("the copied file is still there", back.read_bytes() == (inbox / "letter.txt").read_bytes())
    entries = laptop.json("call", "nas/guestbook.entries")
    check("the guestbook is still signed", len(entries) == 1)


def until(holds: Any, seconds: float = START_TIME) -> None:
    """Repeats a command until it shows what it must."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise CheckFailed(f"nothing changed within {seconds:g} s")
        time.sleep(0.2)


@contextlib.contextmanager
def devices(work: Path) -> Iterator[tuple[Device, Device, Device]]:
    laptop, relay, nas = (Device(name, work / "homes") for name in ("laptop", "relay", "nas"))
    try:
        yield laptop, relay, nas
    finally:
        for device in (laptop, nas, relay):
            device.stop()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Checks()
    with tempfile.TemporaryDirectory(prefix="glow-demo-") as name:
        work = Path(name)
        given = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else ""
        folder = Path(given).expanduser().resolve() if given else tracked_files(work / "repository")
        if not folder.is_dir():
            print(f"demo: {folder} is no folder", file=sys.stderr)
            return 2
        try:
            with devices(work) as (laptop, relay, nas):
                run(check, folder, work, laptop, relay, nas)
        except CheckFailed as error:
            print(f"\ndemo: FAILED: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"\ndemo: {check.passed} checks passed")
    return 0


if __name__ == "__main__":
    os.environ.pop("GLOW_HOME", None)
    sys.exit(main())
