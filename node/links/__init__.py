"""Transports: one file each, one row each in SCHEMES.

A transport module has `async def dial(url) -> Connection` and `async def listen(url, ports) -> Door` (connection.py,
ports.py); both raise LinkError with a hint. Its name is the kind of its links. tests/node/links says what every
transport must do.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import trio

from firefly.errors import GlowError

SCHEMES = {
    "memory": "node.links.memory",
    "tcp": "node.links.tcp",
    "unix": "node.links.unix",
    "ws": "node.links.websocket",
    "wss": "node.links.websocket",
}
SHAREABLE = frozenset({"tcp", "ws", "wss"})
"""Schemes that an invite, a record or a peer may name; the others come from this device's user alone."""


class LinkError(GlowError):
    """A link could not be made: a wrong address, or nothing that answers there."""

    fault = "network"


def transport(url: str) -> ModuleType:
    """The module of a URL's scheme. Raises LinkError for an unknown one."""
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        raise LinkError(f"no transport for {url!r}", hint=f"use one of {', '.join(sorted(SCHEMES))}")
    return import_module(SCHEMES[scheme])


async def load(url: str) -> ModuleType:
    """The same, without a stop for everybody while a library is loaded for the first time. Raises LinkError."""
    if SCHEMES.get(url.partition(":")[0], __name__) in sys.modules:
        return transport(url)
    return await trio.to_thread.run_sync(transport, url)


def kind_of(url: str) -> str:
    """The kind of the links that a URL leads to: its transport's name, or its scheme if there is none."""
    scheme = url.partition(":")[0]
    return SCHEMES.get(scheme, scheme).rpartition(".")[2]
