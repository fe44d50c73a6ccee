"""What a node does when it learns that the network has changed: real nodes, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from trio.testing import MockClock

import node
from node.links.standing import BACK_OFF
from node.liveness import IDLE_SAVING, PROBE_INTERVAL, PROBES, SILENCE
from tests.node.family import LISTEN, joined, until

DOWN = SILENCE + PROBES * PROBE_INTERVAL
"""Seconds from a probe that nobody answers to the end of its link."""


class Wire:
    """Carries a connection to `port`; once `cut` is set, all that it is given is lost."""

    def __init__(self, port: int) -> None:
        self.cut = False
        self.url = ""
        self._port = port

    async def serve(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, client, server)
            await self._carry(server, client)
            nursery.cancel_scope.cancel()

    async def _carry(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in source:
                if not self.cut:
                    await target.send_all(data)


@asynccontextmanager
async def two(folder: Path, clock: MockClock) -> AsyncIterator[tuple[node.RunningNode, Wire]]:
    """A node that probes idle links every 15 s, as its neighbour does, and the wire that its one link goes over."""
    clock.autojump_threshold = 0.01
    async with node.start(folder / "nas", name="nas", listen=LISTEN) as nas, trio.open_nursery() as nursery:
        wire = Wire(urlsplit(nas.listening[0]).port or 0)
        (listener,) = listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, wire.serve, listeners)
        wire.url = f"tcp://127.0.0.1:{listener.socket.getsockname()[1]}"
        async with joined(folder, nas, "laptop") as laptop:
            laptop._node.willingness.idle = nas._node.willingness.idle = IDLE_SAVING
            await laptop.node.links_remove(nas.listening[:1])
            assert (await laptop.node.links_add([wire.url], nas.key)).state == "up"
            yield laptop, wire
        nursery.cancel_scope.cancel()


async def test_a_link_that_is_dead_is_down_in_a_second_and_a_half(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with two(tmp_path, autojump_clock) as (laptop, wire):
        await trio.sleep(2)
        (link,) = laptop._node.router.links
        wire.cut, begin = True, trio.current_time()
        laptop._node.network_changed("a test says so")
        await link.down.wait()
        assert link.reason == "the neighbour has gone silent"
        assert trio.current_time() - begin == pytest.approx(DOWN, abs=0.2)


async def test_a_link_that_is_alive_stays(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with two(tmp_path, autojump_clock) as (laptop, _):
        (link,) = laptop._node.router.links
        asked = link.liveness.counters.measured
        laptop._node.network_changed("a test says so")
        await until(lambda: link.liveness.counters.measured > asked, 1.0)
        await trio.sleep(DOWN * 2)
        assert not link.reason


async def test_what_waits_is_dialled_at_once_and_with_short_pauses_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.01
    dialled: list[float] = []

    async def note(stream: trio.SocketStream) -> None:
        dialled.append(trio.current_time())
        await stream.aclose()

    async with node.start(tmp_path, name="laptop", listen=[]) as laptop, trio.open_nursery() as nursery:
        (listener,) = listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, note, listeners)
        await laptop.node.links_add([f"tcp://127.0.0.1:{listener.socket.getsockname()[1]}"], None)
        (standing,) = laptop._node.links.standing.all
        await trio.sleep(10)
        await until(lambda: (standing.next_attempt or 0) > trio.current_time() + 0.5)
        before, begin = len(dialled), trio.current_time()
        laptop._node.network_changed("a test says so")
        await until(lambda: len(dialled) >= before + 2, 5)
        assert dialled[before] - begin < 0.1
        assert dialled[before + 1] - dialled[before] < BACK_OFF[0] + 0.1
        nursery.cancel_scope.cancel()


async def test_addresses_are_told_anew_then_listeners_hear_of_it_and_the_log_says_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node.start(tmp_path, name="laptop", listen=["tcp://0.0.0.0:0"]) as laptop:
        port = laptop.listening[0].rpartition(":")[2]
        heard: list[list[str]] = []
        laptop._node.on_network_change.append(lambda: heard.append(laptop.listening))
        monkeypatch.setattr("node.running.own_addresses", lambda: ["10.0.0.3", "127.0.0.1"])
        laptop._node.network_changed("192.168.1.7 is gone, 10.0.0.3 is new")
        assert heard == [[f"tcp://10.0.0.3:{port}", f"tcp://127.0.0.1:{port}"]]
        assert laptop._node.log._records[-1].message == "the network changed: 192.168.1.7 is gone, 10.0.0.3 is new"
