"""How often something may happen on behalf of others."""

from __future__ import annotations

from collections.abc import Hashable


class Rate:
    """At most `limit` times per second for each source, a link for example."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seconds: dict[Hashable, tuple[float, int]] = {}

    def allows(self, source: Hashable, now: float) -> bool:
        """Counts one more; false if that is too many in this second."""
        since, count = self._seconds.get(source, (now, 0))
        if now - since >= 1:
            since, count = now, 0
        self._seconds[source] = since, count + 1
        return count < self._limit

    def forget(self, source: Hashable) -> None:
        """The source is gone."""
        self._seconds.pop(source, None)
