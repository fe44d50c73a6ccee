"""A tcp connection as a Sequence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import trio

from firefly.errors import GlowError, Interrupted, InvalidArgument
from firefly.interfaces.streams import SequenceServer
from firefly.runtime import ITEM_SIZE, ArgumentStream
from processes.background import Background


class Connection(SequenceServer):
    """Owns the stream; `closed` is called once, when it is closed: at the end of the exchange, or when it is let go."""

    def __init__(self, stream: trio.SocketStream, background: Background, closed: Callable[[], None]) -> None:
        self._stream = stream
        self._background = background
        self._closed = closed
        self._used = False

    async def exchange(self, data: ArgumentStream[bytes]) -> AsyncIterator[bytes]:
        if self._used:
            raise InvalidArgument("a connection is used once", hint="connect anew")
        self._used = True
        sending = trio.CancelScope()
        self._background.start_soon(self._send, data, sending)
        try:
            while piece := await self._stream.receive_some(ITEM_SIZE):
                yield bytes(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Interrupted("the target broke the connection", hint="connect anew") from None
        finally:
            sending.cancel()
            self._close()

    async def _send(self, data: ArgumentStream[bytes], scope: trio.CancelScope) -> None:
        """What the caller sends, to its end; a caller that fails breaks the connection."""
        with scope:
            try:
                async for piece in data:
                    await self._stream.send_all(piece)
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError, GlowError):
                self._close()

    def released(self) -> None:
        """Nobody holds the connection any more (called by the runtime)."""
        if not self._used:
            self._used = True
            self._close()

    def _close(self) -> None:
        if self._stream.socket.fileno() >= 0:
            self._stream.socket.close()
            self._closed()
