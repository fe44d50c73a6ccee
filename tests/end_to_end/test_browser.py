"""A page in a real browser opens a data channel to a node's side of WebRTC, and messages go both ways."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end import nats
from tests.end_to_end.browser_peer import NAMES_ALONE, SIZES, TRICKLE
from tests.end_to_end.nats import internet


@pytest.mark.parametrize("chosen", [(), (NAMES_ALONE,), (TRICKLE,), (TRICKLE, NAMES_ALONE)], ids=" ".join)
def test_a_page_echoes_opaque_messages(tmp_path: Path, chosen: tuple[str, ...]) -> None:
    """A page that makes its offer when it knows all its candidates, and one that tells them one by one, after it.

    Either hides its addresses behind names of multicast DNS (browser_peer.py checks it), and is found by them alone
    when it is not told the node's. In a network namespace, whose multicast is heard by nobody else.
    """
    chromium = shutil.which("chromium")
    if reason := nats.missing() or ("" if chromium else "apt install chromium"):
        pytest.skip(reason)
    with internet() as net:
        host = net.host("desk")
        words = [sys.executable, "-m", "tests.end_to_end.browser_peer", str(chromium), str(tmp_path / "profile")]
        command = [*host.within, *words, *chosen]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("came back") == len(SIZES)
