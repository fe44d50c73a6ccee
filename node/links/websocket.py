"""Links over WebSocket: `ws://HOST:PORT/PATH`, or `wss://` over TLS. A message is a frame (docs/concepts/wire.md, 1).

The protocol is that of the library `websockets`, without its I/O: docs/decisions/0009-websocket-sans-io.md says why.
A `#sha256=HEX` behind a wss address pins the key of the certificate there, which nobody need have signed then.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urldefrag, urlsplit

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol, Side
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from firefly.errors import BadFrame
from firefly.link import HANDSHAKE_FRAME
from node.http import LINK_PATHS, Refused
from node.links import LinkError, proxy, tcp, tls
from node.links.connection import Connection
from node.links.link import MAX_FRAME
from node.links.ports import Door, Listening, Ports, bracketed

kind = "websocket"
MAX_ANSWER = 16 * 2**10
"""Bytes that a server may say before it speaks WebSocket."""
MAX_OWED = 64 * 2**10
"""Bytes of answers to pings that may wait for a peer which does not take them."""
MAX_REASON = 123
"""Bytes of the text in a close frame (RFC 6455, 5.5)."""
HEADER = 14
"""Bytes before the content of a message, at most (RFC 6455, 5.2)."""
HINT = "write ws://HOST:PORT or wss://HOST:PORT, the latter with #sha256=HEX to pin the key there"
LISTEN_HINT = "write ws://HOST:PORT, or wss://HOST:PORT?certificate=FILE&key=FILE"


class Address(NamedTuple):
    """`plain`: the URL without its fragment. `pin`: `sha256=HEX` of the key that must be there, or empty."""

    plain: str
    secure: bool
    host: str
    port: int
    pin: str


def parse(url: str) -> Address:
    """What a URL says. Raises LinkError."""
    plain, fragment = urldefrag(url)
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LinkError(f"{url!r} is no WebSocket address", cause=str(error), hint=HINT) from None
    if parts.scheme not in ("ws", "wss") or not host or parts.username is not None:
        raise LinkError(f"{url!r} is no WebSocket address", hint=HINT)
    secure = parts.scheme == "wss"
    if fragment and not (secure and tls.PIN.fullmatch(fragment)):
        raise LinkError(f"{url!r} pins no key", cause=f"{fragment!r} is not sha256= and 64 hex digits", hint=HINT)
    return Address(plain, secure, host, port if port is not None else 443 if secure else 80, fragment)


# --- dialling


async def dial(url: str) -> Connection:
    """Connects, through a proxy where the environment names one, and makes the connection one of WebSocket."""
    address = parse(url)
    via = await proxy.find(address.secure, address.host, address.port)
    if via is None:
        connection = Connection(await tcp.connect(address.host, address.port, url), kind, url)
    else:
        connection = Connection(await proxy.tunnel(via, address.host, address.port, url), kind, url)
        connection.proxy = str(via)
    try:
        with trio.fail_after(tcp.DIAL_TIME):
            if address.secure:
                connection.sock = await tls.dialled(connection.sock, address.host, address.pin, url)
            await ask_upgrade(connection, address.plain)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError | ValueError | trio.TooSlowError):
            raise LinkError(f"{url} speaks no WebSocket", cause=str(error) or "it took over 5 s") from None
        raise
    return connection


async def ask_upgrade(connection: Connection, url: str) -> None:
    """Asks for WebSocket, until the server agrees. Raises LinkError, OSError."""
    try:
        protocol = ClientProtocol(parse_uri(url), max_size=MAX_FRAME)
    except InvalidURI as error:
        raise LinkError(f"{url!r} is no WebSocket address", cause=str(error), hint=HINT) from None
    protocol.send_request(protocol.connect())
    await connection.write(b"".join(protocol.data_to_send()))
    size, ended = 0, False
    while protocol.state is not OPEN and protocol.handshake_exc is None and not ended and size <= MAX_ANSWER:
        data = await connection.read()
        size, ended = size + len(data), not data
        protocol.receive_data(data) if data else protocol.receive_eof()
    if protocol.state is not OPEN:
        cause = str(protocol.handshake_exc or "what it answers does not end")
        raise LinkError(f"{url} does not take the link", cause=cause, hint="is it the address of a node?")
    connection.frames = WebSocketFrames(protocol)


# --- listening


def parse_request(data: bytes) -> tuple[ServerProtocol, Request | None]:
    """The HTTP request at the beginning of `data`, None if it is none, and the protocol that goes on from it."""
    protocol = ServerProtocol(max_size=MAX_FRAME)
    protocol.receive_data(data)
    request = next((event for event in protocol.events_received() if isinstance(event, Request)), None)
    return protocol, request


async def upgrade(connection: Connection, protocol: ServerProtocol, request: Request, rest: bytes) -> None:
    """Makes the connection one of WebSocket, as the request asks; `rest` came behind it. Raises Refused, OSError.

    The messages get a protocol of their own: the one of the handshake keeps the request, 3 kB, for as long as it lives.
    """
    answer = protocol.accept(request)
    if answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise Refused(HTTPStatus(answer.status_code), str(protocol.handshake_exc))
    protocol.send_response(answer)
    await connection.write(b"".join(protocol.data_to_send()))
    messages = Protocol(Side.SERVER, max_size=MAX_FRAME)
    messages.receive_data(rest)
    connection.kind, connection.frames = kind, WebSocketFrames(messages)


async def listen(url: str, ports: Ports) -> Door:
    """Takes links at the port, which also takes raw frames; wss adds TLS to it."""
    address = parse(url)
    parts = urlsplit(address.plain)
    if parts.path.rstrip("/") not in ("", *LINK_PATHS) or address.pin:
        raise LinkError(f"cannot listen at {url!r}", hint=LISTEN_HINT)
    if parts.query and not address.secure:
        raise LinkError(f"cannot listen at {url!r}", cause="only wss has a certificate", hint=LISTEN_HINT)
    if not address.secure:
        port, listeners = await ports.open(address.host, address.port)
        real = f"ws://{bracketed(address.host)}:{port.number}"
        return Door(tcp.kind, listeners, port.arrive, Listening(real, real))
    certificate, key = _files(url, parts.query) if parts.query else (ports.own_certificate(), None)
    context, pin, name = tls.certified(certificate, key, url)
    port, listeners = await ports.open(address.host, address.port, context)
    query = parts.query.replace(" ", "%20")  # what is kept is told apart by spaces
    kept = f"wss://{bracketed(address.host)}:{port.number}{query and '?'}{query}"
    announced = f"wss://{bracketed(name or address.host)}:{port.number}{pin and '#'}{pin}"
    return Door(tcp.kind, listeners, port.arrive, Listening(kept, announced))


def _files(url: str, query: str) -> tuple[Path, Path | None]:
    """The certificate's file, and its key's if that is another one. Raises LinkError."""
    given = parse_qs(query)
    certificate, key = given.pop("certificate", []), given.pop("key", [])
    if given or len(certificate) != 1 or len(key) > 1:
        raise LinkError(f"cannot listen at {url!r}", cause="it names no certificate", hint=LISTEN_HINT)
    return Path(certificate[0]), Path(key[0]) if key else None


# --- messages


class WebSocketFrames:
    """The messages of one side of an open connection as frames: see `node.links.connection.Frames`."""

    def __init__(self, protocol: Protocol) -> None:
        self.limit = HANDSHAKE_FRAME
        self.ended = ""
        self._protocol = protocol
        self._wrong = ""
        self._parts: list[bytes] = []
        self._since = 0  # bytes fed since a message was complete
        self._owed: list[bytes] = []

    def frame(self, content: bytes) -> bytes:
        if self._protocol.state is OPEN:
            self._protocol.send_binary(content)
        return self.owed()

    plain = frame

    def feed(self, data: bytes) -> list[bytes]:
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        messages = [message for event in protocol.events_received() if (message := self._message(event)) is not None]
        self._owed += protocol.data_to_send()
        if messages:
            self._since = 0
        else:
            self._since += len(data)
            self.check()
        return messages

    def _message(self, event: object) -> bytes | None:
        """The message that a frame of WebSocket completes."""
        if not isinstance(event, Frame) or self._wrong or self.ended:
            return None
        if event.opcode is Opcode.TEXT:
            self._fail(CloseCode.UNSUPPORTED_DATA, "a message is text; only binary ones are frames")
        elif event.opcode is Opcode.CLOSE:
            self.ended = f"it said {str(self._protocol.close_rcvd)!r}"
        elif event.opcode in (Opcode.BINARY, Opcode.CONT):
            if event.fin and not self._parts:
                return bytes(event.data)
            self._parts.append(bytes(event.data))
            if event.fin:
                parts, self._parts = self._parts, []
                return b"".join(parts)
        return None

    def check(self) -> None:
        protocol = self._protocol
        if self._wrong or self.ended:
            pass
        elif protocol.state is not OPEN:  # the library has found something
            self._wrong = protocol.close_sent.reason if protocol.close_sent is not None else "the connection is closed"
        elif self._since > self.limit + HEADER:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"a message is over {self.limit} bytes")
        elif len(self._owed) > 1 and sum(map(len, self._owed)) > MAX_OWED:
            self._fail(CloseCode.POLICY_VIOLATION, "it sends pings and does not take the answers")
        if self._wrong:
            raise BadFrame(self._wrong)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._wrong = reason
        if self._protocol.state is OPEN:
            self._protocol.fail(code, reason)

    def owed(self) -> bytes:
        owed, self._owed = self._owed, []
        return b"".join(owed + self._protocol.data_to_send())

    def farewell(self, reason: str) -> bytes:
        if self._protocol.state is OPEN:
            text = reason.encode()[:MAX_REASON].decode(errors="ignore")
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE, text)
        return self.owed()
