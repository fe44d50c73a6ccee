"""Where a node keeps its state, and the socket on which programs attach to it."""

from __future__ import annotations

import hashlib
import os
import sys
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


def configuration_path(home: Path) -> Path:
    """The configuration file of the node at `home`: in that folder, if somebody has named it.

    Of the system's own home, where that system has configuration: `~/.config/glow` on Linux and on macOS (XDG), the
    folder of application data on Windows.
    """
    import platformdirs

    if home.absolute() != Path(platformdirs.user_data_dir("glow", appauthor=False)):
        return home.absolute() / "config.toml"
    if sys.platform == "win32":
        return Path(platformdirs.user_config_dir("glow", appauthor=False)) / "config.toml"
    from platformdirs.unix import Unix

    return Path(Unix("glow", appauthor=False).user_config_dir) / "config.toml"


def socket_path(home: Path) -> Path:
    """The control socket of the node at `home`; in a private temporary folder if the home's path is too long."""
    path = home.absolute() / "control.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    folder = os.environ.get("XDG_RUNTIME_DIR") or os.path.join(tempfile.gettempdir(), f"glow-{os.getuid()}")
    return Path(folder) / f"glow-{name}.sock"
