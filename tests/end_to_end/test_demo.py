"""The main job, as a newcomer sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_passes_with_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "Pictures"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").write_bytes(b"")
    (folder / "deep" / "er" / "ümläut.bin").write_bytes(bytes(range(256)) * 5000)
    command = [sys.executable, str(ROOT / "examples" / "three_devices.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "checks passed" in done.stdout.splitlines()[-1]
    assert sorted(path.name for path in folder.rglob("*")) == ["deep", "empty", "er", "ümläut.bin"]


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "three_devices.py"), str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is no folder" in done.stderr
