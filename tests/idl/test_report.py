from __future__ import annotations

import pytest

from idl.model import Span
from idl.report import MAX_DIAGNOSTICS, InvalidSource, Report
from idl.source import Source

SOURCE = Source("notes.firefly", "library notes\n\ttype A = Sting\n")


def test_a_finding_shows_place_line_caret_and_fix() -> None:
    report = Report()
    report.add("unknown-name", SOURCE, Span(24, 29), name="Sting", hint="did you mean `String`?")
    assert report.render() == (
        "notes.firefly:2:11: error: there is no type `Sting` [unknown-name]\n"
        "    \ttype A = Sting\n"
        "    \t         ^^^^^\n"
        "    fix: did you mean `String`?"
    )


def test_findings_are_in_the_order_of_files_and_places() -> None:
    report, other = Report(), Source("other.firefly", "ab")
    for source, start in ((SOURCE, 9), (other, 1), (SOURCE, 3), (other, 0)):
        report.add("shadows-builtin", source, Span(start, start + 1), name="x")
    assert [(found.source.name, found.span.start) for found in report.diagnostics] == [
        ("notes.firefly", 3), ("notes.firefly", 9), ("other.firefly", 0), ("other.firefly", 1),
    ]  # fmt: skip


def test_warnings_alone_are_no_failure() -> None:
    report = Report()
    report.add("shadows-builtin", SOURCE, Span(0, 1), name="x")
    report.raise_errors()
    assert (report.errors, report.warnings) == (0, 1)
    report.add("bad-number", SOURCE, Span(0, 1), text="9")
    with pytest.raises(InvalidSource, match="bad-number"):
        report.raise_errors()


def test_a_report_is_bounded() -> None:
    report = Report()
    for _ in range(MAX_DIAGNOSTICS + 100):
        report.add("bad-number", SOURCE, Span(0, 1), text="9")
    assert len(report.diagnostics) == MAX_DIAGNOSTICS


def test_a_line_without_end_is_cut() -> None:
    report = Report()
    report.add("bad-number", Source("a", "9" * 10_000), Span(0, 10_000), text="9")
    report.add("bad-number", Source("a", "9" * 10_000), Span(9_000, 10_000), text="9")
    assert max(map(len, report.render().splitlines())) <= 204
