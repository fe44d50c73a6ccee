"""Collects what is wrong with sources and shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idl.diagnostics import RULES, Rule
from idl.model import NOWHERE, Span
from idl.source import Source

MAX_DIAGNOSTICS = 500
MAX_WIDTH = 200
"""Columns of a line that are shown."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: the rule that is broken, where, and its two texts filled in."""

    rule: Rule
    source: Source
    span: Span
    message: str
    fix: str

    @property
    def is_error(self) -> bool:
        return not self.rule.warning

    def render(self) -> str:
        """The finding as a person reads it: place, line, caret, fix."""
        line, column = self.source.place(self.span)
        word = "error" if self.is_error else "warning"
        head = f"{self.source.name}:{line}:{column}: {word}: {self.message} [{self.rule.code}]"
        text = self.source.line(line)
        width = max(1, min(self.span.end - self.span.start, len(text) - column + 1, MAX_WIDTH - column + 1))
        margin = "".join("\t" if character == "\t" else " " for character in text[: column - 1])
        shown = [text[:MAX_WIDTH], margin + "^" * width] if text.strip() and column <= MAX_WIDTH else []
        return "\n    ".join([head, *shown, f"fix: {self.fix}"])


class InvalidSource(Exception):
    """Sources with errors in them; the message shows every one."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.render())
        self.report = report


class Report:
    """Findings in the order in which they were made; at most 500 are kept."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []

    def add(self, code: str, source: Source, span: Span = NOWHERE, **details: Any) -> None:
        """Adds a finding under a rule of idl/diagnostics.py; `details` fill in its texts."""
        rule = RULES[code]
        if len(self._found) < MAX_DIAGNOSTICS:
            message, fix = rule.message.format(**details), rule.fix.format(**details)
            self._found.append(Diagnostic(rule, source, span, message, fix))

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All findings, by file and place."""
        order = {name: index for index, name in enumerate(dict.fromkeys(found.source.name for found in self._found))}
        return sorted(self._found, key=lambda found: (order[found.source.name], found.span.start))

    @property
    def errors(self) -> int:
        return sum(found.is_error for found in self._found)

    @property
    def warnings(self) -> int:
        return len(self._found) - self.errors

    def render(self) -> str:
        return "\n".join(found.render() for found in self.diagnostics)

    def raise_errors(self) -> None:
        """Raises InvalidSource if there is an error among the findings."""
        if self.errors:
            raise InvalidSource(self)
