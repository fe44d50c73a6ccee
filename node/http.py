"""The one HTTP seam: one bounded request per connection, which asks for a link over WebSocket or for a page.

    /  /link     upgrade to WebSocket: the connection becomes a link
    /healthz     `ok`
    /metrics     what the node counts, for Prometheus

Pages are for the user of this device: a loopback peer which calls us by a loopback name, so that no page in a browser
can have its own name lead here (DNS rebinding) and read them. `pages_for_all` opens them to everybody.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio

from firefly.errors import GlowError
from node.links import load

if TYPE_CHECKING:
    from websockets.http11 import Request

    from node.links.connection import Connection

LINK_PATHS = ("/", "/link")
HEAD_END = b"\r\n\r\n"
MAX_HEAD = 8 * 2**10
"""Bytes of a request."""
LINGER_TIME, LINGER_SIZE = 1.0, 64 * 2**10
"""Seconds and bytes for which a peer may go on talking after its answer, so that it comes to read that."""
TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
FOREIGN = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""Headers by which a proxy on this device tells that the request is somebody else's."""


class Refused(GlowError):
    """A request that is not granted; `status` says it to the peer."""

    fault = "peer"

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Http:
    """Answers requests. `counters` are the node's; `metrics`, once it is set, gives the text for Prometheus."""

    def __init__(self, counters: Counter[str], metrics: Callable[[], str] = str) -> None:
        self.pages_for_all = False
        self.metrics = metrics
        self._counters = counters
        self._pages: dict[str, tuple[str, Callable[[], str]]] = {
            "/healthz": (TEXT, lambda: "ok\n"),
            "/metrics": (METRICS, lambda: self.metrics()),
        }

    async def answer(self, connection: Connection) -> bool:
        """True if the connection now speaks WebSocket; else the request is answered. Raises OSError."""
        self._counters["http_requests"] += 1
        try:
            head = await _read_head(connection)
            websocket = await load("ws:")
            protocol, request = websocket.parse_request(head)
            if request is None:
                raise Refused(HTTPStatus.BAD_REQUEST, "this is no request")
            path = request.path.partition("?")[0]
            if path in LINK_PATHS and request.headers.get_all("Upgrade"):
                await websocket.upgrade(connection, protocol, request, head.partition(HEAD_END)[2])
                return True
            answer = self._page(connection, request, path)
        except Refused as refused:
            self._counters["bad_requests"] += 1
            answer = response(refused.status, f"{refused.message}\n")
        await connection.write(answer)
        await _linger(connection)
        return False

    def _page(self, connection: Connection, request: Request, path: str) -> bytes:
        if path not in self._pages:
            raise Refused(HTTPStatus.NOT_FOUND, f"no such page; there are {' and '.join(self._pages)}, and links at /")
        if request.method != "GET":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "pages are only for GET")
        if not self.pages_for_all and not _is_local(connection, request):
            raise Refused(HTTPStatus.FORBIDDEN, "only for this device; `glow node --pages-for all` changes that")
        content_type, text = self._pages[path]
        return response(HTTPStatus.OK, text(), content_type)


async def _read_head(connection: Connection) -> bytes:
    """What was sent, up to the empty line and perhaps beyond. Raises Refused, OSError."""
    data = b""
    while HEAD_END not in data:
        more = await connection.read(MAX_HEAD)
        data += more
        if len(data) > MAX_HEAD:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {MAX_HEAD} bytes")
        if not more:
            raise Refused(HTTPStatus.BAD_REQUEST, "the request is not complete")
    return data


def _is_local(connection: Connection, request: Request) -> bool:
    """Whether the user of this device asks, and not a page in a browser, nor somebody behind a proxy here."""
    headers = request.headers
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    if connection.peer is None or not connection.peer.is_loopback or any(name in headers for name in FOREIGN):
        return False
    return len(hosts) == 1 and all(map(_is_loopback, [f"//{hosts[0]}", *origins]))


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def response(status: HTTPStatus, body: str, content_type: str = TEXT) -> bytes:
    """A whole answer, after which the connection ends."""
    content = body.encode()
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        head.append("Allow: GET")
    return "\r\n".join([*head, "", ""]).encode() + content


async def _linger(connection: Connection) -> None:
    """Ends our side, and waits a moment for the peer to end its own: closing at once could take the answer from it."""
    with suppress(OSError), trio.move_on_after(LINGER_TIME):
        connection.sock.shutdown(socket.SHUT_WR)
        left = LINGER_SIZE
        while left > 0 and (data := await connection.read()):
            left -= len(data)
