"""The trial of a data channel: beside another way it carries nothing but probes until it has proven itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from node.links.link import Link

if TYPE_CHECKING:
    from node.node import Node

TRIAL = 2.0
"""Seconds that a data channel carries nothing but probes before it is preferred."""
WARM = 60.0
"""Seconds that an older data channel is kept beside a newer one that has passed its trial."""


class Trials:
    """The links on trial. `nursery` runs what ends them."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self._node = node
        self._nursery = nursery
        self._links: set[Link] = set()

    def begin(self, link: Link) -> None:
        """A link that is the only way is not tried out first."""
        self._links.add(link)
        self._nursery.start_soon(self._try_out, link)
        self.ways_changed()

    def ways_changed(self) -> None:
        """Links on trial are used at once where there is no other way any more."""
        for link in [link for link in self._links if self._node.mesh.next_hop(link.peer_address, None) is None]:
            self._end(link)

    def link_down(self, link: Link) -> None:
        self._links.discard(link)

    def _end(self, link: Link) -> None:
        self._links.discard(link)
        if link.on_trial:
            link.on_trial = False
            self._node.trial_over(link)

    async def _try_out(self, link: Link) -> None:
        """Lets the link carry packets once it has proven itself; an older one stays for a while."""
        with trio.CancelScope() as scope:
            self._nursery.start_soon(_cancel_with, link, scope)
            await trio.sleep(TRIAL)
            if link.liveness.rtt is None:
                link.close(f"nothing came through it for {TRIAL:.0f} s")
                return
            self._end(link)
            await trio.sleep(WARM)
            self._node.links.replace_older(link)


async def _cancel_with(link: Link, scope: trio.CancelScope) -> None:
    await link.down.wait()
    scope.cancel()
