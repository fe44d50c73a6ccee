"""A page in a real browser opens a data channel to a node's side of WebRTC, and messages go both ways."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end import nats
from tests.end_to_end.browser_peer import SIZES
from tests.end_to_end.nats import internet


def test_a_page_echoes_opaque_messages(tmp_path: Path) -> None:
    """In a network namespace: browsers hide their addresses behind names of multicast DNS."""
    chromium = shutil.which("chromium")
    if reason := nats.missing() or ("" if chromium else "apt install chromium"):
        pytest.skip(reason)
    with internet() as net:
        host = net.host("desk")
        words = [sys.executable, "-m", "tests.end_to_end.browser_peer", str(chromium), str(tmp_path / "profile")]
        done = subprocess.run([*host.within, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("came back") == len(SIZES)
