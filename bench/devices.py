"""Glow as people run it: two nodes as OS processes of their own, driven by the command line.

Mode "copy": `glow cp` of one file from the other device, tmpfs to tmpfs where there is one, verified. Mode "copy to":
the same the other way. "status": `glow status`. "ready": from the start of `glow node` to its ready line. "memory":
what an idle node holds.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter, sleep

from bench.client import HOST, Place

LIBRARY = "trio"
GLOW = str(Path(sys.executable).with_name("glow"))
SIZE = 2**30
SHARED_MEMORY = Path("/dev/shm")
FOUND_TIME = 20.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def glow(home: Path, *arguments: str) -> str:
    command = [GLOW, "--home", str(home), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def node(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A node as an OS process, from its ready line on."""
    command = [GLOW, "--home", str(home), "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            json.loads(process.stdout.readline())
            yield process
        finally:
            process.terminate()
            process.wait()


@contextmanager
def two(folder: Path) -> Iterator[tuple[Path, Path, subprocess.Popen[str]]]:
    """(home of the nas, home of the laptop, the laptop's node): the nas shares `folder`/share, writable."""
    nas, laptop, share = folder / "nas", folder / "laptop", folder / "share"
    share.mkdir()
    with node(nas, "node", "--name", "nas", "--listen", f"tcp://{HOST}:0"):
        link = json.loads(glow(nas, "--json", "invite", "--name", "laptop", "--yes"))["link"]
        with node(laptop, "join", link, "--name", "laptop") as process:
            glow(nas, "create", "filesystem", "--label", "files", f"root={share}", "writable=yes")
            end = perf_counter() + FOUND_TIME
            while "files" not in glow(laptop, "ls", "nas") and perf_counter() < end:
                sleep(0.05)
            yield nas, laptop, process


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    """Nothing: the client's end starts both nodes."""
    yield


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Callable[[], float]]:
    """Gives a function that measures once."""
    fast = SHARED_MEMORY if os.path.isdir(SHARED_MEMORY) else None  # noqa: ASYNC240 (before anything is timed)
    with tempfile.TemporaryDirectory(prefix="glow-bench-", dir=fast) as name:
        folder = Path(name)
        if place.mode == "ready":
            yield lambda: ready(folder)
            return
        with two(folder) as (_, laptop, process):
            measures = {
                "copy": lambda: copy(folder, laptop, f"nas:{LARGE}", str(folder / "copied")),
                "copy to": lambda: copy(folder, laptop, str(folder / "share" / LARGE), "nas:copied"),
                "status": lambda: status(laptop),
                "memory": lambda: memory(process.pid),
            }
            if "copy" in place.mode:
                make_large(folder / "share" / LARGE)
            yield measures[place.mode]


LARGE = "large"


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(SIZE // 2**20):
            file.write(os.urandom(2**20))


def copy(folder: Path, home: Path, source: str, target: str) -> float:
    """MB per second."""
    for left in (folder / "copied", folder / "share" / "copied"):
        left.unlink(missing_ok=True)
    start = perf_counter()
    glow(home, "cp", source, target)
    return SIZE / (perf_counter() - start) / 1e6


def status(home: Path) -> float:
    """ms."""
    start = perf_counter()
    glow(home, "status")
    return (perf_counter() - start) * 1e3


def ready(folder: Path) -> float:
    """ms; a node that has its identity already."""
    home = folder / "home"
    if not home.exists():
        with node(home, "node", "--name", "bench", "--listen", f"tcp://{HOST}:0"):
            pass
    start = perf_counter()
    with node(home, "node"):
        return (perf_counter() - start) * 1e3


def memory(process: int) -> float:
    """MB of resident memory."""
    statm = Path(f"/proc/{process}/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * PAGE / 1e6
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], check=True, capture_output=True, text=True)
    return int(shown.stdout) * 1024 / 1e6
