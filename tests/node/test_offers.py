"""Direct links that people arrange by hand: the texts, and what comes of them."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import node
from firefly.errors import Busy, Denied, GlowError, InvalidArgument, NoSuchResource
from firefly.interfaces.core import Node
from node.offers import ANSWER, MAX_OPEN, OFFER, parse, to_text
from tests.node.family import family, joined, until
from tests.node.links.test_webrtc import needs_address

KEY = bytes(range(32))


@needs_address
async def test_two_devices_that_nothing_connects_are_linked_by_two_texts(tmp_path: Path) -> None:
    async with (
        node.start(tmp_path / "laptop", name="laptop", listen=["tcp://127.0.0.1:0"]) as laptop,
        joined(tmp_path, laptop, "nas") as nas,
    ):
        for standing in await nas.node.links_list():
            await nas.node.links_remove(standing.urls)
        await until(lambda: not laptop._node.router.links)
        offer = await laptop.node.link_offer()
        answer = await nas.node.link_answer(offer.text)
        linked = await laptop.node.link_accept(offer.number, answer)
        assert linked.name == "nas"
        await until(lambda: laptop._node.mesh.path(nas.address) == [nas.address])
        assert await laptop.at(nas.address, nas.address, Node).echo(b"by hand") == b"by hand"
        [link] = laptop._node.router.links
        assert link.kind == "webrtc"
        assert not link.on_trial  # it is the only way


@needs_address
async def test_what_is_carried_wrongly_is_refused(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        mine = await here.laptop.node.link_offer()
        with pytest.raises(InvalidArgument, match="no other device of yours"):
            await here.laptop.node.link_answer(mine.text)
        with pytest.raises(InvalidArgument, match="no other device of yours"):
            await here.nas.node.link_answer(to_text(OFFER, KEY, "v=0"))
        with pytest.raises(InvalidArgument, match="not an answer"):
            await here.laptop.node.link_accept(mine.number, mine.text)
        with pytest.raises(NoSuchResource, match="no such offer"):
            await here.laptop.node.link_accept(99, to_text(ANSWER, here.nas.key, "v=0"))
        with pytest.raises(Denied):
            await here.nas.at(here.laptop.address, here.laptop.address, Node).link_offer()
        for _ in range(MAX_OPEN - 1):
            await here.laptop.node.link_offer()
        with pytest.raises(Busy):
            await here.laptop.node.link_offer()


@needs_address
async def test_an_answer_that_leads_nowhere_says_why(tmp_path: Path) -> None:
    async with family(tmp_path) as here:
        offer = await here.laptop.node.link_offer()
        with pytest.raises(GlowError) as caught:
            await here.laptop.node.link_accept(offer.number, to_text(ANSWER, here.nas.key, "nonsense"))
        assert caught.value.name == "glow.core.LinkFailed"  # type: ignore[attr-defined]


@given(st.text(max_size=4000))
def test_texts_come_back_whole(description: str) -> None:
    assert parse(OFFER, to_text(OFFER, KEY, description)) == (KEY, description)
    broken = "\n".join(to_text(ANSWER, KEY, description)[start : start + 40] for start in range(0, 8000, 40))
    assert parse(ANSWER, broken) == (KEY, description)


def packed(value: object) -> str:
    return OFFER + base64.urlsafe_b64encode(zlib.compress(msgspec.msgpack.encode(value))).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an offer"),
        ("glow-join:abc", "not an offer"),
        (OFFER + "x" * 20_000, "not an offer"),
        (OFFER, "damaged"),
        (OFFER + "%%%", "damaged"),
        (OFFER + "AAAA", "damaged"),
        (packed([1, b"short", "v=0"]), "damaged"),
        (packed([1, KEY, "x" * 16_385]), "damaged"),
        (packed([1, KEY, "0" * 2**22]), "damaged"),
        (packed([2, KEY, "v=0"]), "another version"),
    ],
)
def test_a_damaged_text_is_told_from_a_good_one(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(OFFER, text)
    assert said in caught.value.message
    assert caught.value.hint
