"""The HTTP seam, asked over real sockets: through the port that also takes links."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from trio.testing import MockClock

import node
from node.http import MAX_HEAD
from node.links.manager import HALF_OPEN_PER_HOST
from tests.node.links.neighbours import WAIT, Neighbour, listening

HOST = "Host: localhost"
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + "A" * 22 + "=="
)


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[tuple[Neighbour, int]]:
    async with listening("tcp", folder) as (owner, _):
        yield owner, urlsplit(owner.url).port or 0


async def ask(port: int, data: bytes) -> bytes:
    """All that comes back until the node has closed the connection."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with trio.fail_after(WAIT):
            await stream.send_all(data)
            async for part in stream:
                answer += part
    return answer


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode()


ANSWERS = [
    (request("GET /healthz", HOST), 200, "ok"),
    (request("GET /healthz?now", HOST), 200, "ok"),
    (request("GET /healthz", "Host: 127.0.0.1:4747"), 200, "ok"),
    (request("GET /healthz", "Host: [::1]:4747", "Origin: http://localhost:4747"), 200, "ok"),
    (request("GET /metrics", HOST), 200, "metrics"),
    (request("GET /metrics", "Host: evil.example"), 403, "--pages-for"),
    (request("GET /metrics", "Host: localhost.evil.example"), 403, "--pages-for"),
    (request("GET /metrics", "Host: 192.0.2.1"), 403, "--pages-for"),
    (request("GET /metrics", "Host: [::1"), 403, "--pages-for"),
    (request("GET /metrics"), 403, "--pages-for"),
    (request("GET /metrics", HOST, HOST), 403, "--pages-for"),
    (request("GET /metrics", HOST, "Origin: https://evil.example"), 403, "--pages-for"),
    (request("GET /metrics", HOST, "Origin: null"), 403, "--pages-for"),
    (request("GET /metrics", HOST, "X-Forwarded-For: 192.0.2.1"), 403, "--pages-for"),
    (request("DELETE /metrics", HOST), 405, "GET"),
    (request("GET /", HOST), 404, "/healthz"),
    (request("GET /elsewhere", HOST, UPGRADE), 404, "/healthz"),
    (request("GET http://evil.example/metrics", HOST), 404, "/healthz"),
    (request("GET /link", HOST, "Upgrade: h2c", "Connection: Upgrade"), 426, "Upgrade"),
    (request("GET /link", HOST, UPGRADE.replace("13", "12")), 400, "Version"),
    (request("GET /link", HOST, UPGRADE.replace("AA==", "")), 400, "Key"),
    (request("POST /healthz", HOST, "Content-Length: 1000000000"), 400, "no request"),
    (b"GET / HTTP/2.0\r\n\r\n", 400, "no request"),
    (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "no request"),
    (b"GET\r\n\r\n", 400, "no request"),
    (b"HELP\r\nX\r\n\r\n", 400, "no request"),
    (b"GET /" + b"a" * MAX_HEAD, 431, str(MAX_HEAD)),
    (request("GET /", *["X: y"] * 1500), 431, str(MAX_HEAD)),
    (request("GET /", *["X: y"] * 200), 400, "no request"),
]


@pytest.mark.parametrize(("data", "status", "text"), ANSWERS, ids=[f"{n} {a[1]}" for n, a in enumerate(ANSWERS)])
async def test_a_request_has_one_answer(tmp_path: Path, data: bytes, status: int, text: str) -> None:
    async with asking(tmp_path) as (owner, port):
        answer = (await ask(port, data)).decode()
        assert answer.startswith(f"HTTP/1.1 {status} ")
        head, _, body = answer.partition("\r\n\r\n")
        assert text in body
        assert f"\r\nContent-Length: {len(body)}\r\n" in head
        assert "\r\nConnection: close" in head
        assert owner.router.counters["http_requests"] == 1
        assert owner.router.counters["bad_requests"] == (status != 200)
        assert (await ask(port, ANSWERS[0][0])).endswith(b"ok\n")


async def test_only_one_request_of_a_connection_is_answered(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, port):
        assert (await ask(port, ANSWERS[0][0] * 2)).count(b"HTTP/1.1") == 1


async def test_pages_are_for_all_where_that_is_wanted(tmp_path: Path) -> None:
    async with asking(tmp_path) as (owner, port):
        owner.http.pages_for_all = True
        assert (await ask(port, request("GET /healthz", "Host: nas.example"))).endswith(b"ok\n")


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nHost: x", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_half_a_request_is_let_go_after_5_s(tmp_path: Path, data: bytes, autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.02
    async with listening("wss", tmp_path) as (owner, _):
        began = trio.current_time()
        await ask(urlsplit(owner.url).port or 0, data)
        assert trio.current_time() - began == pytest.approx(5, abs=0.5)
        assert owner.router.counters["bad_handshakes"] == 1


async def test_who_ends_in_the_middle_of_a_request_is_answered_all_the_same(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET / HTT")
        await stream.send_eof()
        with trio.fail_after(WAIT):
            assert b"not complete" in await stream.receive_some()


async def test_half_requests_are_bounded_like_half_handshakes(tmp_path: Path) -> None:
    async with asking(tmp_path) as (owner, port), trio.open_nursery() as nursery:
        for _ in range(HALF_OPEN_PER_HOST + 2):
            nursery.start_soon(ask, port, b"GET /healthz HTTP/1.1\r\n")
        with trio.fail_after(WAIT):
            while owner.router.counters["half_open_dropped"] < 2:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_who_is_no_peer_of_this_device_reads_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.links.connection._address_of", lambda peer: ip_address("192.0.2.7"))
    async with asking(tmp_path) as (_, port):
        assert (await ask(port, ANSWERS[0][0])).startswith(b"HTTP/1.1 403")


async def test_pages_come_over_tls_too(tmp_path: Path) -> None:
    async with listening("wss", tmp_path) as (owner, _):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = urlsplit(owner.url).port or 0
        with trio.fail_after(WAIT):
            stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=context, https_compatible=True)
            async with stream:
                await stream.send_all(ANSWERS[0][0])
                assert (await stream.receive_some()).endswith(b"ok\n")
        assert (await ask(port, ANSWERS[0][0])).endswith(b"ok\n")  # and without, on the same port


async def test_the_metrics_of_a_node_are_what_prometheus_reads(tmp_path: Path) -> None:
    sample = re.compile(r'glow_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+')
    async with node.start(tmp_path / "home", name="nas", listen=["tcp://127.0.0.1:0"]) as glow:
        port = urlsplit(glow.listening[0]).port or 0
        answer = (await ask(port, request("GET /metrics", HOST))).decode()
    _, _, body = answer.partition("\r\n\r\n")
    lines = body.splitlines()
    assert [line for line in lines if not line.startswith("# ") and not sample.fullmatch(line)] == []
    assert 'glow_events_total{part="router",event="http_requests"} 1' in lines
    assert "# TYPE glow_sessions gauge" in lines
