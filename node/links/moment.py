"""Something that happens once, for which hardly anybody waits."""

from __future__ import annotations

import trio


class Moment:
    """Like `trio.Event`, which takes 300 bytes more: it is made when there is somebody who waits."""

    __slots__ = ("_come", "_event")

    def __init__(self) -> None:
        self._come = False
        self._event: trio.Event | None = None

    def is_set(self) -> bool:
        return self._come

    def set(self) -> None:
        """It has come: whoever waits goes on, and nobody has to wait any more."""
        self._come = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Returns at once if it has come."""
        if self._come:
            await trio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()
