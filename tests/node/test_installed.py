"""Which class an entry point means, and what kind of process it is."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from firefly.interfaces.core import BadSpecification, ProcessKind
from node.installed import find_class

SOURCE = """
    from firefly.interfaces.core import ResourceServer

    class Mine(ResourceServer):
        pass

    class Slow(ResourceServer):
        blocking = True

    def function():
        pass
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with the entry points given and a module of its name."""

    def make(package: str, *entries: str, source: str = SOURCE) -> None:
        site = tmp_path / package
        information = site / f"{package}-1.dist-info"
        information.mkdir(parents=True)
        (site / f"{package}.py").write_text(dedent(source))
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        (information / "entry_points.txt").write_text("\n".join(("[glow.processes]", *entries)))
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return make


def test_ours_are_builtin() -> None:
    found = find_class("kv")
    assert (found.kind, found.load.proto) == (ProcessKind.BUILTIN, "glow.kv.KV")


def test_those_of_other_packages_are_plugins_or_threads(install: Install) -> None:
    install("stranger_one", "mine = stranger_one:Mine", "slow = stranger_one:Slow")
    assert find_class("mine").kind is ProcessKind.PLUGIN
    assert find_class("slow").kind is ProcessKind.THREAD


def test_nobody_takes_the_name_of_ours(install: Install) -> None:
    install("stranger_two", "kv = stranger_two:Mine")
    assert find_class("kv").kind is ProcessKind.BUILTIN


def test_two_strangers_with_one_name_are_both_named(install: Install) -> None:
    install("stranger_three", "mine = stranger_three:Mine")
    install("stranger_four", "mine = stranger_four:Mine")
    with pytest.raises(BadSpecification, match="'mine' is in stranger_four and stranger_three: only one"):
        find_class("mine")


def test_a_class_that_is_no_entry_point_is_not_loaded() -> None:
    with pytest.raises(BadSpecification, match=r"os:system.*installed are: .*filesystem, .*kv"):
        find_class("os:system")


@pytest.mark.parametrize(
    ("entry", "source", "reason"),
    [
        ("mine = broken:Mine", "1 / 0", "ZeroDivisionError"),
        ("mine = broken:Mine", "import sys; sys.exit(3)", "SystemExit: 3"),
        ("mine = broken:Mine", "import no_such_module", "No module named 'no_such_module'"),
        ("mine = broken:Missing", SOURCE, "has no attribute 'Missing'"),
        ("mine = broken:function", SOURCE, "no class of an interface's server"),
        ("mine = broken", SOURCE, "no class of an interface's server"),
    ],
)
def test_what_cannot_be_loaded_says_why(entry: str, source: str, reason: str, install: Install) -> None:
    install("broken", entry, source=source)
    with pytest.raises(BadSpecification, match=f"the process 'mine' cannot be loaded: .*{reason}"):
        find_class("mine")
