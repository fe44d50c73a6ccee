"""The forward process: leads to one tcp or udp service that its node can reach, and to no other."""

from __future__ import annotations

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

import trio

from firefly import Context
from firefly.errors import Busy
from firefly.interfaces.forward import ForwardServer, Refused, WrongKind
from firefly.interfaces.streams import FlowServer, SequenceServer
from processes.background import Background
from processes.configuration import BadConfiguration, check_names
from processes.forward.connection import Connection
from processes.forward.datagrams import Datagrams

MAX_OPEN = 1024
"""Connections and flows at a time."""
DIAL_TIME = 10.0
HINT = "glow create forward --label web target=tcp://127.0.0.1:8080"


class Target(NamedTuple):
    """Where a forward leads; `kind` is tcp or udp."""

    kind: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


class ForwardProcess(ForwardServer):
    """Configuration: `target`, tcp://HOST:PORT or udp://HOST:PORT."""

    async def start(self, context: Context) -> None:
        """Raises BadConfiguration."""
        check_names("forward", context.configuration, ("target",), HINT)
        self._target = parse_target(context.configuration.get("target", ""))
        self._open = 0
        self._background = await Background.open(context.nursery)

    async def stop(self) -> None:
        await self._background.close()

    def target(self) -> str:
        return str(self._target)

    async def connect(self) -> SequenceServer:
        self._admit("tcp")
        try:
            with trio.fail_after(DIAL_TIME):
                stream = await trio.open_tcp_stream(self._target.host, self._target.port)
        except (OSError, trio.TooSlowError) as error:
            self._closed()
            raise Refused(str(self._target), _reason(error)) from None
        except BaseException:
            self._closed()
            raise
        return Connection(stream, self._background, self._closed)

    async def flow(self) -> FlowServer:
        self._admit("udp")
        try:
            sock = await _connected(self._target)
        except BaseException as error:
            self._closed()
            if isinstance(error, OSError):
                raise Refused(str(self._target), _reason(error)) from None
            raise
        return Datagrams(sock, self._closed)

    def _admit(self, kind: str) -> None:
        if self._target.kind != kind:
            raise WrongKind(str(self._target))
        if self._open >= MAX_OPEN:
            raise Busy(f"{MAX_OPEN} connections are open", hint="close one, or try again later")
        self._open += 1

    def _closed(self) -> None:
        self._open -= 1


def parse_target(text: str) -> Target:
    """Raises BadConfiguration."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in ("tcp", "udp") or parts.path not in ("", "/"):
        what = f"the target is no address: {text!r}" if text else "the forward has no target"
        raise BadConfiguration(what, hint=HINT)
    return Target(parts.scheme, host, port)


async def _connected(target: Target) -> socket.socket:
    """A udp socket that knows its peer. Raises OSError."""
    found = await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: BaseException) -> str:
    if isinstance(error, trio.TooSlowError):
        return f"no answer within {DIAL_TIME:.0f} s"
    return getattr(error, "strerror", None) or str(error)
