"""What a running node makes of its configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.configuration.errors import BadConfiguration, UnreadableConfiguration
from node.configuration.history import Author, Entry, History
from node.configuration.live import LOOK_PAUSE, Configuration
from node.configuration.settings import INVITE_LIFETIME, LISTEN, LOG_LEVEL, PROGRAM_LIMIT, Effective, Given, Values
from node.store import Store, StoreFailed

ALICE = Author("alice")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.sqlite")
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def start(path: Path, store: Store, above: Given | None = None) -> Configuration:
    return Configuration(History(path, store), store, above or {})


def written(path: Path, text: str) -> None:
    """What an editor does."""
    path.write_text(text)


async def change(configuration: Configuration, key: str, text: str | None) -> dict[str, list[str]]:
    _, outcome = await configuration.change(lambda history: history.set(key, text, ALICE))
    return {name: keys for name, keys in vars(outcome).items() if keys}


async def test_a_change_is_applied_at_once_or_waits_for_a_restart(path: Path, store: Store) -> None:
    written(path, 'listen = ["tcp://127.0.0.1:1"]')
    configuration = start(path, store, {"programs.limit": Effective(20, "GLOW_PROGRAMS_LIMIT")})
    seen: list[str] = []
    limits: list[int] = []
    configuration.follow(LOG_LEVEL, seen.append)
    configuration.follow(PROGRAM_LIMIT, limits.append)
    assert await change(configuration, "log.level", "debug") == {"applied": ["log.level"]}
    assert await change(configuration, "log.level", "debug") == {}
    assert await change(configuration, "listen", "tcp://127.0.0.1:2") == {"restart": ["listen"]}
    assert await change(configuration, "programs.limit", "99") == {"overridden": ["programs.limit"]}
    assert (seen, limits) == (["warning", "debug"], [20])
    assert configuration.effective(LISTEN) == Effective(("tcp://127.0.0.1:1",), "file")
    assert configuration.after_restart(LISTEN).value == ("tcp://127.0.0.1:2",)
    assert await change(configuration, "listen", "tcp://127.0.0.1:1") == {"applied": ["listen"]}
    assert await change(configuration, "log.level", None) == {"applied": ["log.level"]}
    assert seen[-1] == "warning"
    assert configuration.effective(LOG_LEVEL).source == "default"
    assert start(path, store).effective(PROGRAM_LIMIT) == Effective(99, "file")


@pytest.mark.parametrize("data", [b"log.level = 5", b"levle = 1", b"\xff"])
def test_no_node_starts_with_a_file_that_it_cannot_use(data: bytes, path: Path, store: Store) -> None:
    path.write_bytes(data)
    with pytest.raises(BadConfiguration):
        start(path, store)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnreadableConfiguration):
        start(path, store)


async def test_an_edit_is_noticed(path: Path, store: Store, mock_clock: MockClock) -> None:
    configuration = start(path, store)
    seen: list[float] = []
    changed = trio.Event()

    def take(value: float) -> None:
        seen.append(value)
        if len(seen) == 2:
            changed.set()

    configuration.follow(INVITE_LIFETIME, take)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(configuration.watch)
        await wait_all_tasks_blocked()
        written(path, "invite.lifetime = '2h'")
        mock_clock.jump(LOOK_PAUSE)
        await changed.wait()
        nursery.cancel_scope.cancel()
    assert seen == [86400.0, 7200.0]
    assert [(entry.who, entry.what) for entry in configuration.history.entries()] == [
        ("edited file", 'invite.lifetime = "2h"')
    ]


async def test_an_edit_that_cannot_be_used_changes_nothing_and_is_reported_once(
    path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = start(path, store)
    await change(configuration, "log.level", "info")
    written(path, "log.level = 'info'\nlevle = 1")
    with caplog.at_level(logging.WARNING, "node"):
        await configuration.look()
        await configuration.look()
    assert len(caplog.records) == 1
    assert configuration.problem is not None
    assert "levle" in configuration.problem.cause
    assert configuration.effective(LOG_LEVEL).value == "info"
    written(path, "log.level = 'error'")
    await configuration.look()
    assert configuration.problem is None
    assert configuration.effective(LOG_LEVEL).value == "error"


async def test_a_change_that_cannot_be_kept_is_not_applied(path: Path, store: Store) -> None:
    configuration = start(path, store)
    (pages,) = store._execute("PRAGMA page_count").fetchone()
    store._execute(f"PRAGMA max_page_count = {pages}")
    written(path, "log.level = 'info'\n#" + "x" * 16000)
    await configuration.look()
    assert isinstance(configuration.problem, StoreFailed)
    assert configuration.effective(LOG_LEVEL).value == "warning"
    store._execute("PRAGMA max_page_count = 100000")
    await configuration.look()
    assert configuration.problem is None
    assert configuration.effective(LOG_LEVEL).value == "info"


async def test_changes_at_the_same_time_are_made_one_after_another(path: Path, store: Store) -> None:
    configuration = start(path, store)
    async with trio.open_nursery() as nursery:
        for number in range(20, 40):
            nursery.start_soon(change, configuration, "programs.limit", str(number))
            nursery.start_soon(change, configuration, "links.retry", f"{number}s")
    entries = configuration.history.entries()
    assert len({entry.what for entry in entries}) == len(entries) == 40
    assert configuration.effective(PROGRAM_LIMIT).value == start(path, store).effective(PROGRAM_LIMIT).value


async def test_a_change_whose_caller_leaves_is_made_as_a_whole(path: Path, store: Store) -> None:
    configuration = start(path, store)

    def work(history: History) -> tuple[Entry | None, Values]:
        trio.from_thread.run_sync(scope.cancel)
        return history.set("log.level", "debug", ALICE)

    with trio.CancelScope() as scope:
        await configuration.change(work)
    assert configuration.effective(LOG_LEVEL) == Effective("debug", "file")
    assert len(configuration.history.entries()) == 1
