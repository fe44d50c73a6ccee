"""What `make test-slow` does where a tool is missing: a folder of commands stands in for the whole machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "slow_tools.sh"
SHELL = shutil.which("sh")
pytestmark = pytest.mark.skipif(SHELL is None, reason="there is no sh here")


class Machine:
    """Commands and what they do, in the language of the shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = folder / "asked"
        folder.mkdir()
        self.has(uname="echo Linux", id="echo 0")

    def has(self, **commands: str) -> None:
        for name, does in commands.items():
            path = self.folder / name.replace("_", "-")
            path.write_text(f"#!{SHELL}\n{does}\n")
            path.chmod(0o755)

    def run(self) -> str:
        """What the script says; it never fails."""
        assert SHELL is not None
        environment = {"PATH": str(self.folder)}
        done = subprocess.run([SHELL, SCRIPT], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


ALL = ("ip", "tc", "nft", "conntrack", "turnserver", "chromium")


def test_where_nothing_is_missing_nothing_is_done_or_said(machine: Machine) -> None:
    machine.has(**dict.fromkeys(ALL, ""), apt_get="exit 1")
    assert machine.run() == ""


def test_what_is_missing_is_installed_and_said_before(machine: Machine) -> None:
    machine.has(ip="", tc="", conntrack="", turnserver="", apt_get=f'echo "$@" >>{machine.asked}')
    assert machine.run() == "test-slow: installing nftables chromium with apt-get\n"
    install = "install -y -qq --no-install-recommends"
    assert machine.asked.read_text() == f"update -qq\n{install} nftables\n{install} chromium\n"


def test_the_service_of_coturn_never_runs(machine: Machine) -> None:
    machine.has(**dict.fromkeys(ALL, ""))
    (machine.folder / "turnserver").unlink()
    machine.has(**dict.fromkeys(("apt_get", "systemctl"), f'echo "$1" >>{machine.asked}'))
    machine.run()
    assert machine.asked.read_text().split() == ["update", "mask", "install", "unmask", "disable"]


def test_who_is_not_root_is_told_what_is_skipped(machine: Machine) -> None:
    machine.has(id="echo 1000", chromium="", apt_get=f'echo "$@" >>{machine.asked}')
    packages = "iproute2 nftables conntrack coturn"
    assert machine.run() == f"test-slow: without {packages}, and root, tests of real networks are skipped\n"
    assert not machine.asked.exists()


def test_a_no_of_apt_ends_nothing(machine: Machine) -> None:
    machine.has(**dict.fromkeys(ALL[:-2], ""), apt_get=f'echo "$@" >>{machine.asked}; exit 100')
    said = machine.run()
    assert "could not update its lists" in said
    for package in "coturn", "chromium":
        assert f"could not install {package}; the tests of real networks that need it are skipped" in said
        assert package in machine.asked.read_text()


def test_other_systems_need_none_of_it(machine: Machine) -> None:
    machine.has(uname="echo Darwin")
    assert machine.run() == ""
