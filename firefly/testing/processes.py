"""A process under test, called through its stub over a real conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from firefly.errors import Unreachable
from firefly.loopback import Loopback
from firefly.runtime import Caller, Host, Peer, Server, Stub, open_workers

StubType = TypeVar("StubType", bound=Stub)
ADDRESS, RESOURCE = bytes(16), b"resource under t"
CALLER = Caller(bytes(32), bytes(32), 1, b"caller under tes")


class _Alone:
    """A network of one peer: the other end of the loopback."""

    def __init__(self, address: bytes) -> None:
        self.address = address
        self.only: Peer | None = None

    def peer(self, node: bytes) -> Peer | None:
        return self.only

    async def reach(self, node: bytes) -> Peer:
        if self.only is None:
            raise Unreachable("nothing is served here")
        return self.only

    async def introduce(self, node: bytes, resource: bytes, receiver: bytes) -> bytes:
        return resource


@asynccontextmanager
async def serving(server: Server, stub: type[StubType], *, caller: Caller = CALLER) -> AsyncIterator[StubType]:
    """Serves `server` as another node would and yields a client of it; everything ends with the block."""
    async with open_workers() as owning, open_workers() as calling:
        near, far = _Alone(caller.address), _Alone(ADDRESS)
        owner, asker = Host(far, owning), Host(near, calling)
        owner.add(RESOURCE, server)
        owner_is = Caller(bytes(32), bytes(32), 2, ADDRESS)
        pair = Loopback(asker, owner, trio.current_time, caller_is=caller, owner_is=owner_is)
        near.only, far.only = pair.caller, pair.owner
        try:
            yield stub(near, ADDRESS, RESOURCE)
        finally:
            pair.close()
