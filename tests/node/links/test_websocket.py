"""WebSocket as a transport: what the conformance suite does not ask for, and a peer that is another implementation."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    serve_websocket,
    wrap_client_stream,
)
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from firefly.errors import BadFrame
from firefly.keys import NodeKey
from firefly.link import WRONG_VERSION, LinkHandshake
from firefly.packet import DATA, HEADER_SIZE, INTERACTIVE, pack_header
from node.links import LinkError, transport
from node.links.link import MAX_FRAME
from node.links.websocket import MAX_ANSWER, MAX_OWED, WebSocketFrames, parse_request
from tests.node.links.neighbours import WAIT, Neighbour, end_of, linked, listening

MASK = bytes(4)


def server() -> WebSocketFrames:
    """A server's side that is open and past its handshake."""
    frames = WebSocketFrames(ServerProtocol(state=OPEN, max_size=MAX_FRAME))
    frames.limit = MAX_FRAME
    return frames


def client() -> WebSocketFrames:
    return WebSocketFrames(ClientProtocol(parse_uri("ws://nas/"), state=OPEN, max_size=MAX_FRAME))


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    """As a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


# --- frames


@pytest.mark.parametrize(
    ("size", "step"),
    [
        (size, step)
        for size in (0, 1, 125, 126, 65535, 65536, MAX_FRAME)
        for step in (1, 7, 4096, 10**6)
        if size < step * 10_000
    ],
)
def test_messages_arrive_whole_however_they_are_cut(size: int, step: int) -> None:
    content = os.urandom(size)
    data, frames = client().frame(content) * 2, server()
    arrived = [message for at in range(0, len(data), step) for message in frames.feed(data[at : at + step])]
    assert arrived == [content, content]


def test_parts_of_a_message_are_joined_and_a_ping_between_them_is_answered() -> None:
    frames = server()
    assert frames.feed(frame(Opcode.BINARY, b"one ", False) + frame(Opcode.PING, b"there?")) == []
    assert frames.owed() == Frame(Opcode.PONG, b"there?").serialize(mask=False)
    assert frames.owed() == b""
    assert frames.feed(frame(Opcode.CONT, b"message") + frame(Opcode.BINARY, b"two")) == [b"one message", b"two"]


def test_what_is_owed_leaves_with_the_next_message() -> None:
    frames = server()
    frames.feed(frame(Opcode.PING, b""))
    assert frames.frame(b"x") == Frame(Opcode.PONG, b"").serialize(mask=False) + b"\x82\x01x"


WRONG = {
    "text": (frame(Opcode.TEXT, b"hello"), "text"),
    "1 GB": (b"\x82\xff" + (2**30).to_bytes(8, "big") + MASK, "1073741824"),
    "too long": (frame(Opcode.BINARY, bytes(MAX_FRAME + 1)), "exceeds"),
    "too long in parts": (
        frame(Opcode.BINARY, bytes(MAX_FRAME), False) + frame(Opcode.CONT, b"x"),
        "exceeds",
    ),
    "not masked": (b"\x82\x05hello", "masking"),
    "no such opcode": (b"\x83\x80" + MASK, "opcode"),
    "compressed": (b"\xc2\x80" + MASK, "reserved"),
    "a part of nothing": (frame(Opcode.CONT, b"x"), "continuation"),
    "a long ping": (b"\x89\xfe\x00\x80" + MASK + bytes(128), "control frame"),
    "empty parts without end": (frame(Opcode.BINARY, b"", False) + frame(Opcode.CONT, b"", False) * 50_000, "over"),
    "pings without end": (frame(Opcode.PING, bytes(100)) * (MAX_OWED // 100), "pings"),
}


@pytest.mark.parametrize(("data", "why"), WRONG.values(), ids=WRONG)
def test_what_breaks_the_rules_is_refused_with_a_reason_that_the_peer_hears(data: bytes, why: str) -> None:
    frames = server()
    with pytest.raises(BadFrame, match=why):
        frames.feed(data)
    said = frames.farewell("this side's reason, which comes too late")
    assert why.encode() in said
    assert b"too late" not in said
    assert frames.frame(b"nothing more is said") == b""


@pytest.mark.parametrize("data", [data for data, _ in WRONG.values()][:6], ids=list(WRONG)[:6])
def test_good_messages_in_front_of_a_bad_one_are_handed_out(data: bytes) -> None:
    frames = server()
    assert frames.feed(frame(Opcode.BINARY, b"good") + data) == [b"good"]
    with pytest.raises(BadFrame):
        frames.check()


@given(st.lists(st.binary(max_size=300), max_size=20), st.booleans())
def test_any_bytes_are_messages_or_refused(parts: list[bytes], masked: bool) -> None:
    frames = server() if masked else client()
    with suppress(BadFrame):
        for part in parts:
            assert all(isinstance(message, bytes) for message in frames.feed(part))
            frames.check()
    frames.farewell("enough")


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_request_or_none(data: bytes) -> None:
    protocol, request = parse_request(b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n")
    assert request is None or request.path == "/"
    assert protocol.state is not OPEN


def test_before_the_handshake_is_over_a_frame_is_small() -> None:
    frames = server()
    frames.limit = 1024
    with pytest.raises(BadFrame, match="over 1024"):
        frames.feed(frame(Opcode.BINARY, bytes(5000))[:2000])


def test_a_close_is_answered_and_says_why() -> None:
    frames, other = server(), client()
    assert frames.feed(other.frame(b"last") + other.farewell("tired")) == [b"last"]
    assert "tired" in frames.ended
    frames.check()
    assert frames.farewell("nothing of ours") == Frame(Opcode.CLOSE, b"\x03\xe8tired").serialize(mask=False)


def test_a_long_reason_is_cut_between_letters() -> None:
    said = server().farewell("é" * 100)
    assert said[:2] == b"\x88\x7c"  # 124 bytes: two of the code, 61 letters of two
    assert said[4:].decode() == "é" * 61


# --- another implementation at the other end


@asynccontextmanager
async def stranger(url: str) -> AsyncIterator[WebSocketConnection]:
    """A client of the other library, on a stream of ours: it leaves its own open when the server ends first."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    async with await trio.open_tcp_stream(parts.hostname, parts.port) as stream, trio.open_nursery() as nursery:
        path = f"{parts.path}{parts.query and '?'}{parts.query}" or "/"
        yield await wrap_client_stream(nursery, stream, parts.netloc, path)
        nursery.cancel_scope.cancel()


async def shake_hands(socket: WebSocketConnection, key: NodeKey, initiator: bool = True) -> LinkHandshake:
    handshake = LinkHandshake(key, os.urandom(8), initiator=initiator)
    if initiator:
        await socket.send_message(handshake.start())
    while not handshake.done:
        answer = handshake.receive(await socket.get_message())
        if answer is not None:
            await socket.send_message(answer)
    return handshake


@pytest.mark.parametrize("path", ["", "/", "/link", "/link?from=elsewhere"])
async def test_a_stranger_of_another_library_becomes_a_neighbour(tmp_path: Path, path: str) -> None:
    async with listening("ws", tmp_path) as (owner, _):
        key = NodeKey.generate()
        with trio.fail_after(WAIT):
            async with stranger(owner.url + path) as socket:
                handshake = await shake_hands(socket, key)
                assert handshake.peer_key == owner.key.public
                await owner.until(lambda: owner.ups)
                payload = os.urandom(3000)
                header = pack_header(DATA, INTERACTIVE, len(payload), owner.key.address, key.address)
                await socket.ping()
                await socket.send_message(handshake.sealer.seal(header + payload))
                await owner.until(lambda: owner.arrived)
                assert owner.arrived == [payload]
                owner.send(key.address, payload)
                while True:  # probes come too
                    packets = handshake.opener.open(await socket.get_message())
                    if packets[HEADER_SIZE:].startswith(payload):
                        break
            await owner.until(lambda: owner.downs)
        assert owner.router.counters["link_errors"] == 0


async def test_a_node_dials_a_server_of_another_library(tmp_path: Path) -> None:
    key = NodeKey.generate()

    async def answer(request: WebSocketRequest) -> None:
        socket = await request.accept()
        await shake_hands(socket, key, initiator=False)
        await socket.aclose(1001, "going home")

    async with trio.open_nursery() as nursery:
        served = await nursery.start(serve_websocket, answer, "127.0.0.1", 0, None)
        node = Neighbour(nursery, tmp_path)
        with trio.fail_after(WAIT):
            link = await node.manager.dial(f"ws://127.0.0.1:{served.port}/some/where", key.public)
        reason = await end_of(link)
        assert "going home" in reason
        nursery.cancel_scope.cancel()


async def rubbish(socket: WebSocketConnection) -> None:
    await socket.send_message(os.urandom(300))


async def text(socket: WebSocketConnection) -> None:
    await socket.send_message("hello")


async def too_much(socket: WebSocketConnection) -> None:
    await socket.send_message(bytes(2**20))


async def another_version(socket: WebSocketConnection) -> None:
    await socket.send_message(b"\x07 something new")
    assert await socket.get_message() == WRONG_VERSION


async def half_a_handshake(socket: WebSocketConnection) -> None:
    await socket.send_message(LinkHandshake(NodeKey.generate(), bytes(8), initiator=True).start())
    await socket.get_message()
    await socket.aclose()


@pytest.mark.parametrize(
    ("say", "after"),
    [(say, False) for say in (rubbish, text, too_much, another_version, half_a_handshake)]
    + [(say, True) for say in (rubbish, text, too_much)],
)
async def test_a_stranger_loses_its_own_connection_alone(
    tmp_path: Path, say: Callable[[WebSocketConnection], Awaitable[None]], after: bool
) -> None:
    async with linked("ws", tmp_path) as (owner, dialler, _):
        with trio.fail_after(WAIT):
            async with stranger(owner.url) as socket:
                if after:
                    await shake_hands(socket, NodeKey.generate())
                with suppress(ConnectionClosed):
                    await say(socket)
                    while True:
                        await socket.get_message()
            if after:
                await owner.until(lambda: len(owner.downs) == 1)
            counted = "link_errors" if after else "bad_handshakes"
            while not owner.router.counters[counted]:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        dialler.send(owner.key.address, b"still linked")
        await owner.until(lambda: b"still linked" in owner.arrived)


# --- dialling


async def dialled(answer: bytes) -> LinkError:
    """What a dial says of a server that answers this, whatever it is asked, and ends."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
        with trio.fail_after(WAIT), pytest.raises(LinkError) as caught:
            await transport(url).dial(url)
        nursery.cancel_scope.cancel()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "HTTP"),
        (b"\0\0\0\x05hello", "HTTP"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Accept"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(4 * MAX_ANSWER), ""),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4 * MAX_ANSWER, ""),
    ],
    ids=["nothing", "no HTTP", "not found", "a wrong proof", "a long page", "a long header"],
)
async def test_a_server_that_takes_no_link_is_said_with_its_address(answer: bytes, cause: str) -> None:
    error = await dialled(answer)
    assert "does not take the link" in error.message or "speaks no WebSocket" in error.message
    assert "ws://127.0.0.1" in error.message
    assert cause in error.cause
    assert error.cause


@pytest.mark.parametrize(
    "url",
    [
        *("ws://127.0.0.1:0/elsewhere", "ws://127.0.0.1:0?certificate=x", "wss://127.0.0.1:0?key=x"),
        *("wss://127.0.0.1:0?certificate=x&colour=red", "wss://127.0.0.1:0#sha256=" + "0" * 64),
        "wss://127.0.0.1:0?certificate=/nowhere/at/all.pem",
    ],
)
async def test_where_it_cannot_listen_is_said(tmp_path: Path, url: str) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(LinkError, match="cannot listen") as caught:
            await Neighbour(nursery, tmp_path).manager.listen(url)
        assert caught.value.hint
        nursery.cancel_scope.cancel()
