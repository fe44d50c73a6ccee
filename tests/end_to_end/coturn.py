"""A real TURN server, coturn, on a host of `nats.py`. It asks for credentials that end (`use-auth-secret`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aioice import stun

from tests.end_to_end.nats import Host

PORT = 3478
RELAYED = range(50000, 50500)
"""Ports that it relays from."""
REALM = "turn.test"
START = 20.0
"""Seconds that it may take until it answers."""
ASK = 0.1
"""Seconds between two questions whether it does."""


def missing() -> str:
    """Why there can be no such server here; empty if there can."""
    return "" if shutil.which("turnserver") else "apt install coturn"


@dataclass(frozen=True)
class Coturn:
    """A server that runs. `secret` is what it shares with those who give out credentials."""

    address: str
    port: int = PORT
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def credentials(self, seconds: float = 3600.0) -> tuple[str, str]:
        """A name that is valid for so long, and its password."""
        name = f"{int(time.time() + seconds)}:test"
        digest = hmac.digest(self.secret.encode(), name.encode(), hashlib.sha1)
        return name, base64.b64encode(digest).decode()


@contextmanager
def coturn(host: Host, folder: Path) -> Iterator[Coturn]:
    """A server on all ports UDP and TCP of PORT that answers; it is gone at the end of the block.

    Its files and what it says (`coturn.log`) are in `folder`.
    """
    server = Coturn(host.address)
    said = folder / "coturn.log"
    with said.open("w") as log:
        process = subprocess.Popen([*host.within, *words(server, folder)], stdout=log, stderr=log)
    try:
        assert answers(host, server, process), said.read_text()
        yield server
    finally:
        process.kill()
        process.wait()


def words(server: Coturn, folder: Path) -> list[str]:
    """The command that starts a server."""
    options = {
        "listening-ip": server.address,
        "relay-ip": server.address,
        "listening-port": server.port,
        "min-port": RELAYED.start,
        "max-port": RELAYED.stop - 1,
        "realm": REALM,
        "static-auth-secret": server.secret,
        "userdb": folder / "turndb",
        "pidfile": folder / "turnserver.pid",
        "log-file": "stdout",
        "relay-threads": 1,
    }
    plain = ["-n", "--use-auth-secret", "--fingerprint", "--no-cli", "--no-tls", "--no-dtls", "--verbose"]
    return ["turnserver", *plain, *(f"--{name}={value}" for name, value in options.items())]


def answers(host: Host, server: Coturn, process: subprocess.Popen[bytes]) -> bool:
    """Waits for the answer to a STUN binding request; false if the process has ended, or takes too long."""
    question = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    deadline = time.monotonic() + START
    with host.socket() as asking:
        asking.settimeout(ASK)
        while process.poll() is None and time.monotonic() < deadline:
            asking.sendto(bytes(question), (server.address, server.port))
            try:
                answer = stun.parse_message(asking.recv(2048))
            except (TimeoutError, ConnectionRefusedError):
                continue
            return answer.transaction_id == question.transaction_id
    return False
