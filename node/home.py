"""The folder where a node keeps everything: key, state, processes' folders; and who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firefly.errors import GlowError
from firefly.home import default_home, socket_path

__all__ = ["Home", "HomeInUse", "default_home"]


class HomeInUse(GlowError):
    """Another node runs on the same home."""

    fault = "caller"


class Home:
    """Paths inside a home. The folder is made on first use, for its owner alone."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = default_home() if path is None else Path(path).expanduser().absolute()
        self.key_file = self.path / "node.key"
        self.database = self.path / "state.sqlite"
        self.socket = socket_path(self.path)
        self._lock_file = self.path / "lock"

    @property
    def initialized(self) -> bool:
        """Whether a node has its key here."""
        return self.key_file.exists()

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def process_folder(self, process: bytes) -> Path:
        """A process's own folder, made if it is not there."""
        folder = self.path / "processes" / process.hex()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the home. The system lets go of the lock when the OS process ends, however it ends.

        Raises HomeInUse, which says who holds it.
        """
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._in_use(os.pread(descriptor, 200, 0)) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def _in_use(self, written: bytes) -> HomeInUse:
        try:
            holder = json.loads(written)
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["since"]))
            who = f"OS process {holder['pid']}, since {since}"
        except (ValueError, KeyError, TypeError):
            who = "an OS process that did not say which"
        return HomeInUse(
            f"a node runs on {self.path} already",
            cause=f"{who} holds it",
            hint="`glow status` shows it; `--home DIR` starts another node elsewhere",
        )


def write_private(path: Path, data: bytes) -> None:
    """Writes a secret at once and for its owner alone: temporary name, synced, renamed."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
