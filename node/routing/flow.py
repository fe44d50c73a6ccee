"""The TOPOLOGY packets of one link, as the flow that the link's queue asks."""

from collections.abc import Hashable

from firefly.packet import CONTROL, TOPOLOGY, pack_header
from node.routing.mesh import Mesh


class TopologyFlow:
    """See the module. `own` and `peer`: the addresses of both ends."""

    priority = CONTROL

    def __init__(self, mesh: Mesh, link: Hashable, own: bytes, peer: bytes) -> None:
        self.destination = peer
        self._mesh = mesh
        self._link = link
        self._own = own

    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        payload = self._mesh.next_payload(self._link, now)
        if payload is None:
            return None
        return pack_header(TOPOLOGY, CONTROL, len(payload), self.destination, self._own) + payload
