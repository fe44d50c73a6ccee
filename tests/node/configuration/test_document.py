"""The file: what is wrong with it is said, what a person wrote in it stays."""

from __future__ import annotations

import errno
import os
import stat
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.configuration import document
from node.configuration.document import MAX_FILE, difference, edit, parse, read, write
from node.configuration.errors import BadConfiguration, UnreadableConfiguration, UnwritableConfiguration

PATH = Path("/etc/glow.toml")
WRITTEN = b"""\
# what I set, and why
listen = ["tcp://127.0.0.1:1"]  # behind the router

[log]
# only for now
level = "debug"
"""


def test_every_value_is_checked() -> None:
    assert parse(WRITTEN, PATH) == {"listen": ("tcp://127.0.0.1:1",), "log.level": "debug"}
    assert parse(b"", PATH) == {}
    assert parse(b"\xef\xbb\xbflog.level = 'info'\r\n[invite]\r\n", PATH) == {"log.level": "info"}


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"levle = 1", 'there is no setting "levle"'),
        (b"[log]\nlevle = 'info'", 'there is no setting "log.levle"'),
        (b"'log.level' = 'info'", "there is no setting"),
        (b"[nothing]", 'there is no setting "nothing"'),
        (b"log = 'info'", 'there is no setting "log"'),
        (b"[log.level]\nx = 1", "log.level must be one of"),
        (b"[log.level]", "log.level must be one of"),
        (b"log.level = 5", "log.level must be one of error, warning, info, debug, not 5"),
        (b"listen = 'tcp://127.0.0.1:1'", "listen must be an array"),
        (b"listen = [nan]", "listen must be an array"),
        (b"programs.limit = '100'", "programs.limit must be a whole number"),
        (b"invite.lifetime = 1979-05-27T07:32:00Z", "invite.lifetime must be a time"),
        (b"log.level = 5\nlevle = 1", 'must be one of error, warning, info, debug, not 5; there is no setting "levle"'),
        (b"log.level = ", "it is no TOML: "),
        (b"log.level = 'info'\nlog.level = info", "(at line 2, column "),
        (b"x = " + b"1" * 5000, "it is no TOML: "),
        (b"x = " + b"[" * 10000, "it is no TOML: "),
        (b"\xff\xfe", "it is no UTF-8 text: byte 0 is 0xff"),
        (b"\0", "it is no TOML: "),
        (b"a." * 2000 + b"a = 1", "it is no TOML: "),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_what_helps(data: bytes, cause: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        parse(data, PATH)
    assert caught.value.message == "the configuration in /etc/glow.toml cannot be used"
    assert cause in caught.value.cause
    assert "glow config rollback" in caught.value.hint
    assert len(caught.value.cause) < 1000


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_a_typed_error(data: bytes) -> None:
    with suppress(BadConfiguration):
        parse(data, PATH)


def test_an_edit_leaves_everything_else_as_it_is() -> None:
    assert edit(WRITTEN, "log.level", "info", PATH) == WRITTEN.replace(b'"debug"', b'"info"')
    assert edit(WRITTEN, "log.level", None, PATH) == WRITTEN.replace(b'level = "debug"\n', b"")
    assert edit(WRITTEN, "log.level", "debug", PATH) == WRITTEN
    assert edit(WRITTEN, "invite.lifetime", None, PATH) == WRITTEN
    added = edit(WRITTEN, "invite.lifetime", "2h", PATH)
    assert added.startswith(WRITTEN)
    assert parse(added, PATH)["invite.lifetime"] == 7200.0
    dos = WRITTEN.replace(b"\n", b"\r\n")
    assert edit(dos, "log.level", "info", PATH) == dos.replace(b'"debug"', b'"info"')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# only a comment",
        b"log = {level = 'info'}",
        b"log.level = 'info'",
        b"[log]",
        b"[invite]\nlifetime = '1h'",
    ],
)
def test_a_key_finds_its_place(data: bytes) -> None:
    before = tomllib.loads(data.decode())
    after = tomllib.loads(edit(data, "log.level", "debug", PATH).decode())
    assert after == before | {"log": {"level": "debug"}}
    assert data in edit(data, "log.level", "debug", PATH) or b"level = 'info'" in data


def test_a_new_file_says_what_it_is() -> None:
    assert edit(b"", "log.level", "info", PATH).startswith(b"# ")


@pytest.mark.parametrize(
    ("data", "key"), [(b"log = 5", "log.level"), (b"'a.b' = 1", '"a.b"'), (b"[[log]]", "log.level")]
)
def test_what_cannot_be_edited_is_a_typed_error(data: bytes, key: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        edit(data, key, None if key.startswith('"') else "info", PATH)
    assert "in an editor" in caught.value.hint


def test_a_wrong_key_can_be_removed() -> None:
    assert parse(edit(b"[log]\nlevle = 1\nlevel = 'info'", "log.levle", None, PATH), PATH) == {"log.level": "info"}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (b"", b"log.level = 'info'", 'log.level = "info"'),
        (b"log.level = 'info'", b"# x\nlog.level = 'info'", "the same values"),
        (b"log.level = 'info'", b"programs.limit = 20", "programs.limit = 20, log.level unset"),
        (b"", b"x = 1", 'cannot be used: there is no setting "x"'),
        (b"\xff", b"programs.limit = 20", "programs.limit = 20"),
    ],
)
def test_a_change_in_one_line(before: bytes, after: bytes, what: str) -> None:
    assert difference(before, after, PATH) == what


def test_a_long_change_is_cut() -> None:
    after = "\n".join(f"{chr(97 + number) * 60} = 1" for number in range(20)).encode()
    assert len(difference(b"", after, PATH)) == document.MAX_SUMMARY


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere" / "config.toml") == b""


def test_it_is_for_its_owner_alone_and_a_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "glow.toml"
    link = tmp_path / "config" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(real)
    write(link, b"# mine")
    assert read(link) == real.read_bytes() == b"# mine"
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert [path.name for path in real.parent.iterdir()] == ["glow.toml"]


def test_what_is_no_readable_file_is_a_typed_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large = tmp_path / "large"
    large.write_bytes(b"#" * (MAX_FILE + 1))
    below = large / "config.toml"
    for path, cause in (
        (folder, "no file"),
        (pipe, "no file"),
        (large, "over 16384 bytes"),
        (below, "Not a directory"),
    ):
        with pytest.raises(UnreadableConfiguration) as caught:
            read(path)
        assert cause in caught.value.cause
        assert caught.value.hint


def test_a_mode_that_forbids_reading_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(WRITTEN)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("nothing is unreadable for root")
    with pytest.raises(UnreadableConfiguration) as caught:
        read(path)
    assert f"chmod 600 {path}" in caught.value.hint


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    write(path, b"# before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnwritableConfiguration) as caught:
        write(path, b"# after")
    assert "No space left" in caught.value.cause
    assert "df " in caught.value.hint
    assert read(path) == b"# before"
