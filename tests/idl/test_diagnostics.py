"""The table of rules proves itself: each bad example breaks its own rule and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idl.checker import check_files
from idl.diagnostics import RULES, Example, Rule
from idl.report import Report

ELSEWHERE = {
    "unreadable": "tests/idl/test_source.py",
    "too-large": "tests/idl/test_source.py",
    "not-utf8": "tests/idl/test_source.py",
}
"""Rules whose bad examples are no text."""
EXAMPLES = [(rule, example) for rule in RULES.values() for example in rule.bad]


def check(folder: Path, example: Example) -> Report:
    files = {"test": example} if isinstance(example, str) else example
    for name, text in files.items():
        (folder / f"{name}.firefly").write_text(text, encoding="utf-8")
    report = Report()
    check_files([folder / "test.firefly"], report)
    return report


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[rule.code for rule, _ in EXAMPLES])
def test_a_bad_example_breaks_its_rule_and_no_other(rule: Rule, example: Example, tmp_path: Path) -> None:
    report = check(tmp_path, example)
    assert {found.rule.code for found in report.diagnostics} == {rule.code}, report.render()
    assert bool(report.errors) is not rule.warning
    for found in report.diagnostics:
        assert found.message.strip()
        assert found.fix.strip()
        assert not re.search(r"\{\w+\}", found.message + found.fix), "a text was not filled in"


def test_every_rule_has_a_bad_example() -> None:
    assert {rule.code for rule in RULES.values() if not rule.bad} == set(ELSEWHERE)


def test_codes_are_unique_and_readable() -> None:
    assert all(code == rule.code and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code, rule in RULES.items())
