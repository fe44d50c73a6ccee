"""A home where no node runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.configuration.errors import BadConfiguration
from node.configuration.offline import Offline
from node.home import Home, HomeInUse


async def test_reading_makes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    found = await Offline(home, {"GLOW_LOG_LEVEL": "info"}).configuration()
    assert found.path == str(tmp_path / "home" / "config.toml")
    assert {s.key: (s.value, s.source) for s in found.settings}["log.level"] == ('"info"', "GLOW_LOG_LEVEL")
    assert not home.path.exists()


async def test_changing_holds_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    offline = Offline(home, {})
    change = await offline.configure("log.level", "info")
    assert change.entry is not None
    assert (change.entry.number, change.applied, change.restart) == (1, [], [])
    with home.lock():
        with pytest.raises(HomeInUse):
            await offline.configure("log.level", "debug")
        with pytest.raises(HomeInUse):
            await offline.configuration_history()
        assert {s.key: s.value for s in (await offline.configuration()).settings}["log.level"] == '"info"'
    assert await offline.configuration_text(1) == home.configuration.read_bytes()
    assert (await offline.configuration_rollback(None)).entry is not None
    assert [entry.number for entry in await offline.configuration_history()] == [2, 1]


async def test_a_broken_file_hides_nothing_but_its_values(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    offline = Offline(home, {})
    await offline.configure("log.level", "info")
    home.configuration.write_bytes(b"x = ")
    found = await offline.configuration()
    assert "it is no TOML" in found.problem
    assert {s.key: s.source for s in found.settings}["log.level"] == "default"
    assert (await offline.configuration_history())[0].who == "edited file"
    await offline.configuration_rollback(None)
    assert (await offline.configuration()).problem == ""


async def test_an_odd_environment_stops_no_change(tmp_path: Path) -> None:
    offline = Offline(Home(tmp_path / "home"), {"GLOW_LOG_LEVEL": "loud"})
    with pytest.raises(BadConfiguration, match="GLOW_LOG_LEVEL=loud"):
        await offline.configuration()
    assert (await offline.configure("log.level", "info")).entry is not None
