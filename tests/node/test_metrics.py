"""What a node measures, and how Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import node
from firefly.errors import Interrupted
from firefly.interfaces.core import Metric, MetricKind, Node, ProcessKind, ProcessState, Specification
from firefly.session import Session
from node.metrics import DROPS, PACKETS, prometheus_text, resident_bytes
from tests.node.family import LISTEN, family

LINE = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)+\})? -?[0-9.e+-]+')


def test_the_text_is_what_prometheus_reads() -> None:
    odd = {"process": 'a"b\\c\nd', "state-of": "x"}
    text = prometheus_text(
        [
            Metric("glow_x_total", MetricKind.COUNTER, "What\nit \\ is.", odd, 3),
            Metric("glow_y", MetricKind.GAUGE, "Y.", {}, 0.25),
            Metric("glow_x_total", MetricKind.COUNTER, "", {}, 1e21),
        ]
    )
    assert text == (
        "# HELP glow_x_total What\\nit \\\\ is.\n"
        "# TYPE glow_x_total counter\n"
        'glow_x_total{process="a\\"b\\\\c\\nd",state_of="x"} 3\n'
        "glow_x_total 1e+21\n"
        "# HELP glow_y Y.\n"
        "# TYPE glow_y gauge\n"
        "glow_y 0.25\n"
    )
    assert prometheus_text([]) == ""


async def test_names_follow_the_conventions(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        metrics = await nodes.relay.node.metrics()
        by_name = {metric.name: metric for metric in metrics}
        for name, metric in by_name.items():
            assert re.fullmatch(r"glow_[a-z_]+", name)
            assert name.endswith("_total") == (metric.kind == MetricKind.COUNTER), name
            assert metric.help.endswith(".")
        series = [(metric.name, tuple(metric.labels.items())) for metric in metrics]
        assert len(set(series)) == len(series), "every series is there once"
        families = list(dict.fromkeys(name for name, _ in series))
        assert [name for name, _ in series] == [name for f in families for name, _ in series if name == f]
        for line in prometheus_text(metrics).splitlines():
            assert line.startswith("# ") or LINE.fullmatch(line), line
        peers = {m.labels["peer"]: m.value for m in metrics if m.name == "glow_link_sent_bytes_total"}
        assert set(peers) == {"laptop", "nas"}
        assert min(peers.values()) > 0
        assert {m.labels["reachable"]: m.value for m in metrics if m.name == "glow_nodes"} == {"yes": 3, "no": 0}
        assert by_name["glow_start_time_seconds"].value > 1.7e9


async def test_processes_are_counted_by_state(tmp_path: Path) -> None:
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        await glow.node.create(Specification("settings", ProcessKind.BUILTIN, "kv"))
        metrics = await glow.node.metrics()
        states = {m.labels["state"]: m.value for m in metrics if m.name == "glow_processes"}
        assert states == {state.name.lower(): float(state is ProcessState.RUNNING) for state in ProcessState}
        assert [(m.labels, m.value) for m in metrics if m.name == "glow_process_up"] == [({"process": "settings"}, 1)]


def test_memory_is_told_where_the_system_does() -> None:
    told = resident_bytes()
    assert told is None or told > 2**20


def series(metrics: list[Metric], name: str) -> dict[tuple[str, ...], float]:
    """Values of one name by their labels' values."""
    return {tuple(metric.labels.values()): metric.value for metric in metrics if metric.name == name}


async def test_queues_windows_and_drops_are_told_by_peer(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        assert await nodes.laptop.at(nodes.nas.address, nodes.nas.address, Node).echo(b"x") == b"x"
        laptop, relay = await nodes.laptop.node.metrics(), await nodes.relay.node.metrics()
        session = nodes.laptop._node.peers.sessions.find(nodes.nas.address)
        assert isinstance(session, Session)
        window = series(laptop, "glow_session_window_bytes")
        assert window["nas",] == session.window.limit > 0
        assert set(series(laptop, "glow_session_under_way_bytes")) == set(window)
        assert series(laptop, "glow_session_under_way_packets")["nas",] == session.in_flight
        assert series(laptop, "glow_session_round_trip_seconds")["nas",] == session.srtt
        packets = series(laptop, "glow_session_packets_total")
        assert packets["nas", "sent"] > 0
        assert {event for peer, event in packets if peer == "nas"} == set(PACKETS)
        queues = series(relay, "glow_link_queue_bytes")
        assert set(queues) == {("laptop", "tcp"), ("nas", "tcp")}
        assert series(relay, "glow_link_packets_total")["nas", "tcp"] > 0
        drops = series(relay, "glow_link_drops_total")
        assert set(drops) == {(*peer, reason) for peer in queues for reason in DROPS}
        assert not any(drops.values())


async def test_counters_go_on_when_links_and_sessions_end(tmp_path: Path) -> None:
    async with family(tmp_path) as nodes:
        laptop = nodes.laptop
        assert await laptop.at(nodes.nas.address, nodes.nas.address, Node).echo(b"x") == b"x"
        before = await laptop.node.metrics()
        for link in list(laptop._node.router.links):
            link.close("cut")
            await link.down.wait()
        for session in laptop._node.peers.sessions.open_sessions():
            session.lose(Interrupted("lost"))
        after = await laptop.node.metrics()
        assert not series(after, "glow_link_queue_bytes")
        assert not series(after, "glow_session_window_bytes")
        counters = {(m.name, *m.labels.values()): m.value for m in before if m.kind == MetricKind.COUNTER}
        later = {(m.name, *m.labels.values()): m.value for m in after}
        assert all(later[name] >= value for name, value in counters.items())
        assert later["glow_session_packets_total", "nas", "sent"] > 0
        assert later["glow_link_sent_bytes_total", "relay", "tcp"] > 0


async def test_nodes_of_one_name_share_their_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with family(tmp_path) as nodes:
        monkeypatch.setattr(nodes.relay._node, "name_of", lambda address: "twin")
        for one in (nodes.laptop, nodes.nas):
            assert await nodes.relay.at(one.address, one.address, Node).echo(b"x") == b"x"
        metrics = await nodes.relay.node.metrics()
        assert set(series(metrics, "glow_link_queue_bytes")) == {("twin", "tcp")}
        assert set(series(metrics, "glow_session_window_bytes")) == {("twin",)}
        every = [(m.name, tuple(m.labels.items())) for m in metrics]
        assert len(set(every)) == len(every)
