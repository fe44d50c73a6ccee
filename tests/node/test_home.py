"""The home folder: where things are, who may read them, and who holds it."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firefly.home import SOCKET_PATH_LIMIT
from node.home import Home, HomeInUse, UnsafeFolder, write_private

HOLD = """
import sys, time
from node.home import Home
with Home(sys.argv[1]).lock():
    print("held", flush=True)
    time.sleep(1000)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "deep" / "home")
    home.make()
    return home


def hold(home: Home) -> subprocess.Popen[str]:
    """Another OS process that holds the home."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(home.path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_the_home_is_named_by_argument_then_environment_then_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "named"))
    assert Home(tmp_path).path == tmp_path
    assert Home().path == tmp_path / "named"
    monkeypatch.delenv("GLOW_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert Home().path == tmp_path / "data" / "glow"


def test_the_configuration_is_in_a_named_home_else_where_xdg_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLOW_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert Home(tmp_path).configuration == tmp_path / "config.toml"
    assert Home().configuration == tmp_path / "config" / "glow" / "config.toml"


def test_everything_is_for_its_owner_alone(home: Home) -> None:
    process = home.process_folder(b"\xab" * 16)
    assert process == home.path / "processes" / ("ab" * 16)
    write_private(home.key_file, b"secret")
    assert [mode(path) for path in (home.path, process.parent, process)] == [0o700] * 3
    assert mode(home.key_file) == 0o600
    with home.lock():
        assert mode(home.path / "lock") == 0o600


def test_making_it_again_changes_nothing(home: Home) -> None:
    write_private(home.key_file, b"secret")
    home.path.chmod(0o777)
    home.make()
    assert mode(home.path) == 0o700
    assert home.key_file.read_bytes() == b"secret"
    assert home.process_folder(bytes(16)) == home.process_folder(bytes(16))


def test_a_home_of_somebody_else_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(UnsafeFolder, match="not safe") as caught:
        home.make()
    assert f"user {owner}" in caught.value.cause


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        Home(tmp_path / "file").make()


def test_the_socket_of_a_long_path_is_in_a_folder_that_nobody_else_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    home = Home(tmp_path / ("long" * 30))
    home.make()
    assert len(os.fsencode(home.socket)) <= SOCKET_PATH_LIMIT
    assert home.socket.parent == tmp_path / "run"
    assert mode(home.socket.parent) == 0o700
    home.socket.parent.chmod(0o777)
    with pytest.raises(UnsafeFolder):
        home.make()


def test_a_second_holder_is_told_who_the_first_is(home: Home) -> None:
    child = hold(home)
    try:
        with pytest.raises(HomeInUse) as caught, home.lock():
            raise AssertionError("two hold it")
        assert f"OS process {child.pid}, since 20" in caught.value.cause
        assert str(home.path) in caught.value.message
        assert "glow status" in caught.value.hint
    finally:
        end(child)


def test_a_holder_that_was_killed_holds_nothing(home: Home) -> None:
    child = hold(home)
    os.kill(child.pid, signal.SIGKILL)
    end(child)
    with home.lock():
        assert str(os.getpid()) in (home.path / "lock").read_text()


def test_the_lock_can_be_taken_again(home: Home) -> None:
    with home.lock():
        pass
    with home.lock():
        pass


@pytest.mark.parametrize("written", [b"", b"\xff\xfe", b"[]", b"{}", b'{"pid": 1}', b'{"pid": 1, "since": "x"}', b"1"])
def test_a_lock_file_that_says_nothing_sensible_still_locks(home: Home, written: bytes) -> None:
    with home.lock():
        (home.path / "lock").write_bytes(written)
        with pytest.raises(HomeInUse, match="already"), home.lock():
            raise AssertionError("two hold it")


def test_a_secret_replaces_another_as_a_whole(home: Home) -> None:
    write_private(home.key_file, b"old")
    leftover = home.path / "node.key.new"
    leftover.write_bytes(b"of a run that was cut off")
    leftover.chmod(0o644)
    write_private(home.key_file, b"new")
    assert home.key_file.read_bytes() == b"new"
    assert mode(home.key_file) == 0o600
    assert not leftover.exists()
