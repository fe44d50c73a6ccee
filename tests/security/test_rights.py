"""Local programs and wrong certificates: whoever has no right to something does not get it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import node
from firefly.client import Attachment as ProgramSide
from firefly.errors import Denied, GlowError
from firefly.interfaces.core import Node
from firefly.keys import NodeKey
from firefly.runtime import current_call, open_workers
from node.attachment import Attachment, Program
from node.certificates import ADMIN, MEMBER, certify
from node.routing.messages import Signed, encode_message
from tests.firefly.runtime.probe import Probe, ProbeServer
from tests.node.family import LIMIT, LISTEN, family
from tests.node.links.neighbours import Neighbour

ID = b"its own resource"


@asynccontextmanager
async def program(glow: node.RunningNode, token: bytes = b"t" * 16) -> AsyncIterator[ProgramSide]:
    """A program that the node started with one token and one resource, and that says it has `token`."""
    started = Program(b"t" * 16, ID, "probe", "/", {}, access=2)
    theirs, ours = socket.socketpair()
    async with open_workers() as workers, trio.open_nursery() as nursery:
        nursery.start_soon(Attachment(glow._node.peers, theirs, program=started).run)
        side = ProgramSide(ours, workers)
        nursery.start_soon(side.run)
        try:
            await side.attach(token)
            yield side
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def alone(folder: Path) -> AsyncIterator[node.RunningNode]:
    async with node.start(folder / "home", name="nas", listen=LISTEN) as glow:
        yield glow


def reason(group: BaseException) -> GlowError:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    assert isinstance(group, GlowError)
    return group


@pytest.mark.parametrize("token", [b"", b"t" * 15, b"t" * 17, b"u" * 16])
async def test_a_wrong_token_attaches_nobody(tmp_path: Path, token: bytes) -> None:
    async with alone(tmp_path) as glow:
        with pytest.raises((GlowError, ExceptionGroup)) as caught:
            async with program(glow, token):
                raise AssertionError("it was let in")
        assert reason(caught.value).message
        assert glow._node.peers.counters["attachment_errors"] == 1
        async with program(glow) as side:  # the right one is
            assert side.address == glow.address


async def test_a_program_serves_its_own_resource_and_no_other(tmp_path: Path) -> None:
    async with alone(tmp_path) as glow, program(glow) as side:
        assert await side.register("probe", ProbeServer(), ID) == ID
        for taken in (ID, glow.address, os.urandom(16)):
            with pytest.raises(GlowError, match="did not register"):
                await side.register("other", ProbeServer(), taken)


@pytest.mark.parametrize("label", ["", "UPPER", "a/b", "../a", "-a", "a" * 64, "nüß", "a b"])
async def test_a_label_that_is_none_is_refused(tmp_path: Path, label: str) -> None:
    async with alone(tmp_path) as glow, program(glow) as side:
        with pytest.raises((GlowError, ExceptionGroup)):
            await side.register(label, ProbeServer())


async def test_a_started_program_has_a_members_rights_even_on_an_administrators_device(tmp_path: Path) -> None:
    async with alone(tmp_path) as glow, program(glow) as side:
        own = Node(side, glow.address, glow.address)
        assert (await own.node_status()).role == ADMIN
        for attempt in (own.kill(bytes(16)), own.join("glow-join:"), own.stop()):
            with pytest.raises(Denied):
                await attempt


async def test_who_calls_is_what_its_key_is_certified_for_not_what_it_says(tmp_path: Path) -> None:
    class Asking(ProbeServer):
        def echo(self, data: bytes) -> bytes:
            caller = current_call().caller
            return bytes([caller.role, caller.local]) + caller.key

    async with family(tmp_path) as all_three:
        at_nas = await all_three.nas.serve("asking", Asking())
        laptop = (await all_three.laptop.node.node_status()).key
        relay = (await all_three.relay.node.node_status()).key
        assert await all_three.laptop.at(all_three.nas.address, at_nas, Probe).echo(b"") == b"\2\0" + laptop
        assert await all_three.relay.at(all_three.nas.address, at_nas, Probe).echo(b"") == b"\1\0" + relay


FORGERIES = ["by itself", "by another user", "by a member", "expired", "for another node"]


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_certificate_opens_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgery: str
) -> None:
    """A node with a certificate that nobody entitled has signed for it, or that has run out."""
    monkeypatch.setattr("node.links.manager.UNCERTIFIED_TIME", 0.3)
    async with family(tmp_path) as all_three:
        relay = all_three.relay._node
        assert relay.namespace is not None
        stranger, user, now = NodeKey.generate(), NodeKey.generate(), time.time()
        shown = {
            "by itself": [certify(stranger, relay.namespace, stranger.public, MEMBER, now)],
            "by another user": [
                certify(user, relay.namespace, user.public, ADMIN, now),
                certify(user, relay.namespace, stranger.public, MEMBER, now),
            ],
            "by a member": [certify(all_three.nas._node.key, relay.namespace, stranger.public, MEMBER, now)],
            "expired": [certify(relay.key, relay.namespace, stranger.public, MEMBER, now - 31 * 86400)],
            "for another node": [certify(relay.key, relay.namespace, NodeKey.generate().public, MEMBER, now)],
        }[forgery]
        assert await shows(tmp_path, all_three.relay, stranger, shown) is False


async def test_a_right_certificate_opens_the_link(tmp_path: Path) -> None:
    async with family(tmp_path) as all_three:
        relay, late = all_three.relay._node, NodeKey.generate()
        assert relay.namespace is not None
        right = certify(relay.key, relay.namespace, late.public, MEMBER, time.time())
        assert await shows(tmp_path, all_three.relay, late, [right]) is True


async def shows(folder: Path, relay: node.RunningNode, key: NodeKey, statements: list[bytes]) -> bool:
    """Dials `relay` with `key`, shows it these statements; whether the link was certified before it ended."""
    async with trio.open_nursery() as nursery:
        stranger = Neighbour(nursery, folder, key=key)
        link = await stranger.manager.dial(relay.listening[0], relay.key)
        await stranger.until(lambda: stranger.ups)
        stranger.say(link, *[encode_message(Signed(0, statement)) for statement in statements])
        certified = False
        with trio.fail_after(LIMIT):
            while not link.down.is_set() and not certified:
                await trio.sleep(0.01)
                certified = any(other.certified for other in relay._node.router.links if other.peer_key == key.public)
        nursery.cancel_scope.cancel()
    return certified
