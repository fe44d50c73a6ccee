"""Python source as `ruff format` would leave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 120


def indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def bracketed(before: str, items: Sequence[str], after: str, indent: int = 0) -> list[str]:
    """`before items after` on one line if it fits, else one item a line. `before` ends with the opening bracket."""
    line = f"{before}{', '.join(items)}{after}"
    if indent + len(line) <= WIDTH:
        return [line]
    return exploded(before, items, after)


def exploded(before: str, items: Sequence[str], after: str) -> list[str]:
    return [before, *(f"    {item}," for item in items), after]


def docstring(text: str) -> list[str]:
    """A docstring, or nothing for no text."""
    text = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if not text:
        return []
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    first, *rest = [line.rstrip() for line in text.split("\n")]
    return [f'"""{first}', *rest, '"""'] if rest else [f'"""{first}"""']


def documented(element: object) -> str:
    """An element's documentation, with what its attributes say."""
    doc, since, deprecated = (getattr(element, name) for name in ("doc", "since", "deprecated"))
    remarks = [f"Since version {since}."] if since else []
    remarks += [f"Deprecated: {deprecated}"] if deprecated else []
    return "\n\n".join(filter(None, [doc, *remarks]))


def quoted(value: str | bytes) -> str:
    """A literal in double quotes, unless that takes more escapes."""
    text = repr(value)
    prefix, body = ("b", text[1:]) if isinstance(value, bytes) else ("", text)
    double = '"' if isinstance(value, str) else b'"'
    if body[0] == "'" and double not in value:  # type: ignore[operator]
        body = '"' + body[1:-1].replace("\\'", "'") + '"'
    return prefix + body


def sections(parts: Iterable[Sequence[str]]) -> list[str]:
    """Definitions with two blank lines between them, assignments with one."""
    lines: list[str] = []
    assigned = False
    for part in filter(None, parts):
        before, assigned = assigned, not part[0].startswith(("class ", "@", "def "))
        gap = [""] if before and assigned else ["", ""]
        lines += [*gap, *part] if lines else part
    return lines
