"""A stranger that dials in gets nothing but a bare key, and harms only its own connection."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import node
from firefly.interfaces.core import Node
from firefly.keys import NodeKey
from firefly.link import LinkHandshake, frame
from node.links.link import HANDSHAKE_TIME
from node.links.manager import UNCERTIFIED_TIME

HELLOS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x00\x00\x00\x21\x02" + bytes(32),
    b"\x00\x00\x00\x21\x01" + bytes(32),
    os.urandom(4096),
]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[node.RunningNode, int]]:
    async with node.start(folder / "home", name="nas", listen=["tcp://127.0.0.1:0"]) as glow:
        yield glow, int(glow.listening[0].rpartition(":")[2])


async def until_closed(stream: trio.SocketStream) -> bytes:
    """What the node says before it closes the connection; then closes this end too."""
    said = b""
    async with stream:
        while True:
            try:
                data = await stream.receive_some(65536)
            except trio.BrokenResourceError:
                return said
            if not data:
                return said
            said += data


@pytest.mark.parametrize("hello", HELLOS)
async def test_garbage_ends_its_own_connection(tmp_path: Path, hello: bytes) -> None:
    async with running(tmp_path) as (glow, port):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(hello)
        with trio.fail_after(2 * HANDSHAKE_TIME):
            said = await until_closed(stream)
        assert len(said) < 1024
        assert await glow.node.echo(b"alive") == b"alive"
        status = await glow.node.node_status()
        assert status.counters.get("bad_handshakes", 0) + status.counters.get("bad_requests", 0) == 1


async def test_half_open_handshakes_are_bounded(tmp_path: Path) -> None:
    async with running(tmp_path) as (glow, port):
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(20)]
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for stream in streams[:10]:
                    nursery.start_soon(until_closed, stream)
        for stream in streams[10:]:
            await stream.aclose()
        status = await glow.node.node_status()
        assert status.counters["half_open_dropped"] >= 10
        assert await glow.node.echo(b"alive") == b"alive"


async def stranger(port: int, key: NodeKey, expected: bytes | None = None) -> trio.SocketStream:
    """A node of nobody's that shook hands."""
    handshake = LinkHandshake(key, os.urandom(8), initiator=True, expected=expected)
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(frame(handshake.start()))
    answer = await stream.receive_some(4096)
    reply = handshake.receive(answer[4:])
    assert reply is not None
    await stream.send_all(frame(reply))
    return stream


async def test_an_uncertified_link_is_closed_and_learns_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (glow, port):
        stream = await stranger(port, NodeKey.generate())
        with trio.fail_after(2 * UNCERTIFIED_TIME):
            said = await until_closed(stream)
        assert len(said) < 1024  # probes of liveness and nothing else: no certificate, no record
        with trio.fail_after(UNCERTIFIED_TIME):
            while (await glow.node.node_status()).links:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)


async def test_a_wrong_inviter_is_not_joined(tmp_path: Path) -> None:
    from node.pairing import format_link

    async with (
        running(tmp_path) as (_, port),
        node.start(tmp_path / "other", name="other", listen=["tcp://127.0.0.1:0"], found=False) as joiner,
    ):
        link = format_link(NodeKey.generate().public, os.urandom(16), [f"tcp://127.0.0.1:{port}"])
        with pytest.raises(Exception, match=r"another node answers there|cannot be reached"):
            await joiner.join(link, "other")
        assert not joiner.joined


async def test_a_used_invite_is_refused(tmp_path: Path) -> None:
    from firefly.interfaces.core import PairingEventCreated, Role

    async with running(tmp_path) as (glow, _):
        async with glow.node.invite("one", Role.MEMBER, 60.0, True) as events:
            event = await anext(aiter(events))
            assert isinstance(event, PairingEventCreated)
            link = event.value.link
        names = ("one", "two")
        async with (
            node.start(tmp_path / "one", listen=["tcp://127.0.0.1:0"], found=False) as one,
            node.start(tmp_path / "two", listen=["tcp://127.0.0.1:0"], found=False) as two,
        ):
            await one.join(link, names[0])
            assert one.joined
            with pytest.raises(Exception, match="refused"):
                await two.join(link, names[1])
            assert not two.joined


async def test_the_control_socket_is_the_owners_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as (glow, _):
        path = tmp_path / "home" / "control.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        sock.sendall(b"x" + os.urandom(100))
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        with trio.fail_after(10):
            assert await until_closed(stream) == b""
        stub = glow.at(glow.address, glow.address, Node)
        assert await stub.echo(b"alive") == b"alive"
