"""Tells the log which ways to other nodes have changed, and why: together, and never more than a few lines a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio

from firefly.interfaces.core import LogLevel

SETTLE = 1.0
"""Seconds after a change in which what follows from it joins it."""
LINES = 5
"""Nodes of which each has a line of its own; more are summed up."""

OTHER = "a link further on was lost, or another way costs less now"
AGAIN = "the usual way is tried again, or leads elsewhere"
GONE = "nothing that is on is linked to it"

Way = tuple[bytes, Any, Sequence[bytes]] | None
"""The neighbour that packets go to first, the link by which, and the waypoints of a detour; None: no way."""


class Ways:
    """`way` says how packets to a node go now, `nodes` which nodes there are, `name` what one is called."""

    def __init__(
        self,
        nodes: Callable[[], list[bytes]],
        way: Callable[[bytes], Way],
        name: Callable[[bytes], str],
        tell: Callable[[LogLevel, str], None],
    ) -> None:
        self._nodes = nodes
        self._way = way
        self._name = name
        self._tell = tell
        self._known: dict[bytes, Way] = {}
        self._changed: trio.Event = trio.Event()

    def changed(self) -> None:
        """Routes are others than before."""
        self._changed.set()

    async def run(self) -> None:
        """Tells, for as long as the node runs."""
        while True:
            await self._changed.wait()
            await trio.sleep(SETTLE)
            self._changed = trio.Event()
            self.compare()

    def compare(self) -> None:
        """Tells what is otherwise than when this was last called."""
        before, self._known = self._known, {node: self._way(node) for node in self._nodes()}
        moved = [node for node in before.keys() | self._known.keys() if self._moved(before.get(node), node)]
        for node in sorted(moved)[:LINES]:
            self._tell_of(node, before.get(node), self._known.get(node))
        if len(moved) > LINES:
            self._tell(LogLevel.INFO, f"and so have those to {len(moved) - LINES} other nodes: glow route")

    def _moved(self, before: Way, node: bytes) -> bool:
        return before != self._known.get(node)

    def _tell_of(self, node: bytes, before: Way, now: Way) -> None:
        name = self._name(node)
        if now is None:
            self._tell(LogLevel.WARNING, f"no way leads to {name} any more: {self._why(before, GONE)}")
        elif before is None:
            self._tell(LogLevel.INFO, f"{name} can be reached {self._by(node, now)}")
        elif now[2] and before[:2] == now[:2]:
            swallowed = f"what went {self._by(node, before)} seems to be swallowed there"
            self._tell(LogLevel.WARNING, f"packets to {name} go {self._by(node, now)}: {swallowed}")
        else:
            ways = f"{self._by(node, now)}, before {self._by(node, before)}"
            why = self._why(before, AGAIN if before[2] else OTHER)
            self._tell(LogLevel.INFO, f"the way to {name} has changed: {ways}: {why}")

    def _by(self, node: bytes, way: tuple[bytes, Any, Sequence[bytes]]) -> str:
        neighbour, link, waypoints = way
        if waypoints:
            return f"on a detour by {', '.join(map(self._name, waypoints))}"
        return f"over {link.kind}" if neighbour == node else f"by way of {self._name(neighbour)} over {link.kind}"

    def _why(self, before: Way, else_: str) -> str:
        """Why the way of before is used no more: its link has ended, or what else there is to say."""
        assert before is not None
        neighbour, link, _ = before
        if link.reason:
            return f"the link to {self._name(neighbour)} ended: {link.reason}"
        return else_
