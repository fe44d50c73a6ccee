"""The wheel in an environment of its own with what it requires, and no extra: as `pip install glow` on a phone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from zipfile import Path as ZipPath

import pytest
from packaging.requirements import Requirement

from scripts.check_wheel import build
from tests.end_to_end.devices import Device

EXTRAS = {"lan": "zeroconf", "wasm": "wasmtime", "webrtc": "aiortc"}


def required(by: Distribution, known: dict[str, Distribution]) -> dict[str, Distribution]:
    """Everything that a distribution needs without an extra, as it is installed here; `known` grows by it."""
    for line in by.requires or []:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = distribution(requirement.name)
        if found.name not in known:
            known[found.name] = found
            required(found, known)
    return known


def copy(found: Distribution, site: Path) -> None:
    """Puts an installed distribution into another folder of packages, without its commands."""
    for file in found.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(found.locate_file(file)), target)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An environment with Glow, made without any network; its folder of commands."""
    wheel, environment = build(str(tmp_path)), tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))
    metadata = next(entry for entry in ZipPath(wheel).iterdir() if entry.name.endswith(".dist-info"))
    for found in required(PathDistribution(metadata), {}).values():
        copy(found, site)
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--python", str(environment)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    return environment / "bin"


@pytest.fixture
def phone(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)  # or else Python would find the packages of the checkout
    device = Device(tmp_path / "home", program=[str(installed / "glow")])
    yield device
    if device.node is not None:
        device.node.kill()
        device.node.communicate()


def test_what_pip_installs_without_extras_works(installed: Path, phone: Device, tmp_path: Path) -> None:
    names = [*EXTRAS.values(), "aioice", "av", "pytest"]
    find = f"import importlib.util as u; print([name for name in {names!r} if u.find_spec(name)])"
    assert subprocess.run([installed / "python", "-c", find], capture_output=True, text=True).stdout == "[]\n"
    assert "0." in phone.glow("version")
    phone.start("node", "--name", "phone", "--listen", "tcp://127.0.0.1:0")
    assert phone.json("status")["name"] == "phone"
    seen = phone.glow("doctor")
    assert "everything that Glow needs is installed" in seen
    for extra, name in EXTRAS.items():
        assert f"{name} is not installed; only {extra} needs it" in seen
        assert f"pip install 'glow[{extra}]'" in seen
    content = os.urandom(100_000)
    (tmp_path / "photo").write_bytes(content)
    (tmp_path / "shared").mkdir()
    phone.glow("create", "filesystem", "--label", "files", f"root={tmp_path / 'shared'}", "writable=yes")
    phone.glow("cp", "photo", "phone:photo")
    assert (tmp_path / "shared" / "photo").read_bytes() == content
    phone.glow("create", "kv", "--label", "settings")
    phone.glow("kv", "set", "self/settings", "theme", "dark")
    assert phone.glow("kv", "get", "self/settings", "theme") == "dark"
    assert "hint: pip install 'glow[wasm]'" in phone.run("create", "executor").stderr
    assert phone.stop() == 0
