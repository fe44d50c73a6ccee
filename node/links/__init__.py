"""Transports: one file each, one row each in SCHEMES.

A transport module has `kind`; `async def dial(url) -> trio.SocketStream`; `async def listen(url) -> (listeners, url
with the real port)`, where `accept()` of a listener gives a trio.SocketStream; and `accepted(socket)`, which tunes what
was accepted. The first two raise LinkError with a hint; so does `parse(url)`, where there is one, for a malformed URL.
tests/node/links says what every transport must do.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from firefly.errors import GlowError

SCHEMES = {"memory": "node.links.memory", "tcp": "node.links.tcp", "unix": "node.links.unix"}
SHAREABLE = frozenset({"tcp"})
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
