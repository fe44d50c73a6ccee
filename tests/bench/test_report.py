import json
from pathlib import Path

from bench import report
from bench.systems import SYSTEMS
from bench.works import BY_NAME

CALL, CALLS = BY_NAME["call"], BY_NAME["calls"]


def test_rows_are_medians_in_the_order_of_the_tables() -> None:
    figures = {(CALLS, SYSTEMS[0]): [5.0], (CALL, SYSTEMS[1]): [1.0, 9.0, 2.0], (CALL, SYSTEMS[0]): [3.0]}
    rows = report.rows_of(figures)
    assert [(row.work, row.system) for row in rows] == [
        (CALL.title, SYSTEMS[0].name),
        (CALL.title, SYSTEMS[1].name),
        (CALLS.title, SYSTEMS[0].name),
    ]
    assert (rows[1].median, rows[1].low, rows[1].high, rows[1].rounds) == (2.0, 1.0, 9.0, 3)


def test_ratios_compare_with_our_first_row() -> None:
    rows = [report.row("w", "embedded", report.OURS, [2.0], "µs"), report.row("w", "direct", "other", [4.0], "µs")]
    ratios = list(report.table(rows).columns[-1].cells)
    assert ratios == ["1.00", "0.50"]


def test_saved_results_name_machine_versions_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    report.save([report.row("w", "m", "s", [1.0, 2.0, 3.0], "µs")], path)
    saved = json.loads(path.read_text())
    assert saved["rows"] == [
        {"work": "w", "mode": "m", "system": "s", "median": 2.0, "low": 1.0, "high": 3.0, "unit": "µs", "rounds": 3}
    ]
    assert saved["machine"]["cores"]
    assert saved["versions"]["trio"]
