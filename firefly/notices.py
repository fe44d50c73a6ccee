"""Room for notifications in one conversation, by resource (docs/concepts/wire.md, 5 Messages).

The sender spends an allowance, the owner gives room back as its handlers are done. What is known of a resource is
made when it is first used, so neither side needs to be told that there will be notifications.
"""

from __future__ import annotations

from collections.abc import Callable

from firefly.credit import Allowance, Budget, Window
from firefly.errors import BadMessage


class Notices:
    """`give(resource, size)` sends credit to the peer. `now` and `round_trip` are in seconds."""

    def __init__(
        self,
        budget: Budget,
        now: Callable[[], float],
        round_trip: Callable[[], float],
        give: Callable[[bytes, int], None],
    ) -> None:
        self._budget = budget
        self._now = now
        self._round_trip = round_trip
        self._give = give
        self._allowances: dict[bytes, Allowance] = {}
        self._windows: dict[bytes, Window] = {}
        self._waiters: dict[bytes, list[Callable[[], None]]] = {}

    # --- as the sender

    def allowance(self, resource: bytes) -> Allowance:
        found = self._allowances.get(resource)
        if found is None:
            found = self._allowances[resource] = Allowance()
        return found

    def may_send(self, resource: bytes) -> bool:
        """Whether the resource's owner has room for a notification."""
        return resource not in self._allowances or self._allowances[resource].left > 0

    def spend(self, resource: bytes, size: int) -> None:
        """Counts notifications that were sent."""
        self.allowance(resource).left -= size

    def when_room(self, resource: bytes, callback: Callable[[], None]) -> None:
        """Calls `callback` once, when the resource's owner has room again or the conversation has ended."""
        self._waiters.setdefault(resource, []).append(callback)

    def credited(self, resource: bytes, size: int) -> None:
        """The peer gave room; for a resource that was never sent anything there is nothing to give."""
        if resource in self._allowances:
            self._allowances[resource].left += size
            for callback in self._waiters.pop(resource, ()):
                callback()

    # --- as the owner

    def admit(self, resource: bytes, size: int) -> None:
        """Counts notifications that are taken. Raises BadMessage if the peer had no room for them."""
        if not self._window(resource).received(size):
            raise BadMessage("notifications came without credit")

    def consumed(self, resource: bytes, size: int) -> None:
        """The owner is done with notifications of `size` bytes to `resource`."""
        credit = self._window(resource).consumed(size, self._now(), self._round_trip())
        if credit:
            self._give(resource, credit)

    def _window(self, resource: bytes) -> Window:
        window = self._windows.get(resource)
        if window is None:
            window = self._windows[resource] = Window(self._budget, self._now())
        return window

    def overdrawn(self) -> int:
        """Bytes that came beyond the credit of their resources and are not consumed yet."""
        return sum(max(-window.room, 0) for window in self._windows.values())

    def forget(self, resource: bytes) -> None:
        """The resource is gone: what its window grew by goes to others."""
        window = self._windows.pop(resource, None)
        if window is not None:
            window.close()

    def close(self) -> None:
        """The conversation has ended: nobody waits for room any more."""
        waiting, self._waiters = self._waiters, {}
        for callbacks in waiting.values():
            for callback in callbacks:
                callback()
