"""WebSocket links through an HTTP proxy, and proxies that refuse, ask, talk rubbish or say nothing."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.link_book import standing_of
from node.links import LinkError, proxy, transport
from node.links.proxy import ANSWER_TIME, MAX_ANSWER
from tests.node.links.neighbours import WAIT, listening

SECRET = "p@ss word"
WORDS = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
Behave = Callable[[trio.SocketStream], Awaitable[None]]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine of the test has set does not count."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class SmallProxy:
    """Opens tunnels to this machine, whatever host is named. `asked` are the heads of all requests."""

    def __init__(self, wanted: str = "") -> None:
        self.asked: list[str] = []
        self._wanted = wanted

    async def serve(self, client: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await client.receive_some(1000)
        self.asked.append(data.decode())
        if self._wanted and f"Proxy-Authorization: {self._wanted}\r\n" not in self.asked[-1]:
            await client.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(self.asked[-1].split()[1].rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as server:
            await client.send_all(b"HTTP/1.1 200 Connection established\r\nVia: small\r\n\r\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, client, server)
                await _pass_on(server, client)
                nursery.cancel_scope.cancel()


async def _pass_on(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        async for data in source:
            await target.send_all(data)
        await target.send_eof()
    except trio.BrokenResourceError:
        await target.aclose()  # one side is gone: the other learns it


@asynccontextmanager
async def serving(behave: Behave) -> AsyncIterator[str]:
    """Runs a proxy; yields its HOST:PORT."""

    async def serve(client: trio.SocketStream) -> None:
        async with client:
            await behave(client)

    async with trio.open_nursery() as nursery:
        (listener,) = listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield f"127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def says(*parts: bytes) -> Behave:
    """A proxy that says this, whatever it is asked, and closes."""

    async def behave(client: trio.SocketStream) -> None:
        await client.receive_some(4096)
        for part in parts:
            await client.send_all(part)

    return behave


async def refusal(url: str = "ws://nas.test:80") -> LinkError:
    with trio.fail_after(WAIT), pytest.raises(LinkError) as caught:
        await transport(url).dial(url)
    return caught.value


# --- a way through


@pytest.mark.parametrize(("scheme", "variable"), [("ws", "HTTP_PROXY"), ("wss", "HTTPS_PROXY"), ("wss", "https_proxy")])
async def test_a_link_goes_through_the_proxy_of_its_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    small = SmallProxy(WORDS)
    async with listening(scheme, tmp_path) as (owner, dialler), serving(small.serve) as place:
        monkeypatch.setenv(variable, f"http://me:p%40ss%20word@{place}")
        link = await dialler.manager.dial(owner.url.replace("127.0.0.1", "nas.test"), owner.key.public)
        await dialler.until(lambda: dialler.ups)
        await owner.until(lambda: owner.ups)
        assert [head.split("\r\n")[0].split(":")[0] for head in small.asked] == ["CONNECT nas.test"]
        assert (link.kind, link.proxy) == ("websocket", f"http://{place}")
        assert standing_of(link) == f"through the proxy http://{place}"
        dialler.send(owner.key.address, b"there", bytes(60_000))
        await owner.until(lambda: len(owner.arrived) == 2)
        assert owner.arrived == [b"there", bytes(60_000)]


@pytest.mark.parametrize(
    ("name", "value", "secure", "host"),
    [
        ("HTTPS_PROXY", "http://p:1", False, "nas.test"),
        ("HTTP_PROXY", "http://p:1", True, "nas.test"),
        ("HTTPS_PROXY", "http://p:1", True, "localhost"),
        ("HTTPS_PROXY", "http://p:1", True, "127.8.0.1"),
        ("HTTPS_PROXY", "http://p:1", True, "::1"),
        ("HTTPS_PROXY", "", True, "nas.test"),
    ],
)
async def test_what_needs_none_is_dialled_directly(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, secure: bool, host: str
) -> None:
    monkeypatch.setenv(name, value)
    assert await proxy.find(secure, host, 443) is None


@pytest.mark.parametrize(
    ("exceptions", "host", "excepted"),
    [
        ("nas.test", "nas.test", True),
        ("other.test, .test", "nas.test", True),
        ("nas.test:443", "nas.test", True),
        ("nas.test:444", "nas.test", False),
        ("as.test", "nas.test", False),
        ("*", "nas.test", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "nas.test", False),
        ("fd00::/8", "fd00::7", True),
        ("fd00::7", "fd00::7", True),
        ("/,x/y,10/99", "10.1.2.3", False),
    ],
)
async def test_no_proxy_is_for_names_domains_and_networks(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, host: str, excepted: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "p:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert (await proxy.find(True, host, 443) is None) == excepted


@pytest.mark.parametrize(
    ("text", "shown", "credentials"),
    [
        ("p", "http://p:80", ""),
        ("p:3128", "http://p:3128", ""),
        ("http://me@p:3128/", "http://p:3128", "me:"),
        ("http://me:p%40ss%20word@[::1]:8", "http://[::1]:8", f"me:{SECRET}"),
    ],
)
def test_a_variable_names_host_port_and_credentials(text: str, shown: str, credentials: str) -> None:
    found = proxy.parse(text, "HTTPS_PROXY")
    assert (str(found), base64.b64decode(found.credentials).decode()) == (shown, credentials)


@pytest.mark.parametrize(
    "text", ["socks5://me:secret@p:1", "http://", "http://me:secret@p:70000", "http://me:secret@[p", "://", "https://p"]
)
def test_a_variable_that_names_no_proxy_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(LinkError, match="HTTPS_PROXY names no HTTP proxy") as caught:
        proxy.parse(text, "HTTPS_PROXY")
    assert "secret" not in f"{caught.value.message} {caught.value.cause} {caught.value.hint}"
    assert "HTTPS_PROXY=http://HOST:PORT glow node" in caught.value.hint


# --- no way through


@pytest.mark.parametrize(("given", "says"), [("", "asks for credentials"), ("me:secret@", "does not take the cred")])
async def test_a_proxy_that_wants_other_credentials_says_so(
    monkeypatch: pytest.MonkeyPatch, given: str, says: str
) -> None:
    async with serving(SmallProxy(WORDS).serve) as place:
        monkeypatch.setenv("HTTP_PROXY", f"http://{given}{place}")
        error = await refusal()
    assert error.message.startswith(f"the proxy http://{place} {says}")
    assert "407 Proxy Authentication Required" in error.cause
    assert error.hint == f"HTTP_PROXY=http://USER:PASSWORD@{place} glow node"
    assert "secret" not in error.message + error.cause


RUBBISH = {
    "refuses": ([b"HTTP/1.1 403 Not here\r\nX: y\r\n\r\n"], "'HTTP/1.1 403 Not here'"),
    "escapes": ([b"HTTP/1.1 502 \x1b[2J" + b"x" * 5000 + b"\r\n\r\n"], r"502 \x1b[2J"),
    "another service": ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "it is no HTTP proxy: it began with 'SSH-2.0-OpenSSH_9.2'"),
    "no code": ([b"HTTP/1.1 2\xb2\xb2 OK\r\n\r\n"], "no HTTP proxy"),
    "not text": ([b"\x00\xff" * 20 + b"\r\n\r\n"], "no HTTP proxy"),
    "no end": ([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 1000 + b"\r\n"] * (MAX_ANSWER // 1000 + 1)], "does not end"),
    "too much": ([b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n"], "more than that the way is open"),
    "half": ([b"HTTP/1.1 200 O"], "closed the connection after 'HTTP/1.1 200 O'"),
    "nothing": ([], "it closed the connection"),
}


@pytest.mark.parametrize(("parts", "cause"), RUBBISH.values(), ids=RUBBISH)
async def test_a_proxy_that_makes_no_sense_is_quoted(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes], cause: str
) -> None:
    async with serving(says(*parts)) as place:
        monkeypatch.setenv("HTTP_PROXY", place)
        error = await refusal()
    assert f"the proxy http://{place}" in error.message
    assert cause in error.cause
    assert len(error.cause) < 300
    assert "\x1b" not in error.cause
    assert error.hint == "without the proxy: NO_PROXY=nas.test glow node"


async def test_a_proxy_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async def silent(client: trio.SocketStream) -> None:
        while await client.receive_some(4096):
            pass

    autojump_clock.autojump_threshold = 0.02
    async with serving(silent) as place:
        monkeypatch.setenv("HTTP_PROXY", place)
        error = await refusal()
    assert f"not complete within {ANSWER_TIME:g} s" in error.cause
    assert trio.current_time() >= ANSWER_TIME


async def test_a_proxy_that_is_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(says()) as place:
        pass
    monkeypatch.setenv("HTTP_PROXY", place)
    error = await refusal()
    assert error.message == f"the proxy http://{place} cannot be reached"
    assert "refused" in error.cause


@pytest.mark.parametrize("host", ["n as", "nas\x0b", "ü" * 70])
async def test_what_can_be_no_host_name_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    small = SmallProxy()
    async with serving(small.serve) as place:
        monkeypatch.setenv("HTTP_PROXY", place)
        error = await refusal(f"ws://{host}:80")
    assert "opens no way" in error.message
    assert not small.asked
