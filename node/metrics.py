"""What a node counts, as text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.node import Node


def metrics_text(node: Node) -> str:
    """The counters of a node and what it is made of at the moment."""
    links = node.router.links
    return "".join(
        (
            _family(
                "start_time_seconds", "gauge", "Unix time of the node's start.", "", {"": node.started.timestamp()}
            ),
            _family("links", "gauge", "Links that are up.", "kind", Counter(link.kind for link in links)),
            _family("resources", "gauge", "Resources that this node serves.", "", {"": len(node.peers.host.resources)}),
            _family("events_total", "counter", "What the node has counted.", "event", _counters(node)),
        )
    )


def _counters(node: Node) -> Counter[str]:
    return node.router.counters + node.peers.counters + node.mesh.flooding.counters


def _family(name: str, kind: str, about: str, label: str, values: Mapping[str, float]) -> str:
    """One metric: a sample for each value of `label`, or one without a label."""
    lines = [f"# HELP glow_{name} {about}", f"# TYPE glow_{name} {kind}"]
    for value, number in sorted(values.items()):
        labels = f'{{{label}="{value}"}}' if label else ""
        lines.append(f"glow_{name}{labels} {number:.17g}")
    return "\n".join(lines) + "\n"
