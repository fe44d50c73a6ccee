"""Row "hostile signaling": whoever carries offers and answers can lose them, and gets nothing else from them.

The hub stands between two nodes that look for a direct link. It swaps descriptions, so that a channel leads to itself,
and it replays old ones. Whom it lists as attached, nodes do not rely on. Who sits at an address that was told must hold
the key of the node that is meant.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import trio

from firefly.errors import BadHandshake, GlowError
from firefly.interfaces.core import Meeting
from firefly.keys import NodeKey
from firefly.link import HANDSHAKE_FRAME, FrameReader, LinkHandshake, frame
from node import meetings
from node.links import LinkError
from node.links.link import Link
from node.links.webrtc import DataChannels
from tests.node.family import Family, family, until
from tests.node.links.neighbours import Neighbour
from tests.node.links.test_webrtc import OTHERS, needs_address, pair
from tests.node.test_meetings import OPEN, at, links


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOW_LINKS_DIRECT")


def in_order(here: Family) -> tuple[object, object]:
    return tuple(sorted((here.laptop, here.nas), key=lambda each: each.address))


async def link_over(channel_url_owner: Neighbour, channel: object, key: bytes, initiator: bool) -> Link:
    """What a node does with a channel: a link with the holder of `key`, or an error."""
    links: list[Link] = []

    def made(link: Link) -> bool:
        links.append(link)
        link.close("enough")
        return True

    connection = await channel.connection()
    try:
        await channel_url_owner.manager.use(connection, key, made, initiator=initiator)
    except LinkError:
        if not links:
            raise
    finally:
        connection.close()
    return links[0]


@needs_address
async def test_a_hub_that_answers_an_offer_itself_is_not_linked(tmp_path: Path) -> None:
    """It swaps the fingerprint for its own: DTLS comes about, and the handshake inside does not."""
    nas = NodeKey.generate()
    async with trio.open_nursery() as nursery:
        laptop, hub = Neighbour(nursery, tmp_path), Neighbour(nursery, tmp_path)
        async with DataChannels(nursery).open() as offering, DataChannels(nursery).open() as answering:
            offering.accept(await answering.answer(await offering.offer([]), []))
            async with trio.open_nursery() as both:
                both.start_soon(_quietly, hub, answering, laptop.key.public)
                with pytest.raises(BadHandshake):
                    await link_over(laptop, offering, nas.public, True)
                both.cancel_scope.cancel()
        assert not laptop.ups
        nursery.cancel_scope.cancel()


async def _quietly(hub: Neighbour, channel: object, key: bytes) -> None:
    try:
        await link_over(hub, channel, key, False)
    except GlowError:
        return


@needs_address
async def test_the_right_node_is_linked_by_the_same_steps(tmp_path: Path) -> None:
    """The positive control."""
    async with pair(tmp_path) as both:
        assert (await both.link()).peer_key == both.other.key.public


@needs_address
async def test_an_answer_that_is_replayed_leads_nowhere(tmp_path: Path) -> None:
    """It names addresses and passwords of a channel that is gone."""
    async with trio.open_nursery() as nursery:
        mine, theirs = DataChannels(nursery), DataChannels(nursery)
        async with mine.open() as first, theirs.open() as other:
            old = await other.answer(await first.offer([]), [])
        async with mine.open() as second:
            await second.offer([])
            second.accept(old)
            with pytest.raises(LinkError):
                await second.connection(1.0)
        nursery.cancel_scope.cancel()


@needs_address
async def test_an_offer_that_is_replayed_to_a_node_gives_no_link_and_harms_nobody(tmp_path: Path) -> None:
    """The node answers it, as it must, and the channel that nobody is at ends by itself."""
    async with family(tmp_path) as here:
        lower, higher = in_order(here)
        async with trio.open_nursery() as nursery:
            async with DataChannels(nursery).open() as gone:
                old = await gone.offer([])
            nursery.cancel_scope.cancel()
        before = set(higher._node.router.links)
        for _ in range(3):
            answer = await at(lower, higher).meet(Meeting([], old))
            assert answer.description
        assert {link for link in higher._node.router.links if link.kind == "webrtc"} <= before
        assert await at(lower, higher).echo(b"still well") == b"still well"


class Impostor:
    """Sits at an address that leads to a node no more, and answers with a key of its own."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.linked = False
        self.gone = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        reader = FrameReader(HANDSHAKE_FRAME)
        handshake = LinkHandshake(NodeKey.generate(), os.urandom(8), initiator=False)
        async with stream:
            while data := await stream.receive_some(4096):
                for content in reader.feed(data):
                    self.heard.append(content)
                    if answer := handshake.receive(content):
                        await stream.send_all(frame(answer))
        self.linked = handshake.done
        self.gone.set()


@needs_address
async def test_who_sits_at_an_address_that_was_told_gets_the_first_frame_of_a_handshake_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That frame is the same from everybody: the version, and a key made for it."""
    monkeypatch.setattr(meetings, "is_installed", lambda: False)
    impostor = Impostor()
    async with family(tmp_path) as here, trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, impostor.serve, 0, host="0.0.0.0"))
        host = next(host for host in OTHERS if isinstance(host, str))
        url = f"tcp://{host}:{listener.socket.getsockname()[1]}"
        monkeypatch.setattr(here.nas._node.meetings, "_urls", lambda: [url])
        assert await at(here.laptop, here.nas).echo(b"over the relay") == b"over the relay"
        await impostor.gone.wait()
        await until(lambda: "again in" in here.laptop._node.meetings.outcome(here.nas.address))
        said = here.laptop._node.meetings.outcome(here.nas.address)
        linked = links(here.laptop, here.nas, "tcp")
        nursery.cancel_scope.cancel()
    assert f"tried {url}: another node answers there" in said
    assert [len(content) for content in impostor.heard] == [33]
    assert not impostor.linked
    assert not linked


@needs_address
async def test_the_node_that_is_meant_is_linked_at_the_address_that_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control."""
    monkeypatch.setattr(meetings, "is_installed", lambda: False)
    monkeypatch.setattr("tests.node.family.LISTEN", [OPEN])
    async with family(tmp_path) as here:
        assert await at(here.laptop, here.nas).echo(b"over the relay") == b"over the relay"
        await until(lambda: links(here.laptop, here.nas, "tcp"))
