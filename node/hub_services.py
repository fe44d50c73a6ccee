"""What this node asks of the signaling processes of its hubs: servers with which it finds out how it can be reached."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio

from firefly.errors import GlowError
from firefly.interfaces.signaling import Turn
from node.links.channels import Server
from signaling import RESOURCE

if TYPE_CHECKING:
    from node.node import Node

log = logging.getLogger("node")
MAX_HUBS = 4
"""Hubs that are asked, and listened at."""
ASK_TIME = 3.0
"""Seconds that all of them have to answer."""
KEPT = 300.0
"""Seconds that the answers serve, unless their credentials end sooner."""


class HubServices:
    """Asks the hubs of the node's namespace that can be reached."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._servers: list[Server] = []
        self._until = 0.0
        self._asking = trio.Lock()

    async def servers(self) -> list[Server]:
        """STUN and TURN servers; none where no hub has any, or none answers."""
        async with self._asking:
            if trio.current_time() >= self._until:
                await self._ask_all()
            return list(self._servers)

    async def _ask_all(self) -> None:
        self._servers = []
        self._until = trio.current_time() + KEPT
        with trio.move_on_after(ASK_TIME):
            async with trio.open_nursery() as nursery:
                for hub in self.hubs():
                    nursery.start_soon(self._ask, hub)
        if not self._servers:
            self._until = 0.0

    def forget(self) -> None:
        """The network has changed, or a hub has come: they are asked anew."""
        self._until = 0.0

    def hubs(self) -> list[bytes]:
        """Those of the node's namespace that can be reached: the lowest addresses, so that all choose the same."""
        node = self._node
        hubs = sorted(node.book.hubs(node.namespace)) if node.namespace is not None else []
        return [hub for hub in hubs if node.mesh.next_hop(hub, None) is not None][:MAX_HUBS]

    async def _ask(self, hub: bytes) -> None:
        try:
            found = await Turn(self._node.peers, hub, RESOURCE).servers()
        except GlowError as error:  # a relay without a signaling process is no worse a relay
            log.debug("the relay %s names no servers: %s", self._node.name_of(hub), error)
            return
        here = self._host_of(hub)
        for server in found:
            urls = [url.replace(":0.0.0.0:", f":{here}:") for url in server.urls if here or ":0.0.0.0:" not in url]
            self._servers.append(Server(urls, server.username, server.credential))
            if server.lifetime is not None:
                self._until = min(self._until, trio.current_time() + server.lifetime / 2)

    def _host_of(self, hub: bytes) -> str:
        """Where a hub is that does not know it itself: where this node has dialled it; empty if it has not."""
        urls = (link.url for link in self._node.router.links if link.peer_address == hub)
        return next((urlsplit(url).netloc.rpartition(":")[0] for url in urls if ":" in urlsplit(url).netloc), "")


def without_turn(servers: Sequence[Server]) -> list[Server]:
    return [server for server in servers if all(url.startswith("stun:") for url in server.urls)]
