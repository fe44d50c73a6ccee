"""The signaling process: what makes a relay with a public address a hub."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.util import find_spec

import trio

from firefly import Context
from firefly.errors import Denied, GlowError
from firefly.interfaces.signaling import Attached, IceServer, Knock, SignalingServer
from firefly.runtime import Caller, current_call
from signaling import RESOURCE
from signaling.mailbox import MAX_SLOTS, SLOTS, Mailbox
from signaling.rendezvous import Rendezvous
from signaling.turn import credentials

SETTINGS = ("stun", "host", "turn", "turn-secret-file", "turn-lifetime", "slots")
LIFETIME = 86400
"""Seconds that TURN credentials serve, if nothing else is set."""
HINT = "glow signaling --help"


class BadSettings(GlowError):
    """The process cannot run as it is configured."""


class SignalingProcess(SignalingServer):
    """Configuration, all optional: `stun`, HOST:PORT where STUN is answered, and at the port above, so that nodes can
    tell what NAT they are behind; `host`, under which others reach this hub; `turn`, URLs of a TURN server, and
    `turn-secret-file`, with the secret that it shares; `turn-lifetime`, seconds that its credentials serve; `slots`,
    how many slots the mailbox has.
    """

    well_known = RESOURCE

    async def start(self, context: Context) -> None:
        """Raises BadSettings."""
        given = context.configuration
        unknown = sorted(set(given) - set(SETTINGS))
        if unknown:
            raise BadSettings(f"signaling does not know {unknown[0]!r}", f"it can be told {', '.join(SETTINGS)}", HINT)
        self._rendezvous = Rendezvous()
        self._mailbox = Mailbox(_number(given, "slots", SLOTS, MAX_SLOTS))
        self._turn = given.get("turn", "").split()
        self._secret = await _secret(given.get("turn-secret-file", "")) if self._turn else b""
        self._lifetime = _number(given, "turn-lifetime", LIFETIME, 30 * 86400)
        self._stun: list[str] = []
        self._sockets = await _sockets(given.get("stun", ""))
        host = given.get("host", "")
        for sock in self._sockets:
            from signaling.stun import serve

            self._stun.append(f"stun:{_bracketed(host or sock.getsockname()[0])}:{sock.getsockname()[1]}")
            context.nursery.start_soon(serve, sock)

    async def stop(self) -> None:
        for sock in self._sockets:
            sock.close()

    # --- Rendezvous

    def attached(self, after: bytes | None) -> list[Attached]:
        return self._rendezvous.attached(_member().namespace, after)

    def listen(self) -> AsyncIterator[Knock]:
        return self._rendezvous.listen(_member())

    def knock(self, node: bytes, content: bytes) -> None:
        self._rendezvous.knock(_member(), node, content)

    # --- Mailbox

    def open(self, lifetime: float) -> int:
        return self._mailbox.open(current_call().caller.key, lifetime)

    def put(self, slot: int, content: bytes) -> None:
        self._mailbox.put(current_call().caller.key, slot, content)

    async def take(self, slot: int) -> bytes:
        return await self._mailbox.take(current_call().caller.key, slot)

    def close(self, slot: int) -> None:
        self._mailbox.close(current_call().caller.key, slot)

    # --- Turn

    def servers(self) -> list[IceServer]:
        caller = _member()
        found = [IceServer(self._stun)] if self._stun else []
        if self._turn:
            expires = int(time.time()) + self._lifetime
            username, password = credentials(self._secret, caller.address.hex(), expires)
            found.append(IceServer(self._turn, username, password, float(self._lifetime)))
        return found


def _member() -> Caller:
    """Who calls, of a namespace that this hub is in. Raises Denied."""
    caller = current_call().caller
    if not any(caller.namespace):
        raise Denied(
            "this hub serves namespaces that it is a relay of",
            hint="`glow invite --role relay` on a device of yours, then `glow join` on the hub",
        )
    return caller


async def _secret(file: str) -> bytes:
    if not file:
        raise BadSettings("a TURN server needs the secret that it shares", hint="--turn-secret-file FILE")
    try:
        secret = (await trio.Path(file).read_bytes()).strip()
    except OSError as error:
        raise BadSettings(f"{file} cannot be read", error.strerror or str(error), "--turn-secret-file FILE") from None
    if not secret:
        raise BadSettings(f"{file} is empty", hint="put the static-auth-secret of the TURN server into it")
    return secret


async def _sockets(address: str) -> list[trio.socket.SocketType]:
    """UDP sockets at HOST:PORT and at the next port; at two free ones for port 0; none for an empty address."""
    if not address:
        return []
    if find_spec("aioice") is None:
        raise BadSettings(
            "STUN needs a library that is not installed", hint='pip install "glow[webrtc]", or --stun off'
        )
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not port.isdecimal() or not 0 <= int(port) <= 65534:
        raise BadSettings(f"{address!r} is no HOST:PORT of STUN", hint="--stun 3478, or --stun off")
    sockets: list[trio.socket.SocketType] = []
    try:
        for number in (int(port), int(port) and int(port) + 1):
            sock = trio.socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(sock)
            await sock.bind((host, number))
    except OSError as error:
        for sock in sockets:
            sock.close()
        reason = error.strerror or str(error)
        raise BadSettings(f"STUN cannot be answered at {address}", reason, "another port: --stun PORT") from None
    return sockets


def _number(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, "")
    with suppress(ValueError):
        if not text or 1 <= int(text) <= most:
            return int(text or default)
    raise BadSettings(f"{name} is a number from 1 to {most}, not {text!r}", hint=HINT)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
