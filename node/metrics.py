"""What a node counts and measures, as metrics named by the conventions of Prometheus.

`collect` reads it from the parts of a node, `prometheus_text` writes it down (text format 0.0.4). The number of series
is bounded: labels are names that this code gives, labels of processes, and names of at most 64 nodes; all further ones
are "others" together.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from firefly.address import format_address
from firefly.interfaces.core import Metric, MetricKind, ProcessState, Role
from firefly.session import Session
from node.links import kind_of
from node.totals import OTHERS

if TYPE_CHECKING:
    from node.host import ProcessHost
    from node.links.link import Link
    from node.node import Node

COUNTER, GAUGE = MetricKind.COUNTER, MetricKind.GAUGE
MAX_PROCESSES = 1024
"""Processes with series of their own; all further ones are left out."""
DROPS = ("flow_full", "link_full", "unforwardable")
PACKETS = ("sent", "received", "resent", "duplicates", "refused", "forged")
SESSION_GAUGES: tuple[tuple[str, str, Callable[[Session], int]], ...] = (
    ("glow_session_window_bytes", "What sessions may have under way.", lambda session: session.window.limit),
    ("glow_session_under_way_bytes", "What sessions have under way.", lambda session: session.window.used),
    (
        "glow_session_under_way_packets",
        "Packets of sessions that nobody has acknowledged.",
        lambda session: session.in_flight,
    ),
)
_CLEAN = re.compile(r"[^a-zA-Z0-9_:]")


def collect(node: Node, processes: ProcessHost) -> list[Metric]:
    """All metrics of a node, those of one name side by side."""
    return [*_of_node(node), *_of_links(node), *_of_sessions(node), *_of_traffic(node), *_of_processes(processes)]


def _of_node(node: Node) -> Iterator[Metric]:
    information = {"name": node.label, "address": format_address(node.address), "role": Role(node.role).name.lower()}
    yield Metric("glow_node_info", GAUGE, "Always 1; the labels say which node this is.", information, 1)
    yield _gauge("glow_start_time_seconds", "When the node started, in Unix time.", node.started.timestamp())
    yield _counter("glow_cpu_seconds_total", "Processor time of the node's OS process.", time.process_time())
    memory = resident_bytes()
    if memory is not None:
        yield _gauge("glow_resident_memory_bytes", "Memory of the node's OS process that is in use.", memory)
    held = node.book.find(node.namespace or b"", node.key.public)
    if held is not None:
        ends = "When the node's certificate ends, in Unix time."
        yield _gauge("glow_certificate_expiry_timestamp_seconds", ends, held.certificate.expires)
    directory = node.directory
    addresses = [entry.address for entry in directory.entries()] if directory is not None else []
    reachable = sum(address == node.address or bool(node.mesh.path(address)) for address in addresses)
    known = "Nodes of the namespace, this one among them."
    yield Metric("glow_nodes", GAUGE, known, {"reachable": "yes"}, reachable)
    yield Metric("glow_nodes", GAUGE, known, {"reachable": "no"}, len(addresses) - reachable)
    for level, count in sorted(node.log.counts.items()):
        yield Metric("glow_log_records_total", COUNTER, "Records of the log.", {"level": level}, count)


def resident_bytes() -> int | None:
    """Memory of this OS process, None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _of_links(node: Node) -> Iterator[Metric]:
    states = Counter((link.kind, "up") for link in node.router.links)
    states.update((kind_of(kept.urls[0]), kept.state) for kept in node.links.standing.all if kept.state != "up")
    for (kind, state), count in sorted(states.items()):
        labels = {"kind": kind, "state": state}
        yield Metric("glow_links", GAUGE, "Links by kind and state.", labels, count)
    live = [link for link in node.router.links if link.certified]
    totals: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (peer, kind), counted in node.totals.links(live).items():
        totals[_name(node, peer), kind].update(counted)
    for name, what, event in (
        ("glow_link_sent_bytes_total", "Bytes written to links.", "sent"),
        ("glow_link_received_bytes_total", "Bytes read from links.", "received"),
        ("glow_link_packets_total", "Packets that left by links.", "packets"),
    ):
        for (to, kind), total in totals.items():
            yield Metric(name, COUNTER, what, {"peer": to, "kind": kind}, total[event])
    dropped = "Packets of others that found no room in the queue of a link, or cannot be forwarded."
    for (to, kind), total in totals.items():
        for reason in DROPS:
            labels = {"peer": to, "kind": kind, "reason": reason}
            yield Metric("glow_link_drops_total", COUNTER, dropped, labels, total[reason])
    yield from _of_live_links(node, live)


def _of_live_links(node: Node, live: list[Link]) -> Iterator[Metric]:
    groups: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for link in live:
        groups[_name(node, node.totals.place(link.peer_address)), link.kind].append(link)
    for (to, kind), links in groups.items():
        queued = sum(link.queue.transit.charged for link in links)
        waits = "Packets of others that wait for links which are up."
        yield Metric("glow_link_queue_bytes", GAUGE, waits, {"peer": to, "kind": kind}, queued)
    for (to, kind), links in groups.items():
        times = [link.liveness.rtt for link in links if link.liveness.rtt is not None]
        if times:
            labels = {"peer": to, "kind": kind}
            yield Metric("glow_link_round_trip_seconds", GAUGE, "Least round trip of a minute.", labels, min(times))


def _name(node: Node, peer: bytes) -> str:
    """What its series call a node: those of nodes with the same name are one."""
    return "others" if peer == OTHERS else node.name_of(peer)


def _of_sessions(node: Node) -> Iterator[Metric]:
    live = node.peers.sessions.open_sessions()
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for peer, counted in node.totals.sessions(live).items():
        totals[_name(node, peer)].update(counted)
    for to, total in totals.items():
        for event in PACKETS:
            labels = {"peer": to, "event": event}
            yield Metric("glow_session_packets_total", COUNTER, "Packets of sessions.", labels, total[event])
    groups: dict[str, list[Session]] = defaultdict(list)
    for session in live:
        groups[_name(node, node.totals.place(session.peer_address))].append(session)
    for name, what, read in SESSION_GAUGES:
        for to, sessions in groups.items():
            yield Metric(name, GAUGE, what, {"peer": to}, sum(map(read, sessions)))
    for to, sessions in groups.items():
        times = [session.srtt for session in sessions if session.srtt is not None]
        if times:
            took = "Smoothed round trip of a session."
            yield Metric("glow_session_round_trip_seconds", GAUGE, took, {"peer": to}, max(times))


def _of_traffic(node: Node) -> Iterator[Metric]:
    parts: dict[str, Mapping[str, int]] = {
        "router": node.router.counters,
        "routing": node.mesh.flooding.counters,
        "sessions": node.peers.sessions.counters,
        "peers": node.peers.counters,
        "calls": node.peers.count_calls(),
    }
    for part, counters in parts.items():
        for event, count in sorted(counters.items()):
            labels = {"part": part, "event": event}
            yield Metric("glow_events_total", COUNTER, "What parts of the node count.", labels, count)
    sessions = node.peers.sessions.open_sessions()
    yield _gauge("glow_sessions", "Open sessions with other nodes.", len(sessions))
    yield _counter("glow_handler_errors_total", "Calls that failed in an undeclared way.", node.peers.host.errors)


def _of_processes(host: ProcessHost) -> Iterator[Metric]:
    processes = list(host.processes.values())
    states = Counter(process.state for process in processes)
    for state in ProcessState:
        labels = {"state": state.name.lower()}
        yield Metric("glow_processes", GAUGE, "Processes by state.", labels, states[state])
    shown = processes[:MAX_PROCESSES]
    for process in shown:
        labels = {"process": process.specification.label}
        running = process.state is ProcessState.RUNNING
        yield Metric("glow_process_up", GAUGE, "Whether a process is running.", labels, float(running))
    for process in shown:
        labels = {"process": process.specification.label}
        yield Metric("glow_process_restarts_total", COUNTER, "Restarts of a process.", labels, process.restarts)


def _gauge(name: str, what: str, value: float) -> Metric:
    return Metric(name, GAUGE, what, {}, value)


def _counter(name: str, what: str, value: float) -> Metric:
    return Metric(name, COUNTER, what, {}, value)


def prometheus_text(metrics: Iterable[Metric]) -> str:
    """The metrics as Prometheus reads them; its content type is `text/plain; version=0.0.4`."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(_CLEAN.sub("_", metric.name), []).append(metric)
    lines: list[str] = []
    for name, family in families.items():
        kind = "counter" if family[0].kind == COUNTER else "gauge"
        lines += [f"# HELP {name} {_escaped(family[0].help)}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(metric.labels)} {metric.value:.17g}" for metric in family]
    return "\n".join(lines) + "\n" if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    quoted = (f'{_CLEAN.sub("_", name)}="{_escaped(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{','.join(quoted)}}}" if labels else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
