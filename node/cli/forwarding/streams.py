"""tcp connections of this device, each carried by a Sequence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import trio

from firefly.errors import GlowError
from firefly.interfaces.forward import Forward
from firefly.interfaces.streams import Sequence
from firefly.runtime import ITEM_SIZE
from node.cli.failures import UsageError

MAX_CONNECTIONS = 256
"""Carried at a time; more wait to be accepted."""


async def carry(
    forward: Forward, host: str, port: int, ready: Callable[[str, int], None], note: Callable[[str], None]
) -> None:
    """Takes connections until it is cancelled. `ready` hears the host and port at which it does, `note` what failed."""
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}",
            cause=error.strerror or str(error),
            hint="another port, or none for any that is free",
        ) from None
    limiter = trio.CapacityLimiter(MAX_CONNECTIONS)

    async def carry_one(stream: trio.SocketStream) -> None:
        async with limiter:
            try:
                await exchange(stream, await forward.connect())
            except GlowError as error:
                note(f"a connection failed: {error.message}" + (f": {error.cause}" if error.cause else ""))

    try:
        ready(host, listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(carry_one, listeners)
    finally:
        for listener in listeners:
            listener.socket.close()


async def exchange(stream: trio.SocketStream, sequence: Sequence) -> None:
    """Carries one connection to its end. Raises GlowError if the other side broke it."""
    try:
        async with sequence.exchange(_read(stream)) as answers:
            async for piece in answers:
                await stream.send_all(piece)
        await stream.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # whoever used it here is gone
    finally:
        sequence.release()


async def _read(stream: trio.SocketStream) -> AsyncIterator[bytes]:
    while piece := await stream.receive_some(ITEM_SIZE):
        yield bytes(piece)
