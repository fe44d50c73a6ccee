"""What a node measures, and how Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path

import node
from firefly.interfaces.core import Metric, MetricKind, ProcessKind, ProcessState, Specification
from node.metrics import prometheus_text, resident_bytes
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
