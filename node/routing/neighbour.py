"""A neighbour in one namespace: its links, and which of them is in use.

Links of different kinds live side by side. The cheapest is used, and changed only for 10 % or 2 ms that last 3 s, or at
once when it is down. Source: docs/concepts/wire.md, section 1, "Liveness".
"""

import math
from collections.abc import Hashable

SETTLE = 3.0  # seconds that another link must stay better
BETTER_SHARE = 0.1
BETTER_TIME = 2000  # µs


class Neighbour:
    """The live links to one neighbour, each with its cost in µs; at least one."""

    def __init__(self, link: Hashable, cost: int) -> None:
        self.link = link  # the one in use
        self._costs = {link: cost}
        self._better_since: float | None = None

    @property
    def cost(self) -> int:
        """µs, of the link in use."""
        return self._costs[self.link]

    def add(self, link: Hashable, cost: int, now: float) -> None:
        """A link came up, or its cost moved."""
        self._costs[link] = cost
        if self._challenger() is None:
            self._better_since = None
        elif self._better_since is None:
            self._better_since = now

    def remove(self, link: Hashable) -> bool:
        """A link went down; True if it was the last one, and the neighbour is gone."""
        self._costs.pop(link, None)
        if link == self.link and self._costs:
            self.link = self._cheapest()
            self._better_since = None
        return not self._costs

    def next_deadline(self) -> float:
        return math.inf if self._better_since is None else self._better_since + SETTLE

    def on_timer(self, now: float) -> bool:
        """Change to a link that has been better for long enough; True if that happened."""
        if now < self.next_deadline():
            return False
        self._better_since = None
        challenger = self._challenger()
        if challenger is None:
            return False
        self.link = challenger
        return True

    def _cheapest(self) -> Hashable:
        return min(self._costs, key=self._costs.__getitem__)

    def _challenger(self) -> Hashable | None:
        best = self._cheapest()
        gain = self.cost - self._costs[best]
        return best if gain and gain >= min(BETTER_SHARE * self.cost, BETTER_TIME) else None
