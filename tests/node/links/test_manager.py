"""How links are made and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.links import load
from node.links.manager import PAIRING_LINKS
from node.links.standing import Made
from tests.node.links.neighbours import Neighbour


@pytest.mark.parametrize(("longest", "least", "most"), [(30.0, 30, 90), (1.0, 1000, 2010)])
async def test_the_longest_pause_between_attempts(
    longest: float,
    least: int,
    most: int,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await load("memory:nobody")  # what a thread loads takes no time of a clock that jumps
    async with trio.open_nursery() as nursery:
        dialler = Neighbour(nursery, tmp_path)
        attempts: list[str] = []
        standing = dialler.manager.standing
        connect = standing._connect

        async def counted(url: str, expected: bytes | None, made: Made) -> None:
            attempts.append(url)
            await connect(url, expected, made)

        monkeypatch.setattr(standing, "_connect", counted)
        standing.longest_pause = longest
        standing.keep(["memory:nobody"], None)
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    assert least <= len(attempts) <= most


async def test_eight_links_wait_for_a_person(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        manager = Neighbour(nursery, tmp_path).manager
        links: list[Any] = [object() for _ in range(PAIRING_LINKS + 3)]
        assert [manager.begin_pairing(link) for link in links] == [True] * 8 + [False] * 3
        assert manager.begin_pairing(links[0])
        nursery.cancel_scope.cancel()
