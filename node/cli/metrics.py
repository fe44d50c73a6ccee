"""`glow metrics`: what a node counts and measures, for people, for programs and for Prometheus."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from firefly.interfaces.core import Metric, MetricKind
from node.cli.client import attached, named, node_at
from node.cli.output import Output, duration_text, plain, size_text

NAME = "metrics"
HELP = "what a node counts and measures"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", metavar="NODE", help="the node to ask (default: this one)")
    parser.add_argument("--prometheus", action="store_true", help="print them as Prometheus reads them")


def run(arguments: Namespace) -> int:
    name = named(arguments, arguments.of)
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        metrics = await node.metrics()
        if arguments.prometheus:
            from node.metrics import prometheus_text

            out.text(prometheus_text(metrics).rstrip("\n"))
        else:
            out.show(plain(metrics), lambda: table(metrics, out))
        return 0

    return attached(arguments, work, name)


def table(metrics: list[Metric], out: Output) -> str:
    return out.table(
        ("METRIC", "LABELS", "VALUE", "KIND", "WHAT"),
        [
            (
                metric.name,
                " ".join(f"{key}={value}" for key, value in metric.labels.items()),
                value_text(metric, raw=not out.terminal),
                metric.kind.name.lower(),
                metric.help,
            )
            for metric in metrics
        ],
    )


def value_text(metric: Metric, *, raw: bool) -> str:
    """The value in the unit that the name says; `raw` as a plain number."""
    name = metric.name.removesuffix("_total")
    if not raw and name.endswith("_bytes"):
        return size_text(metric.value)
    if not raw and name.endswith("_seconds") and metric.kind == MetricKind.COUNTER:
        return duration_text(metric.value)
    return f"{metric.value:.17g}" if metric.value % 1 else f"{metric.value:.0f}"
