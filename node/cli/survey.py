"""What one node says of itself and of the others, and what these say of their processes."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import Node, NodeStatus, ProcessStatus
from node.cli.explanations import Finding, NodeState, explain, link_finding, node_finding, process_finding
from node.cli.output import address_text

PATIENCE = 3.0
"""Seconds that all other nodes together have to tell of their processes."""
AT_ONCE = 64
"""Nodes that are asked for their processes at most."""


@dataclass
class Survey:
    """`processes` by address of the node that has them; nodes that did not answer are missing."""

    status: NodeStatus
    processes: dict[bytes, list[ProcessStatus]] = field(default_factory=dict)

    def name_of(self, address: bytes) -> str:
        """What is to be typed for a node: its name if that leads to it, else its address."""
        known = (node.name for node in self.status.nodes if node.address == address and not node.clash)
        return next(known, "") or address_text(address)

    def findings(self) -> list[Finding]:
        """Everything that there is, well or not."""
        status = self.status
        found = [node_finding(node) for node in status.nodes]
        found += [node_finding(node, lapsed=True) for node in status.lapsed]
        if not any(status.namespace):
            found.append(explain("node", status.name or "this device", NodeState.ALONE, {}))
        found += [link_finding(link) for link in status.links]
        for address, processes in self.processes.items():
            found += [process_finding(process, self.name_of(address)) for process in processes]
        return found


async def survey(glow: Glow, start: Node, *, everywhere: bool) -> Survey:
    """Asks the node `start`, and with `everywhere` each node that it reaches. Raises what `start` raises."""
    status = await start.node_status()
    found = Survey(status, {status.address: await start.processes()})

    async def ask(address: bytes) -> None:
        try:
            found.processes[address] = await glow.at(address, address, Node).processes()
        except GlowError:
            found.processes.pop(address, None)  # the survey of the nodes says how it is reached

    if everywhere:
        others = [node.address for node in status.nodes if node.reachable and node.address != status.address]
        with trio.move_on_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                for address in others[:AT_ONCE]:
                    nursery.start_soon(ask, address)
    return found
