"""`glow logs`, `metrics`, `why` and `doctor` against a node that runs, and against none."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio

from firefly.interfaces.core import LogLevel, ProcessKind, Specification
from node import RunningNode, start
from node.cli.explanations import Finding, NodeState
from node.cli.logs import LEVELS
from node.cli.main import main
from node.store import Store
from tests.node.cli.test_commands import Shown
from tests.node.family import LIMIT, LISTEN, joined

Run = Callable[..., Awaitable[Shown]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command as a person gives it, on the device whose home is tmp_path/home."""
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))
    for name in ("GLOW_NODE", "GLOW_JSON", "GLOW_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)

    async def glow(*words: str) -> Shown:
        capsys.readouterr()
        code = await trio.to_thread.run_sync(main, words)
        captured = capsys.readouterr()
        return Shown(code, captured.out, captured.err)

    return glow


@pytest.fixture
async def laptop(tmp_path: Path, run: Run) -> AsyncIterator[RunningNode]:
    async with start(tmp_path / "home", name="laptop", listen=LISTEN) as glow:
        assert (await run("create", "kv", "--label", "settings")).code == 0
        yield glow


def test_levels_are_those_of_the_interface() -> None:
    assert [level.name.lower() for level in LogLevel] == list(LEVELS)


async def test_logs(laptop: RunningNode, run: Run) -> None:
    shown = await run("logs")
    assert re.fullmatch(r"\S+Z  info      settings: running: it serves glow.kv.KV\n", shown.out)
    (record,) = (await run("logs", "--json")).data
    assert (record["process"], record["level"], record["number"], record["lost"]) == ("settings", "info", 1, 0)
    assert json.loads((await run("logs", "laptop", "--jsonl")).out) == record
    assert (await run("logs", "--level", "warning", "--json")).data == []
    quiet = await run("logs", "--process", "nothing")
    assert (quiet.code, quiet.out) == (0, "")
    assert "nothing was said" in quiet.err
    assert (await run("logs", "-n", "0")).out == ""
    assert (await run("logs", "-n", "all")).out == shown.out


@pytest.mark.parametrize("words", [["-n", "many"], ["-n", "-1"], ["--level", "loud"], ["nowhere"]])
async def test_wrong_logs(words: list[str], laptop: RunningNode, run: Run) -> None:
    shown = await run("logs", *words)
    assert (shown.code, shown.out) == (3 if words == ["nowhere"] else 2, "")
    assert shown.err.startswith("error: ")
    assert "hint: " in shown.err


async def test_following_ends_with_the_limit_and_shows_what_came(laptop: RunningNode, run: Run) -> None:
    shown = await run("logs", "-f", "--jsonl", "--timeout", "0.3")
    assert shown.code == 5
    assert json.loads(shown.out)["process"] == "settings"


async def test_lost_records_are_said(laptop: RunningNode, run: Run) -> None:
    laptop._node.log.skip(41)
    assert (await run("kill", "settings")).code == 0
    assert "… 41 older records are gone" in (await run("logs")).err


async def test_metrics(laptop: RunningNode, run: Run) -> None:
    table = (await run("metrics")).out
    assert re.search(r"^glow_process_up +process=settings +1 +gauge", table, re.MULTILINE)
    data = (await run("metrics", "--json")).data
    assert {"name": "glow_sessions", "kind": "gauge", "help": "Open sessions with other nodes.", "labels": {},
            "value": 0.0} in data  # fmt: skip
    text = (await run("metrics", "laptop", "--prometheus")).out
    assert "# TYPE glow_process_up gauge\n" in text
    assert 'glow_process_up{process="settings"} 1\n' in text


def found(shown: Shown) -> list[tuple[str, str, str]]:
    assert shown.code == 0, shown.err
    return [(finding["kind"], finding["thing"], finding["state"]) for finding in shown.data]


async def test_why_of_each_thing(laptop: RunningNode, run: Run, tmp_path: Path) -> None:
    async with joined(tmp_path, laptop, "nas") as nas:
        address = (await run("status", "nas", "--json")).data["address"]
        nodes = [("node", "nas", "direct")]
        for name in ("nas", address, address[:5]):
            assert found(await run("why", name, "--json"))[:1] == nodes
        assert ("node", "laptop", "this node") in found(await run("why", "self", "--json"))
        assert found(await run("why", "settings", "--json")) == [("process", "laptop/settings", "running")]
        offered = [("resource", "laptop/settings", "offered"), ("process", "laptop/settings", "running")]
        assert found(await run("why", "self/settings", "--json")) == offered
        (link,) = [one for one in (await run("why", "nas", "--json")).data if one["kind"] == "link"]
        url = link["thing"].partition(" ")[0]
        assert ("link", link["thing"], "up") in found(await run("why", url, "--json"))
        seen_there = found(await run("why", "laptop", "--node", "nas", "--json"))
        assert ("node", "laptop", "direct") in seen_there
        assert nas.name == "nas"
    text = (await run("why", "nas")).out
    assert text.startswith("nas (node): it cannot be reached: no path leads there")
    assert "\n  hint: switch the device on" in text


async def test_why_alone_shows_what_is_not_well(laptop: RunningNode, run: Run) -> None:
    well = await run("why")
    assert (well.out, well.code) == ("", 0)
    assert "all is well: 1 node, 0 links, 1 process" in well.err
    laptop._node.links.standing.keep(["memory:nobody"], None)
    shown = await run("why", "--json")
    assert [(kind, thing) for kind, thing, _ in found(shown)] == [("link", "memory:nobody")]
    assert found(shown)[0][2] in ("waiting", "connecting")
    with trio.fail_after(LIMIT):
        while "waiting" not in (shown := await run("why", "memory:nobody")).out and shown.code != 3:  # noqa: ASYNC110
            await trio.sleep(0.01)


@pytest.mark.parametrize("thing", ["nothing", "laptop/nothing", "tcp://nowhere:1", "abcdefgh"])
async def test_why_of_nothing_that_is_known(thing: str, laptop: RunningNode, run: Run) -> None:
    shown = await run("why", thing)
    assert (shown.code, shown.out) == (3, "")
    assert "cause: known here: laptop, settings\nhint: glow ls\n" in shown.err
    assert (await run("why", "nowhere/x")).code == 3
    assert (await run("why", "a b")).code == 2


async def test_a_process_that_was_given_up(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.host.BACK_OFF", (0.001, 0.001))
    async with start(tmp_path / "home", name="laptop", listen=LISTEN):
        """Its key and database are made."""
    with closing(Store(tmp_path / "home" / "state.sqlite")) as store:
        packed = msgspec.msgpack.encode(Specification("broken", ProcessKind.PLUGIN, "no-such-kind"))
        store.add_process(bytes(16), "broken", packed)
    async with start(tmp_path / "home", listen=LISTEN):
        with trio.fail_after(LIMIT):
            while "failed" not in (await run("ps", "--json")).out:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        assert found(await run("why", "--json")) == [("process", "laptop/broken", "failed")]
        text = (await run("why", "self/broken")).out
        assert "given up after 5 failures in a minute: there is no kind of process called 'no-such-kind'" in text
        assert "hint: glow logs laptop --process broken" in text
        assert (await run("doctor")).code == 1
        levels = [record["level"] for record in (await run("logs", "--process", "broken", "--json")).data]
        assert levels == ["warning"] * 4 + ["error"]


async def test_a_device_that_belongs_nowhere(run: Run, tmp_path: Path) -> None:
    async with start(tmp_path / "home", listen=LISTEN, found=False):
        assert found(await run("why", "--json")) == [("node", "this device", NodeState.ALONE.value)]
        assert "glow join LINK" in (await run("why", "self")).out


async def test_doctor_with_a_node_that_is_well(laptop: RunningNode, run: Run) -> None:
    shown = await run("doctor", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert {check["level"] for check in shown.data} == {"ok"}
    assert "a node answers at" in (await run("doctor")).out


async def test_doctor_finds_a_failed_process_and_an_open_home(laptop: RunningNode, run: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "node.key").chmod(0o644)
    shown = await run("doctor")
    assert shown.code == 1
    assert f"fail  other users of this device may open {tmp_path}/home/node.key (mode 0644)" in shown.out
    assert f"\n      hint: chmod 600 {tmp_path}/home/node.key\n" in shown.out


async def test_doctor_without_a_node(run: Run) -> None:
    shown = await run("doctor", "--json")
    assert shown.code == 0
    assert [check["level"] for check in shown.data if check["level"] != "ok"] == ["warn", "warn"]


async def test_doctor_of_a_node_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    from firefly.home import socket_path

    (tmp_path / "home").mkdir(mode=0o700)
    with trio.socket.socket(trio.socket.AF_UNIX) as listener:
        await listener.bind(str(socket_path(tmp_path / "home")))
        listener.listen(1)
        shown = await run("doctor", "--timeout", "0.1")
    assert shown.code == 1
    assert "fail  the node on this device does not answer as it should" in shown.out


@pytest.mark.parametrize("words", [["logs"], ["metrics"], ["why"], ["why", "nas"], ["logs", "-f"]])
async def test_without_a_node(words: list[str], run: Run) -> None:
    shown = await run(*words)
    assert (shown.code, shown.out) == (9, "")
    assert "hint: " in shown.err


def test_findings_are_data() -> None:
    finding = Finding("node", "nas", "direct", True, "why", "")
    assert finding.data() == {"kind": "node", "thing": "nas", "state": "direct", "well": True, "why": "why", "hint": ""}
