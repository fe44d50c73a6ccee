"""A node that starts and runs with what its configuration says."""

from __future__ import annotations

import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio

import firefly
import node
from firefly.errors import Denied
from firefly.interfaces import core
from firefly.interfaces.core import Node, PairingEventCreated, ProcessKind, Specification
from node.configuration.errors import BadConfiguration
from node.home import Home
from node.store import Store
from tests.node.family import LIMIT, LISTEN, family


def configured(home: Path, text: str) -> None:
    """Writes the file as an editor does."""
    home.mkdir(exist_ok=True, mode=0o700)
    (home / "config.toml").write_text(text)


def listened(home: Path) -> str:
    store = Store(Home(home).database)
    try:
        return (store.get("listening") or b"").decode()
    finally:
        store.close()


async def test_it_listens_where_the_file_says_and_keeps_a_free_port(tmp_path: Path) -> None:
    configured(tmp_path, 'listen = ["tcp://127.0.0.1:0", "memory:no"]')
    with pytest.raises(BadConfiguration, match="cannot be used"):
        async with node.start(tmp_path):
            pass
    configured(tmp_path, 'listen = ["tcp://127.0.0.1:0"]')
    async with node.start(tmp_path) as glow:
        first = glow.listening
        answer = await glow.node.configure("listen", '["tcp://localhost:0"]')
        assert (answer.applied, answer.restart, answer.overridden) == ([], ["listen"], [])
        assert glow.listening == first
        [setting] = [s for s in (await glow.node.configuration()).settings if s.key == "listen"]
        assert (setting.value, setting.pending) == ('["tcp://127.0.0.1:0"]', '["tcp://localhost:0"]')
        await glow.node.configuration_rollback()
    async with node.start(tmp_path) as glow:
        assert glow.listening == first
        await glow.node.configure("listen", '["tcp://localhost:0"]')
    async with node.start(tmp_path) as glow:
        assert glow.listening != first
        assert glow.listening[0].startswith("tcp://localhost:")
        second = glow.listening
        await glow.node.configure("listen", None)
    async with node.start(tmp_path) as glow:
        assert glow.listening == second
    async with node.start(tmp_path, listen=LISTEN) as glow:
        assert (await glow.node.configure("listen", "tcp://localhost:0")).overridden == ["listen"]
        assert listened(tmp_path) == glow.listening[0]


async def test_an_invite_is_valid_as_long_as_is_set(tmp_path: Path) -> None:
    async def lifetime(glow: node.RunningNode, *arguments: Any) -> float:
        async with glow.node.invite("nas", *arguments) as events:
            event = await anext(aiter(events))
        assert isinstance(event, PairingEventCreated)
        return event.value.expires.timestamp() - time.time()

    async with node.start(tmp_path, listen=LISTEN) as glow:
        assert 80000 < await lifetime(glow) <= 86400
        assert (await glow.node.configure("invite.lifetime", "10d")).applied == ["invite.lifetime"]
        assert 800_000 < await lifetime(glow) <= 864_000
        assert 3000 < await lifetime(glow, core.Role.MEMBER, 3600.0) <= 3600


async def test_a_process_has_as_long_to_serve_as_is_set(tmp_path: Path) -> None:
    async with node.start(tmp_path, listen=LISTEN) as glow:
        await glow.node.configure("processes.start", "1")
        never = ["-I", "-S", "-c", "import time; time.sleep(1000)"]
        with pytest.raises(core.BadSpecification, match="did not serve within 1 s"):
            await glow.node.create(Specification("never", ProcessKind.PROGRAM, sys.executable, never))


async def test_a_standing_link_rests_as_long_as_is_set(tmp_path: Path) -> None:
    async with node.start(tmp_path, listen=LISTEN) as glow:
        assert glow._node.links.standing.longest_pause == 30.0
        await glow.node.configure("links.retry", "5m")
        assert glow._node.links.standing.longest_pause == 300.0


async def test_as_many_programs_are_attached_as_is_set(tmp_path: Path) -> None:
    async with node.start(tmp_path, listen=LISTEN) as glow, trio.open_nursery() as nursery:
        await glow.node.configure("programs.limit", "16")
        attached = trio.Event()

        async def one_more() -> None:
            async with firefly.connect(tmp_path):
                attached.set()

        async with AsyncExitStack() as stack:
            programs = [await stack.enter_async_context(firefly.connect(tmp_path)) for _ in range(16)]
            nursery.start_soon(one_more)
            for program in programs:
                await program.node.echo(b"")
            assert not attached.is_set()
            await glow.node.configure("programs.limit", "17")
            with trio.fail_after(LIMIT):
                await attached.wait()


async def test_administrators_configure_other_nodes_and_members_do_not(tmp_path: Path) -> None:
    """laptop and nas joined as members; relay is the administrator."""
    async with family(tmp_path) as all_three:
        nas, relay = all_three.nas, all_three.relay
        member = all_three.laptop.at(nas.address, nas.address, Node)
        for attempt in (
            member.configuration,
            lambda: member.configure("log.level", "debug"),
            member.configuration_history,
            lambda: member.configuration_text(0),
            member.configuration_rollback,
        ):
            with pytest.raises(Denied):
                await attempt()  # type: ignore[no-untyped-call]
        administrator = relay.at(nas.address, nas.address, Node)
        assert (await administrator.configure("links.retry", "1m")).applied == ["links.retry"]
        [entry] = await nas.node.configuration_history()
        assert (entry.who, entry.key, entry.what) == ("relay", relay.key, 'links.retry = "1m"')
        assert await administrator.configuration_text(1) == (tmp_path / "nas" / "config.toml").read_bytes()
        with pytest.raises(core.BadConfiguration) as caught:
            await administrator.configure("links.retyr", "1m")
        assert caught.value.help.startswith("did you mean links.retry?")
        with pytest.raises(core.BadConfiguration):
            await administrator.configure("links.retry", "never")
        await administrator.configuration_rollback()
        assert nas._node.links.standing.longest_pause == 30.0
