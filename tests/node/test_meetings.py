"""Nodes that reach each other over others look for a direct link: who dials whom, when, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import node
from firefly.errors import Denied, InvalidArgument
from firefly.interfaces.core import Meeting, Node, NodeSummary
from node import meetings
from node.acquaintances import BACK_OFF, Acquaintance
from node.cli.explanations import node_finding
from node.links import is_for_others
from node.status import status_of
from node.trials import TRIAL
from tests.node.family import Family, family, until
from tests.node.links.test_webrtc import needs_address

OPEN = "tcp://0.0.0.0:0"
"""Where a node listens that others may dial; all addresses of this machine lead to it."""


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOW_LINKS_DIRECT")


def at(user: node.RunningNode, owner: node.RunningNode) -> Node:
    return user.at(owner.address, owner.address, Node)


async def summary(user: node.RunningNode, other: node.RunningNode) -> NodeSummary:
    nodes = (await user.node.node_status()).nodes
    return next(known for known in nodes if known.address == other.address)


def links(user: node.RunningNode, other: node.RunningNode, kind: str) -> list[object]:
    return [link for link in user._node.router.links if link.kind == kind and link.peer_address == other.address]


async def linked(here: Family, kind: str) -> None:
    await until(lambda: links(here.laptop, here.nas, kind) and links(here.nas, here.laptop, kind))


@needs_address
async def test_devices_that_talk_over_another_one_get_a_data_channel_which_is_tried_before_it_is_used(
    tmp_path: Path,
) -> None:
    """They listen where no other device could dial them."""
    async with family(tmp_path) as here:
        assert await at(here.laptop, here.nas).echo(b"first over the relay") == b"first over the relay"
        await linked(here, "webrtc")
        [link] = links(here.laptop, here.nas, "webrtc")
        assert link.certified  # type: ignore[attr-defined]
        assert link.on_trial  # type: ignore[attr-defined]
        assert not _edge(here)
        known = next(known for known in status_of(here.laptop._node).nodes if known.address == here.nas.address)
        assert (known.how, known.reason) == ("via relay", "the webrtc link to it is tried out first")
        await until(lambda: _edge(here))
        assert trio.current_time() - link.since >= TRIAL  # type: ignore[attr-defined]
        assert (await summary(here.laptop, here.nas)).direct == ""
        for relayed in list(here.relay._node.router.links):  # and now it is all that there is
            relayed.close("gone")
        await until(lambda: here.laptop._node.mesh.path(here.nas.address) == [here.nas.address])
        assert await at(here.laptop, here.nas).echo(b"directly") == b"directly"


def _edge(here: Family) -> bool:
    """Whether both say in their records that they are neighbours."""
    [area] = here.laptop._node.mesh.areas.values()
    ends = (here.laptop, here.nas), (here.nas, here.laptop)
    return all(other.address in dict(area.records[one.address].neighbours) for one, other in ends)


async def test_devices_whose_addresses_can_be_dialled_are_linked_by_tcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.node.family.LISTEN", [OPEN])
    async with family(tmp_path) as here:
        if not any(map(is_for_others, here.nas.listening)):
            pytest.skip("this machine has no address but loopback")
        assert await at(here.laptop, here.nas).echo(b"first") == b"first"
        await linked(here, "tcp")
        assert not links(here.laptop, here.nas, "webrtc")
        await until(lambda: here.laptop._node.mesh.path(here.nas.address) == [here.nas.address])
        assert (await summary(here.laptop, here.nas)).how == "direct tcp"


async def test_who_only_knows_of_each_other_is_not_linked(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        assert not here.laptop._node.meetings._wanted()
        assert (await summary(here.laptop, here.nas)).direct == ""


async def test_what_was_tried_and_when_again_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "is_installed", lambda: False)
    async with family(tmp_path) as here:
        lower = min((here.laptop, here.nas), key=lambda each: each.address)
        other = here.nas if lower is here.laptop else here.laptop
        assert await at(lower, other).echo(b"over the relay") == b"over the relay"
        await until(lambda: "again in" in lower._node.meetings.outcome(other.address))
        said = (await summary(lower, other)).direct
        assert said.startswith("tried no data channel: WebRTC is not installed on this device; again in ")
        assert said in node_finding(await summary(lower, other)).why


async def test_switched_off_nobody_is_dialled_nor_told_an_address(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        await here.nas.node.configure("links.direct", "off")
        answer = await at(here.laptop, here.nas).meet(Meeting(["tcp://192.0.2.1:9"]))
        assert not answer.urls
        assert "links.direct" in answer.reason
        assert not here.nas._node.meetings._known


async def test_only_the_lower_address_may_offer_and_only_members_may_ask(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        lower, higher = sorted((here.laptop, here.nas), key=lambda each: each.address)
        with pytest.raises(InvalidArgument, match="lower address"):
            await at(higher, lower).meet(Meeting([], "v=0"))
        nobody = here.laptop._node.caller_of(bytes(32))
        here.laptop._node.peers.caller_of = lambda key: nobody
        here.laptop._node.peers.forget_roles(here.nas.key)
        with pytest.raises(Denied):
            await at(here.nas, here.laptop).meet(Meeting([]))


@needs_address
async def test_an_offer_that_is_none_is_answered_with_the_reason(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        lower, higher = sorted((here.laptop, here.nas), key=lambda each: each.address)
        answer = await at(lower, higher).meet(Meeting([], "no description"))
        assert not answer.description
        assert "it describes no data channel" in answer.reason


def test_pauses_grow_to_half_an_hour_and_begin_anew() -> None:
    known = Acquaintance(b"")
    pauses = []
    for _ in range(6):
        known.failed(1000.0)
        pauses.append(known.next_attempt - 1000.0)
    assert pauses == [30.0, 120.0, 480.0, 1800.0, 1800.0, 1800.0]
    assert pauses[-1] == BACK_OFF[1]
    known.begin_anew()
    assert known.next_attempt == 0.0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("tcp://192.0.2.7:4747", True),
        ("wss://hub.example:443", True),
        ("tcp://[2001:db8::1]:4747", True),
        ("tcp://127.0.0.1:4747", False),
        ("tcp://127.9.9.9:4747", False),
        ("tcp://[::1]:4747", False),
        ("tcp://localhost:4747", False),
        ("tcp://localhost.example:4747", True),
        ("tcp://127.example:4747", True),
        ("tcp://0.0.0.0:4747", False),
        ("tcp://[::]:4747", False),
        ("tcp://[::1:2]:4747", True),
        ("pipe:rm -rf /", False),
        ("unix:/run/control.sock", False),
        ("tcp://", False),
        ("tcp://[", False),
    ],
)
def test_which_addresses_are_told_and_dialled(url: str, told: bool) -> None:
    assert is_for_others(url) is told
