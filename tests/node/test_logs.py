"""The ring of what was said: its bounds, its readers, and who is heard."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
import trio
import trio.testing

import node
from firefly.errors import Denied
from firefly.interfaces.core import LogLevel, LogRecord, Node, ProcessKind, Role, Specification
from firefly.interfaces.kv import KV
from node.logs import MAX_BYTES, MAX_MESSAGE, MAX_RECORDS, Log, hearing
from tests.node.family import LIMIT, LISTEN, family


def said(log: Log, count: int, process: str = "node", text: str = "") -> None:
    for _ in range(count):
        log.add(LogLevel.INFO, process, "test", text)


def everything(record: LogRecord) -> bool:
    return True


async def records(log: Log, after: int = 0, last: int | None = None, process: str = "") -> list[LogRecord]:
    wanted = everything if not process else lambda record: record.process == process
    return [record async for record in log.read(after, last, False, wanted)]


async def test_records_are_numbered_and_kept_in_order() -> None:
    log = Log()
    log.add(LogLevel.ERROR, "files", "disk", "gone", {"code": 5})
    said(log, 2)
    found = await records(log)
    assert [record.number for record in found] == [1, 2, 3]
    first = found[0]
    assert (first.level, first.process, first.logger, first.message) == (LogLevel.ERROR, "files", "disk", "gone")
    assert first.fields == {"code": "5"}
    assert log.counts == {"error": 1, "info": 2}


async def test_the_oldest_go_when_there_are_too_many() -> None:
    log = Log()
    said(log, MAX_RECORDS + 5)
    found = await records(log)
    assert len(found) == MAX_RECORDS
    assert (found[0].number, found[0].lost, found[1].lost) == (6, 5, 0)


async def test_the_oldest_go_when_they_are_too_big() -> None:
    log = Log()
    said(log, 2000, text="x" * MAX_MESSAGE)
    found = await records(log)
    assert len(found) < MAX_BYTES / MAX_MESSAGE
    assert found[0].lost == 2000 - len(found)
    said(log, MAX_RECORDS)
    assert len(await records(log)) == MAX_RECORDS, "small ones find room again"


async def test_what_is_too_long_or_no_unicode_is_cut() -> None:
    log = Log()
    log.add(LogLevel.INFO, "node", "t", "begin" + "x" * 100_000 + "end", {f"k{n}": "v" * 9999 for n in range(99)})
    log.add(LogLevel.INFO, "node", "t", "\udcff")
    long, odd = await records(log)
    assert len(long.message) <= MAX_MESSAGE + 3
    assert (long.message[:5], long.message[-3:]) == ("begin", "end")
    assert len(long.fields) == 16
    assert all(len(value) < 300 for value in long.fields.values())
    assert odd.message.encode() == b"?"


async def test_the_last_of_those_that_are_wanted() -> None:
    log = Log()
    for _ in range(10):
        said(log, 1, "files")
        said(log, 3)
    assert [record.number for record in await records(log, last=2, process="files")] == [33, 37]
    assert [record.number for record in await records(log, after=35, last=2, process="files")] == [37]
    assert len(await records(log, last=99, process="files")) == 10
    assert await records(log, last=0) == []
    assert [record.lost for record in await records(log, last=2, process="files")] == [0, 0], "skipped is not lost"


async def test_lines_that_came_too_fast_count_as_lost() -> None:
    log = Log()
    said(log, 1)
    log.skip(7)
    said(log, 1)
    assert [record.lost for record in await records(log)] == [0, 7]


async def test_a_follower_hears_what_comes_from_any_thread() -> None:
    log = Log()
    said(log, 1, text="before")
    with trio.fail_after(LIMIT):
        reading = log.read(0, None, True, everything)
        assert (await anext(reading)).message == "before"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: said(log, 1, text="from a thread"))
            assert (await anext(reading)).message == "from a thread"
        await reading.aclose()


async def test_a_slow_follower_loses_the_oldest_and_is_told() -> None:
    log = Log()
    said(log, 1)
    reading = log.read(0, None, True, everything)
    assert (await anext(reading)).number == 1
    said(log, 3 * MAX_RECORDS)
    found = [await anext(reading) for _ in range(MAX_RECORDS)]
    await reading.aclose()
    assert found[0].lost == 2 * MAX_RECORDS
    assert sum(record.lost for record in found) + len(found) == 3 * MAX_RECORDS
    assert found[-1].number == 3 * MAX_RECORDS + 1


async def test_a_follower_can_begin_at_the_end() -> None:
    log = Log()
    said(log, 5)
    reading = log.read(0, 0, True, everything)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def say() -> None:
            await trio.testing.wait_all_tasks_blocked()
            said(log, 1, text="new")

        assert (await anext(reading)).message == "new"
    await reading.aclose()


# --- Python's logging


@contextmanager
def unconfigured() -> Iterator[None]:
    """The root logger as it is in a program that has not configured logging."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    root.setLevel(logging.WARNING)
    try:
        yield
        assert (root.handlers, root.level) == ([], logging.WARNING), "it is left as it was"
    finally:
        root.handlers = handlers
        root.setLevel(level)


async def test_standard_error_stays_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    log, talk = Log(), logging.getLogger("x")
    with unconfigured():
        with hearing(log, object()), hearing(Log(), object()):
            talk.warning("%s", "printed")
            talk.info("heard only", extra={"size": 3})
            talk.debug("not heard")
        talk.warning("after")
    assert capsys.readouterr().err == "printed\nafter\n"
    found = await records(log)
    assert [(record.level.name, record.message) for record in found] == [("WARNING", "printed"), ("INFO", "heard only")]
    assert (found[1].process, found[1].logger, found[1].fields) == ("node", "x", {"size": "3"})


async def test_who_configured_logging_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        before = root.level
        with hearing(Log(), object()):
            assert root.level == before
            assert logging.lastResort not in root.handlers
    finally:
        root.removeHandler(handler)


async def test_a_traceback_is_part_of_the_message_and_a_bad_record_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log = Log()
    with hearing(log, object()):
        try:
            raise ValueError("no such thing")
        except ValueError:
            logging.getLogger("x").exception("it failed")
        logging.getLogger("x").warning("%d", "no number")
    (found,) = await records(log)
    assert found.level == LogLevel.ERROR
    assert found.message.startswith("it failed\nTraceback")
    assert found.message.endswith("ValueError: no such thing")


PLUGIN = """
    import logging

    import trio

    from firefly.interfaces.kv import KVServer

    log = logging.getLogger("chatty")

    class Chatty(KVServer):
        async def start(self, context):
            log.warning("start")
            context.nursery.start_soon(self.background)

        async def background(self):
            await trio.to_thread.run_sync(log.warning, "thread")

        async def get(self, key):
            await trio.lowlevel.checkpoint()
            log.warning("handler")
            return None

        def delete(self, key, expected):
            log.warning("inline")
            raise RuntimeError("undeclared")
"""


@pytest.fixture
def chatty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A plugin, installed as a stranger's would be."""
    (tmp_path / "glow_chatty.py").write_text(dedent(PLUGIN))
    info = tmp_path / "glow_chatty-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: glow-chatty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[glow.processes]\nchatty = glow_chatty:Chatty\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("glow_chatty", None)


async def messages(glow: node.RunningNode, process: str) -> list[tuple[str, str]]:
    async with glow.node.logs(process=process) as found:
        return [(record.logger, record.message.splitlines()[0]) async for record in found]


@pytest.mark.usefixtures("chatty")
async def test_what_a_process_says_anywhere_is_its_own(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "one", name="one", listen=LISTEN) as one,
        node.start(tmp_path / "two", name="two", listen=LISTEN) as two,
    ):
        await one.node.create(Specification("talker", ProcessKind.PLUGIN, "chatty"))
        kv = await one.open("self/talker", KV)
        assert await kv.get("x") is None
        with pytest.raises(Exception, match="does not declare"):
            await kv.delete("x")
        with trio.fail_after(LIMIT):
            while ("chatty", "thread") not in await messages(one, "talker"):  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        found = await messages(one, "talker")
        assert {text for logger, text in found if logger == "chatty"} == {"start", "thread", "handler", "inline"}
        assert ("process", "running: it serves glow.kv.KV") in found
        assert [text.partition(" in ")[2] for logger, text in found if logger == "firefly"] == ["glow.kv/KV.delete"]
        assert await messages(two, "") == [], "another node of this OS process said all that"


async def test_what_a_program_writes_to_standard_error_is_its_own(tmp_path: Path) -> None:
    script = "import sys; sys.stderr.write('hello\\n\\n' + 'x\\n' * 100000 + 'bye'); sys.exit(3)"
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        with pytest.raises(Exception, match="it exited with 3: bye"):
            await glow.node.create(Specification("noisy", ProcessKind.PROGRAM, sys.executable, ["-c", script]))
        async with glow.node.logs(process="noisy") as stream:
            found = [record async for record in stream]
        lines = [record for record in found if record.logger == "stderr"]
        assert lines[-1].message == "bye"
        assert sum(record.lost for record in lines) > 90_000, "a burst is cut, and said to be"
        assert len(lines) < 10_000
        assert [record.level for record in found if record.logger == "process"] == [LogLevel.WARNING, LogLevel.INFO]


async def test_links_are_told_and_only_administrators_may_read(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        seen = nodes.relay.at(nodes.nas.address, nodes.nas.address, Node)
        async with seen.logs() as stream:
            told = [record.message async for record in stream if record.logger == "links"]
        assert any(re.fullmatch("a link to (relay|[0-9a-f]{8}) is up", text) for text in told)
        member = nodes.laptop.at(nodes.nas.address, nodes.nas.address, Node)
        with pytest.raises(Denied):
            await anext(member.logs())
        assert await member.metrics(), "counters are for members too"
        status = await nodes.relay.node.node_status()
        assert all(node.expires is not None for node in status.nodes)
        assert {node.role for node in status.nodes} == {Role.ADMIN, Role.MEMBER}
