"""Transports: one file each, one row each in SCHEMES.

A transport module has `parse(url)`, which checks an address; `async def dial(url) -> Connection`; and `async def
listen(url, ports) -> Door` (connection.py, ports.py). All raise LinkError with a hint. Where more than a socket belongs
to a connection it has `opened(url)` in place of `dial`. Its name is the kind of its links. tests/node/links says what
every transport must do.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from importlib import import_module
from ipaddress import ip_address
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio

from firefly.errors import GlowError

if TYPE_CHECKING:
    from node.links.connection import Connection

SCHEMES = {
    "memory": "node.links.memory",
    "pipe": "node.links.pipe",
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


class LinkClosed(LinkError):
    """The connection ended from the other side, or broke."""


def scheme_of(url: str) -> str:
    return url.partition(":")[0]


def is_for_others(url: str) -> bool:
    """Whether an address may lead another device here: of a scheme that may be told, and not of this device alone."""
    with suppress(ValueError):
        host = urlsplit(url).hostname or ""
        return scheme_of(url) in SHAREABLE and bool(host) and not _is_this_device(host)
    return False


def _is_this_device(host: str) -> bool:
    """Whether a name or an address means the device itself wherever it is used."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def transport(url: str) -> ModuleType:
    """The module of a URL's scheme. Raises LinkError for an unknown one."""
    scheme = scheme_of(url)
    if scheme not in SCHEMES:
        raise LinkError(f"no transport for {url!r}", hint=f"use one of {', '.join(sorted(SCHEMES))}")
    return import_module(SCHEMES[scheme])


async def load(url: str) -> ModuleType:
    """The same, without a stop for everybody while a library is loaded for the first time. Raises LinkError."""
    if SCHEMES.get(scheme_of(url), __name__) in sys.modules:
        return transport(url)
    return await trio.to_thread.run_sync(transport, url)


def kind_of(url: str) -> str:
    """The kind of the links that a URL leads to: its transport's name, or its scheme if there is none."""
    scheme = scheme_of(url)
    return SCHEMES.get(scheme, scheme).rpartition(".")[2]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connection]:
    """A connection to `url`; when the block ends, so does all that belongs to it. Raises LinkError."""
    module = await load(url)
    if hasattr(module, "opened"):
        async with module.opened(url) as connection:
            yield connection
        return
    connection = await module.dial(url)
    with closing(connection):
        yield connection
