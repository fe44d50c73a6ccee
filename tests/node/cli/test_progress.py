"""The line that a person sees while a command works."""

from __future__ import annotations

from argparse import Namespace

import pytest
import trio
import trio.testing

from node.cli.progress import Progress, wants_progress


async def test_phases_of_the_line(autojump_clock: trio.testing.MockClock) -> None:
    progress = Progress("copying", shown=True, waits_for="nas")
    assert progress.line(trio.current_time()) == "copying …"
    progress.total = 10_000_000
    progress.skip(2_000_000)
    await trio.sleep(2)
    progress.advance(4_000_000)
    assert progress.line(trio.current_time()) == "copying  6.0 MB of 10 MB  60%  2.0 MB/s, 2 s left"
    await trio.sleep(4)
    assert progress.line(trio.current_time()).endswith(" left – waiting for nas")
    progress.advance(4_000_000)
    assert "left" not in progress.line(trio.current_time())
    assert progress.moved == 8_000_000


async def test_says_what_it_waits_for(autojump_clock: trio.testing.MockClock) -> None:
    progress = Progress("looking", shown=True, waits_for="nas")
    await trio.sleep(5)
    assert progress.line(trio.current_time()) == "looking – waiting for nas"


async def test_nothing_is_drawn_in_the_first_second(
    autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Progress("copying", shown=True).drawn():
        await trio.sleep(0.9)
    assert capsys.readouterr().err == ""


async def test_what_was_drawn_is_wiped_away(
    autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Progress("copying", shown=True).drawn():
        await trio.sleep(1.5)
    drawn = capsys.readouterr().err
    assert "copying …" in drawn
    assert drawn.endswith("\r\x1b[K")


async def test_nothing_is_drawn_for_nobody(
    autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Progress("copying", shown=False).drawn():
        await trio.sleep(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("flag", ["quiet", "json", "jsonl"])
def test_who_wants_it(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {"quiet": False, "json": False, "jsonl": False}
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert wants_progress(Namespace(**flags))
    assert not wants_progress(Namespace(**{**flags, flag: True}))
