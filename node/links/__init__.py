"""Transports: one file each, one row each in SCHEMES.

A transport module has `kind`; `parse(url)`, which checks an address; `async def dial(url) -> trio.SocketStream`;
`async def listen(url) -> (listeners, url with the real port)`, where `accept()` of a listener gives a
trio.SocketStream; and `accepted(socket)`, which tunes what was accepted. The first three raise LinkError with a hint.
tests/node/links says what every transport must do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from importlib import import_module
from types import ModuleType

import trio

from firefly.errors import GlowError

SCHEMES = {
    "memory": "node.links.memory",
    "pipe": "node.links.pipe",
    "tcp": "node.links.tcp",
    "unix": "node.links.unix",
}
SHAREABLE = frozenset({"tcp"})
"""Schemes that an invite, a record or a peer may name; the others come from this device's user alone."""


class LinkError(GlowError):
    """A link could not be made: a wrong address, or nothing that answers there."""

    fault = "network"


class LinkClosed(LinkError):
    """The connection ended from the other side, or broke."""


def scheme_of(url: str) -> str:
    return url.partition(":")[0]


def transport(url: str) -> ModuleType:
    """The module of a URL's scheme. Raises LinkError for an unknown one."""
    scheme = scheme_of(url)
    if scheme not in SCHEMES:
        raise LinkError(f"no transport for {url!r}", hint=f"use one of {', '.join(sorted(SCHEMES))}")
    return import_module(SCHEMES[scheme])


def opened(url: str) -> AbstractAsyncContextManager[trio.SocketStream]:
    """A connection to `url`; when the block ends, so does all that belongs to it. Raises LinkError."""
    module = transport(url)
    manager: AbstractAsyncContextManager[trio.SocketStream] = getattr(module, "opened", _dialled)(url)
    return manager


@asynccontextmanager
async def _dialled(url: str) -> AsyncIterator[trio.SocketStream]:
    stream = await transport(url).dial(url)
    with closing(stream.socket):
        yield stream
