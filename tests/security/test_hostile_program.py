"""A program that a node started, and that does what no program should: it is ended with a reason, and nothing else is.

Each is a real OS process that speaks plain frames; beside it the node runs a key-value store, which has to go on.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import trio

import node
from firefly.errors import DeadlineExceeded, GlowError, Interrupted, InvalidArgument, NoSuchResource, RemoteError
from firefly.interfaces.core import BadSpecification, ProcessKind, ProcessState, ProcessStatus, Specification
from firefly.interfaces.kv import KV
from firefly.runtime import deadline
from node.host import ProcessHost
from tests.firefly.runtime.probe import Probe
from tests.node.family import LIMIT, LISTEN

FRAMES = """
    import os, socket, struct, sys, time
    import msgspec

    sock = socket.socket(fileno=int(os.environ["GLOW_ATTACH_FD"]))
    token = bytes.fromhex(os.environ["GLOW_ATTACH_TOKEN"])
    pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode

    def send(*messages):
        sock.sendall(struct.pack(">I", len(pack(messages))) + pack(messages))

    def receive():
        (length,) = struct.unpack(">I", sock.recv(4, socket.MSG_WAITALL))
        return unpack(sock.recv(length, socket.MSG_WAITALL))

    def attach():
        send([13, 1, token])
        return receive()[0]

    def register(resource):
        send([14, "bad", resource, "probe.Probe", b""])
        return receive()[0][2]

    def serve():
        own = attach()
        refused = register(own[4])
        assert not refused, refused
        return own
"""
Holds = Callable[[ProcessStatus], Any]


class World:
    """A node with a store that must go on, and the one hostile program."""

    def __init__(self, glow: node.RunningNode, store: KV) -> None:
        self.glow = glow
        self.store = store

    @property
    def host(self) -> ProcessHost:
        own: Any = self.glow._node.peers.host.resources[self.glow.address].server
        processes: ProcessHost = own._processes
        return processes

    @property
    def probe(self) -> Probe:
        (status,) = [status for status in self._statuses() if status.label == "bad"]
        return self.glow.at(self.glow.address, status.id, Probe)

    def _statuses(self) -> list[ProcessStatus]:
        return [process.status() for process in self.host.processes.values()]

    async def create(self, source: str) -> ProcessStatus:
        code = dedent(FRAMES) + dedent(source)
        return await self.glow.node.create(
            Specification("bad", ProcessKind.PROGRAM, sys.executable, ["-c", code], access=2)
        )

    async def until(self, holds: Holds) -> ProcessStatus:
        """The program's status once it is like this."""
        while True:
            (status,) = [status for status in self._statuses() if status.label == "bad"]
            if holds(status):
                return status
            await trio.sleep(0.01)

    async def fails(self, reason: str) -> None:
        """`glow ps` says so; the program is ended and started again, and everything else goes on."""
        await self.until(lambda status: re.search(reason, status.reason))
        await self.goes_on()

    async def goes_on(self) -> None:
        await self.store.put("still", b"here")
        assert await self.store.get("still") == b"here"
        assert self.glow._node.peers.counters["attachment_defects"] == 0


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    with trio.fail_after(LIMIT):
        async with node.start(folder / "home", name="nas", listen=LISTEN) as glow:
            await glow.node.create(Specification("settings", ProcessKind.BUILTIN, "kv"))
            yield World(glow, await glow.open("self/settings", KV))


BROKEN = [
    ("its frames are garbage", "sock.sendall(bytes(range(256)) * 4096); time.sleep(100)", "no list of messages"),
    ("it says that a frame has 1 GB", "sock.sendall(struct.pack('>I', 2**30)); time.sleep(100)", "1073741824"),
    ("its messages are none", "send([99, 1]); time.sleep(100)", "no list of messages"),
    ("it attaches twice", "send([13, 1, token]); time.sleep(100)", "Attach is out of place"),
    ("it says who the node is", "send([15, 1, b'', b'']); time.sleep(100)", "Attached is out of place"),
    ("it signs statements", "send([12, [b'statement']]); time.sleep(100)", "statements do not come"),
    ("its credit is absurd", "send([8, b'r' * 16, 0, 2**41]); time.sleep(100)", "absurd credit"),
    (
        "it calls without a target",
        "send([1, 1, b'r' * 16, 7, None, None, [], None, b'x', 1]); time.sleep(100)",
        "no node",
    ),
    (
        "it uses a call's number twice",
        "send(*[[1, 1, own[2], 7, None, None, [], None, own[2], 1]] * 2); time.sleep(100)",
        "used twice",
    ),
    ("its fragments lie", "send([9, 1, 2**40, b'x']); time.sleep(100)", "over the limit"),
]


@pytest.mark.parametrize(("source", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
async def test_what_breaks_the_rules_is_ended_with_the_rule(source: str, reason: str, tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.create(f"own = serve(); {source}")
        await here.fails(f"broke the rules of the wire: .*{reason}")


async def test_a_wrong_token_is_a_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(BadSpecification, match="broke the rules of the wire: the program's token is wrong"):
            await here.create("token = b'guess'; attach(); time.sleep(100)")
        await here.goes_on()


async def test_it_registers_nothing_but_its_own(tmp_path: Path) -> None:
    """The node's own id, the store's, one that it makes up: all refused; its own is not."""
    async with world(tmp_path) as here:
        store = next(status.id for status in await here.glow.node.processes())
        await here.create(f"""
            own = attach()
            for other in (own[2], bytes.fromhex("{store.hex()}"), os.urandom(16)):
                assert register(other) == "the id is not one of the program's specification"
            assert register(own[4]) == ""
            assert register(own[4]) == "the id is registered already"
            time.sleep(1000)
        """)
        await here.until(lambda status: status.state is ProcessState.RUNNING)
        await here.goes_on()


async def test_a_program_that_attaches_and_never_registers(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.host.start_time = 0.5
        with pytest.raises(BadSpecification, match="it did not serve within"):
            await here.create("attach(); time.sleep(1000)")
        await here.goes_on()


async def test_answers_that_nobody_asked_for_are_dropped(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.create("""
            own = serve()
            for number in range(10_000, 12_000):
                send([2, number, None], [3, number, 4, b""], [6, number, 1, [1]], [7, number, 0], [5, number | 1])
                send([8, number, 1, 2**40], [11, os.urandom(16), 2**31])
            request = receive()[0]
            send([2, request[1], b"asked"], [2, request[1], b"again"])
            time.sleep(1000)
        """)
        assert await here.probe.echo(b"") == b"asked"
        await here.goes_on()
        assert (await here.until(lambda status: True)).state is ProcessState.RUNNING


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("[2, request[1], 'no bytes']", InvalidArgument),
        ("[2, request[1], None]", InvalidArgument),
        ("[3, request[1], 7, b'garbage']", RemoteError),
        ("[3, request[1], 2**32 - 1, b'']", RemoteError),
    ],
)
async def test_a_lying_answer_is_a_typed_error_of_its_own_call(
    answer: str, error: type[GlowError], tmp_path: Path
) -> None:
    async with world(tmp_path) as here:
        await here.create(f"""
            serve()
            request = receive()[0]
            send({answer})
            request = receive()[0]
            send([2, request[1], b"honest"])
            time.sleep(1000)
        """)
        with pytest.raises(error) as caught:
            await here.probe.echo(b"")
        assert caught.value.message
        assert caught.value.hint
        assert await here.probe.echo(b"") == b"honest"


async def test_who_waits_for_an_answer_that_never_comes_has_a_deadline(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.create("serve(); time.sleep(1000)")
        with pytest.raises(DeadlineExceeded) as caught, deadline(0.2):
            await here.probe.echo(b"")
        assert "glow ps" in caught.value.hint
        await here.goes_on()


async def test_who_waits_for_a_program_that_ends_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.create("serve(); receive(); sys.exit('no more')")
        with pytest.raises((Interrupted, NoSuchResource)) as caught:
            await here.probe.once(1)
        assert caught.value.hint
        await here.fails("it exited with 1: no more")


async def test_a_flood_on_its_standard_error_neither_blocks_it_nor_fills_the_node(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.create("""
            serve()
            for _ in range(1000):
                os.write(2, b"x" * 65536)
            receive()
            os.write(2, b"\\n" * 65536 + b"the last line" + b"\\n" * 100)
            sys.exit(3)
        """)
        with pytest.raises((Interrupted, NoSuchResource)):
            await here.probe.once(1)
        await here.fails("it exited with 3: the last line")


async def test_who_asks_on_without_reading_the_answers_is_not_read_either(tmp_path: Path) -> None:
    """Without that each answer would wait in the node's memory."""
    async with world(tmp_path) as here:
        await here.create("""
            own = serve()
            sock.setblocking(False)
            echo = [1, 0, own[2], 2024166333, None, None, [bytes(60000)], None, own[2], 1]
            waiting = b""
            for number in range(1, 100_001, 2):
                echo[1] = number
                waiting = struct.pack(">I", len(pack([echo]))) + pack([echo])
                while waiting:
                    try:
                        waiting = waiting[sock.send(waiting):]
                    except BlockingIOError:
                        open("stopped.new", "w").write(str(number))
                        os.rename("stopped.new", "stopped")
                        time.sleep(0.02)
        """)
        status = await here.until(lambda status: status.state is ProcessState.RUNNING)
        file = here.glow._node.home.path / "processes" / status.id.hex() / "stopped"
        seen = [""] * 10
        while not seen[0] or len(set(seen)) > 1:
            await trio.sleep(0.02)
            seen = [*seen[1:], file.read_text() if file.exists() else ""]
        assert int(seen[0]) < 2000
        await here.goes_on()
