"""`glow route`, `trace`, `why` and `status` of a small mesh of real nodes: ann - bob - cem."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from firefly.interfaces.core import LogLevel
from node import RunningNode, start
from node.cli.main import main
from node.cli.status import steady
from tests.node.cli.test_commands import Shown
from tests.node.family import LIMIT, LISTEN, joined, meet

Run = Callable[..., Awaitable[Shown]]


@pytest.fixture
async def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    """Runs a command on ann."""
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "ann"))
    for name in ("GLOW_NODE", "GLOW_JSON", "GLOW_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)

    async def glow(*words: str) -> Shown:
        capsys.readouterr()
        code = await trio.to_thread.run_sync(main, words)
        captured = capsys.readouterr()
        return Shown(code, captured.out, captured.err)

    async with (
        start(tmp_path / "bob", name="bob", listen=LISTEN) as bob,
        joined(tmp_path, bob, "ann") as ann,
        joined(tmp_path, bob, "cem") as cem,
    ):
        await meet(ann, cem)
        yield glow


async def test_trace_shows_each_hop_with_its_link(run: Run) -> None:
    hops = (await run("trace", "cem", "--json")).data
    assert [hop["name"] for hop in hops] == ["ann", "bob", "cem"]
    assert [hop["link"] for hop in hops] == ["", "tcp", "tcp"]
    assert hops[0]["link_round_trip"] is None
    for hop in hops[1:]:
        assert hop["link_round_trip"] > 0
        assert hop["round_trip"] > 0
        assert 0 <= hop["queued"] < 4096  # what asks the next hop may wait there itself
    assert "WAITING" in (await run("trace", "cem")).out


async def test_route_shows_the_ways(run: Run) -> None:
    routes = (await run("route", "--json")).data
    assert [(route["name"], route["next_name"], route["hops"]) for route in routes] == [
        ("bob", "bob", 1),
        ("cem", "bob", 2),
    ]
    assert routes[0]["cost"] < routes[1]["cost"]
    assert (await run("route", "cem", "--json")).data[0]["name"] == "cem"
    assert "BY WAY OF" in (await run("route")).out
    assert (await run("route", "--node", "cem", "--json")).data[1]["name"] == "ann"
    assert (await run("route", "nobody")).code == 3


async def test_why_tells_the_way_and_why_not_a_direct_one(run: Run) -> None:
    way = next(finding for finding in (await run("why", "cem", "--json")).data if finding["kind"] == "way")
    assert way["state"] == "way over others"
    assert "by way of bob, 2 hops" in way["why"]
    assert "no link leads there directly" in way["why"]
    assert "glow link add" in way["hint"]
    way = next(finding for finding in (await run("why", "bob", "--json")).data if finding["kind"] == "way")
    assert way["state"] == "direct way"


async def test_all_that_a_node_knows(run: Run) -> None:
    records = (await run("status", "--all", "--json")).data["records"]
    edges = {record["name"]: sorted(edge["name"] for edge in record["neighbours"]) for record in records}
    assert edges == {"ann": ["bob"], "bob": ["ann", "cem"], "cem": ["bob"]}
    assert all(record["relaying"] == "always" and record["sequence"] > 0 for record in records)
    assert "RECORD OF" in (await run("status", "--all")).out


async def test_the_map_is_a_picture_of_all_nodes(run: Run, tmp_path: Path) -> None:
    shown = await run("status", "--map", str(tmp_path / "map.svg"))
    assert "3 nodes, 2 pairs linked" in shown.out
    texts = [text.text for text in ElementTree.parse(tmp_path / "map.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert {"ann", "bob", "cem"} <= set(texts)
    assert sum((text or "").startswith("tcp ") for text in texts) == 2
    refused = await run("status", "--map", str(tmp_path / "no" / "map.svg"))
    assert (refused.code, "cannot be written" in refused.err) == (2, True)


async def test_watching_shows_each_change_once(run: Run) -> None:
    shown = await run("status", "--watch", "--jsonl", "--timeout", "1.5")
    assert shown.code == 5
    seen = [steady(json.loads(line)) for line in shown.out.splitlines()]
    assert seen[0]["name"] == "ann"
    assert all(one != other for one, other in pairwise(seen))


async def test_the_log_tells_of_ways_that_come_and_go(tmp_path: Path) -> None:
    async with start(tmp_path / "bob", name="bob", listen=LISTEN) as bob:
        async with joined(tmp_path, bob, "ann"):
            await said(bob, "ann can be reached over tcp")
        await said(bob, "no way leads to ann any more: the link to ann ended: ")


async def said(glow: RunningNode, what: str) -> None:
    with trio.fail_after(LIMIT):
        async with glow.node.logs(0, None, True, LogLevel.INFO, "") as records:
            async for record in records:
                if record.message.startswith(what):
                    return
