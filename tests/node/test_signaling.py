"""A hub's signaling process among real nodes of two people: what each of them gets from it, and what not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import node
from firefly.errors import Denied, NoSuchResource
from firefly.interfaces.core import BadSpecification, ProcessKind, Role, Specification
from firefly.interfaces.kv import KV
from firefly.interfaces.signaling import Attached, Knock, NotAttached, Signaling
from node.links.channels import Server
from signaling import RESOURCE
from tests.node.family import LIMIT, until
from tests.node.test_hubs import Neighbours, at, neighbours


def signaling(**configuration: str) -> Specification:
    settings = {name.replace("_", "-"): value for name, value in configuration.items()}
    return Specification("signaling", ProcessKind.BUILTIN, "signaling", configuration=settings, access=Role.MEMBER)


@asynccontextmanager
async def hub_of_two(folder: Path, **configuration: str) -> AsyncIterator[Neighbours]:
    async with neighbours(folder) as here:
        await here.hub.node.create(signaling(**configuration))
        yield here


def services(user: node.RunningNode, here: Neighbours) -> Signaling:
    return user.at(here.hub.address, RESOURCE, Signaling)


async def listen(user: node.RunningNode, here: Neighbours, heard: list[Knock]) -> None:
    async with services(user, here).listen() as knocks:
        async for knock in knocks:
            heard.append(knock)


async def attached(user: node.RunningNode, here: Neighbours) -> list[Attached]:
    return await services(user, here).attached()


async def test_devices_of_a_person_meet_and_another_person_sees_nothing_of_it(tmp_path: Path) -> None:
    heard: list[Knock] = []
    async with hub_of_two(tmp_path) as here, trio.open_nursery() as nursery:
        nursery.start_soon(listen, here.phone, here, heard)
        with trio.fail_after(LIMIT):
            while not await attached(here.ann, here):  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        assert [each.key for each in await attached(here.ann, here)] == [here.phone.key]
        assert await attached(here.bea, here) == []
        await services(here.ann, here).knock(here.phone.address, b"wake up")
        with pytest.raises(NotAttached):
            await services(here.bea, here).knock(here.phone.address, b"let me in")
        await until(lambda: heard)
        assert heard == [Knock(here.ann.key, b"wake up")]
        nursery.cancel_scope.cancel()


async def test_a_mailbox_carries_messages_between_two_people(tmp_path: Path) -> None:
    async with hub_of_two(tmp_path) as here:
        slot = await services(here.ann, here).open()
        await services(here.bea, here).put(slot, b"a proof")
        assert await services(here.ann, here).take(slot) == b"a proof"
        await services(here.ann, here).close(slot)


async def test_a_foreign_namespace_has_rights_at_the_signaling_alone(tmp_path: Path) -> None:
    """The hub's first namespace is Ann's; Bea may use what is for all that the hub serves, and nothing else."""
    async with hub_of_two(tmp_path, stun="127.0.0.1:0") as here:
        kv = await here.hub.node.create(Specification("notes", ProcessKind.BUILTIN, "kv", access=Role.MEMBER))
        [status] = [each for each in await here.hub.node.processes() if each.label == "signaling"]
        assert await services(here.bea, here).servers()
        with pytest.raises(Denied):
            await here.bea.at(here.hub.address, kv.id, KV).get("x")
        with pytest.raises(Denied):
            await at(here.bea, here.hub).node_status()
        with pytest.raises(Denied):
            await at(here.bea, here.hub).processes()
        with pytest.raises(Denied):  # by its own id it is a process like any other
            await here.bea.at(here.hub.address, status.id, Signaling).servers()


async def test_members_are_given_servers_with_credentials_that_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("north\n")
    turn = {"turn": "turn:turn.example:3478", "turn_secret_file": str(tmp_path / "secret"), "turn_lifetime": "600"}
    async with hub_of_two(tmp_path, stun="127.0.0.1:0", host="hub.example", **turn) as here:
        stun, turned = await services(here.phone, here).servers()
        assert [url.rpartition(":")[0] for url in stun.urls] == ["stun:hub.example"] * 2
        assert turned.urls == ["turn:turn.example:3478"]
        assert turned.username.endswith(here.phone.address.hex())
        assert turned.lifetime == 600.0
        mine = await here.phone._node.hub_services.servers()
        assert mine == [Server(stun.urls), Server(turned.urls, mine[1].username, mine[1].credential)]


async def test_a_hub_that_does_not_know_its_own_address_is_found_where_it_was_dialled(tmp_path: Path) -> None:
    async with hub_of_two(tmp_path, stun="0.0.0.0:0") as here:
        await here.phone.node.links_add([url for url in here.hub.listening if "127.0.0.1" in url])
        [server] = await here.phone._node.hub_services.servers()
        assert {url.rpartition(":")[0] for url in server.urls} == {"stun:127.0.0.1"}


async def test_a_relay_without_the_process_is_no_worse_a_relay(tmp_path: Path) -> None:
    async with neighbours(tmp_path) as here:
        with pytest.raises(NoSuchResource):
            await services(here.ann, here).servers()
        assert await here.ann._node.hub_services.servers() == []


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"tune": "x"}, "does not know 'tune'"),
        ({"stun": "nonsense"}, "is no HOST:PORT of STUN"),
        ({"stun": "127.0.0.1:65535"}, "is no HOST:PORT of STUN"),
        ({"stun": "192.0.2.1:3478"}, "STUN cannot be answered at 192.0.2.1:3478"),
        ({"turn": "turn:x"}, "a TURN server needs the secret"),
        ({"turn": "turn:x", "turn-secret-file": "/does/not/exist"}, "cannot be read"),
        ({"turn-lifetime": "soon"}, "turn-lifetime is a number"),
        ({"slots": "10001"}, "slots is a number from 1 to 10000"),
    ],
)
async def test_a_wrong_configuration_is_refused_with_what_is_wrong(
    tmp_path: Path, configuration: dict[str, str], said: str
) -> None:
    async with node.start(tmp_path / "hub", name="hub", listen=[]) as hub:
        with pytest.raises(BadSpecification) as caught:
            await hub.node.create(signaling(**configuration))
        assert said in caught.value.reason
