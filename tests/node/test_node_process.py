"""What a node tells of states that are not well: lapsed certificates, clashing names, links that wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import trio

from firefly.interfaces.core import LinkStatus, Role
from node import RunningNode
from node.directory import name_statement
from tests.node.family import LIMIT, family

DAY = 86400


async def names_of_lapsed(glow: RunningNode, days: float) -> set[str]:
    glow._node.book._clock = lambda: time.time() + days * DAY
    return {node.name for node in (await glow.node.node_status()).lapsed}


async def test_certificates_that_have_ended_are_told_with_the_names(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        assert await names_of_lapsed(nodes.relay, 0) == set()
        assert await names_of_lapsed(nodes.relay, 31) == {"laptop", "nas"}
        status = await nodes.relay.node.node_status()
        assert {node.name for node in status.nodes} == {"relay"}
        lapsed = status.lapsed[0]
        assert lapsed.expires is not None
        assert 29 < (lapsed.expires - datetime.now(UTC)).days + 1 < 31
        assert (lapsed.role, lapsed.reachable) == (Role.MEMBER, False)
        assert await names_of_lapsed(nodes.relay, 731) == {"laptop", "nas", "relay"}
        assert (await nodes.relay.node.node_status()).role == 0, "its own, too"


async def test_the_later_of_two_nodes_with_one_name_clashes(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        admin = nodes.relay._node
        assert admin.directory is not None
        assert admin.directory.secret is not None
        key, secret = nodes.laptop._node.key.public, admin.directory.secret
        admin.publish(name_statement(admin.key, admin.directory.namespace, key, "nas", secret, time.time()))
        clashes = {node.address: node.clash for node in (await nodes.relay.node.node_status()).nodes}
        assert clashes == {nodes.relay.address: False, nodes.laptop.address: True, nodes.nas.address: False}


async def waiting_link(glow: RunningNode) -> LinkStatus:
    with trio.fail_after(LIMIT):
        while True:
            for link in (await glow.node.node_status()).links:
                if link.state == "waiting":
                    return link
            await trio.sleep(0.01)


async def test_a_link_that_waits_says_to_whom_why_and_until_when(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        nodes.relay._node.links.standing.keep(["memory:nobody"], nodes.nas._node.key.public)
        link = await waiting_link(nodes.relay)
        assert (link.peer, link.address, link.url) == ("nas", nodes.nas.address, "memory:nobody")
        why = "nothing answers at memory:nobody: no node of this OS process listens there"
        assert link.reason == why
        assert link.retry is not None
        assert abs((link.retry - datetime.now(UTC)).total_seconds()) < 60
        async with nodes.relay.node.logs() as records:
            told = [record.message async for record in records if record.fields.get("url") == "memory:nobody"]
        assert told == [f"no link came about: {why}"], "once, however often it is tried"
