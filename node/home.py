"""The folder where a node keeps everything: key, state, processes' folders; and who holds it.

    node.key                the node key's seed (node/identity.py)
    state.sqlite            everything else that is kept (node/store.py)
    lock                    who holds the home: OS process and since when
    config.toml             what it is set to; of the user's own node in the XDG folder instead (firefly/home.py)
    control.sock            where programs attach; elsewhere if that path is too long (firefly/home.py)
    processes/<id>/         a process's own folder

Folders are made with mode 0700, files with 0600. Source: docs/concepts/security.md, Authority.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firefly.errors import GlowError
from firefly.home import configuration_path, default_home, socket_path

__all__ = ["Home", "HomeInUse", "UnsafeFolder", "default_home", "write_private"]


class HomeInUse(GlowError):
    """Another node runs on the same home."""

    fault = "caller"


class UnsafeFolder(GlowError):
    """A folder for secrets belongs to somebody else, or others may write into it."""

    fault = "caller"


class Home:
    """Paths inside a home. `make` makes the folder, for its owner alone."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = default_home() if path is None else Path(path).expanduser().absolute()
        self.key_file = self.path / "node.key"
        self.database = self.path / "state.sqlite"
        self.configuration = configuration_path(self.path)
        self.socket = socket_path(self.path)
        self._lock_file = self.path / "lock"

    @property
    def initialized(self) -> bool:
        """Whether a node has its key here."""
        return self.key_file.exists()

    def make(self) -> None:
        """Makes the home and the socket's folder. Raises UnsafeFolder, OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_owner(self.path)
        self.path.chmod(0o700)
        if self.socket.parent != self.path:
            # A fixed name in a folder that everybody may write to: somebody else may have taken it first.
            self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _check_owner(self.socket.parent, stat.S_IWGRP | stat.S_IWOTH)

    def process_folder(self, process: bytes) -> Path:
        """A process's own folder, made if it is not there."""
        folder = self.path / "processes" / process.hex()
        folder.parent.mkdir(exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
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


def _check_owner(folder: Path, forbidden: int = 0) -> None:
    """Raises UnsafeFolder unless the folder is this user's, and has none of the `forbidden` bits in its mode."""
    state = folder.stat()
    if state.st_uid != os.getuid() or state.st_mode & forbidden:
        raise UnsafeFolder(
            f"{folder} is not safe for a node's keys and socket",
            cause=f"its owner is user {state.st_uid} and its mode {stat.S_IMODE(state.st_mode):o}",
            hint=f"`chown` it to yourself and `chmod 700 {folder}`, or choose another one with `--home DIR`",
        )


def write_private(path: Path, data: bytes) -> None:
    """Writes a secret for its owner alone; on disk as a whole when this returns, and never in part. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is kept only when its folder is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
