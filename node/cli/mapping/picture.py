"""What a picture of the mesh shows: every node, and how each pair is linked, as the nodes themselves tell it."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import LinkStateRecord, Node, NodeStatus, Relaying
from node.cli.output import duration_text

PATIENCE = 3.0
"""Seconds within which a node tells of its links; the picture shows the others as their records have them."""
Pair = tuple[bytes, bytes]


@dataclass
class Line:
    """A pair of linked nodes: its links' kinds and shortest round trip in seconds, the cost that records say in µs."""

    cost: int
    kinds: list[str] = field(default_factory=list)
    round_trip: float | None = None

    @property
    def text(self) -> str:
        took = duration_text(self.cost / 1e6 if self.round_trip is None else self.round_trip)
        return " ".join([*self.kinds, took])


@dataclass
class Dot:
    """A node. `note` stands below its name."""

    name: str
    note: str
    here: bool
    reachable: bool


@dataclass
class Picture:
    dots: dict[bytes, Dot]
    lines: dict[Pair, Line]


def pair_of(one: bytes, other: bytes) -> Pair:
    return (one, other) if one < other else (other, one)


async def gather(glow: Glow, start: Node) -> Picture:
    """Raises what `start` raises; a node that does not answer is in the picture all the same."""
    status, records = await start.node_status(), await start.records()
    picture = Picture(dots_of(status, records), lines_of(records))
    told = [status]

    async def ask(address: bytes) -> None:
        try:
            told.append(await glow.at(address, address, Node).node_status())
        except GlowError:
            picture.dots[address].note = "does not answer"

    others = [node.address for node in status.nodes if node.reachable and node.address != status.address]
    with trio.move_on_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for address in others:
                nursery.start_soon(ask, address)
    for each in told:
        add_links(picture, each)
    return picture


RELAYING = {Relaying.WHEN_NEEDED: "relays when needed", Relaying.NEVER: "relays nothing"}


def dots_of(status: NodeStatus, records: list[LinkStateRecord]) -> dict[bytes, Dot]:
    relaying = {record.node: RELAYING.get(record.relaying, "") for record in records}
    dots = {}
    for node in status.nodes:
        note = relaying.get(node.address, "") if node.reachable else "unreachable"
        dots[node.address] = Dot(
            node.name or node.address.hex()[:8], note, node.address == status.address, node.reachable
        )
    return dots


def lines_of(records: list[LinkStateRecord]) -> dict[Pair, Line]:
    """An edge counts while both ends list it, at the larger cost."""
    costs = {(record.node, edge.node): edge.cost for record in records for edge in record.neighbours}
    return {
        pair_of(*ends): Line(max(cost, costs[ends[::-1]]))
        for ends, cost in sorted(costs.items())
        if ends[::-1] in costs
    }


def add_links(picture: Picture, status: NodeStatus) -> None:
    """What a node tells of its own links."""
    for link in status.links:
        line = picture.lines.get(pair_of(status.address, link.address)) if link.address and link.state == "up" else None
        if line is None:
            continue
        if link.kind not in line.kinds:
            line.kinds.append(link.kind)
            line.kinds.sort()
        known = [took for took in (line.round_trip, link.round_trip) if took is not None]
        line.round_trip = min(known, default=None)
