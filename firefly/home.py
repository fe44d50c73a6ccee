"""Where a node keeps its state, and the socket on which programs attach to it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

SOCKET_PATH_LIMIT = 100
"""Bytes that every system allows in the path of a unix socket."""


def default_home() -> Path:
    """`GLOW_HOME`, else the user's data folder of this system."""
    named = os.environ.get("GLOW_HOME")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("glow", appauthor=False))


def socket_path(home: Path) -> Path:
    """The control socket of the node at `home`; in a private temporary folder if the home's path is too long."""
    path = home.absolute() / "control.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    folder = os.environ.get("XDG_RUNTIME_DIR") or os.path.join(tempfile.gettempdir(), f"glow-{os.getuid()}")
    return Path(folder) / f"glow-{name}.sock"
