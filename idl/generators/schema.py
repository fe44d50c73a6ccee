"""The compiled schema as a file of its own: what a program in any language registers (docs/concepts/wire.md, 6 Local
attachment), and where it finds the numbers of methods and errors."""

from __future__ import annotations

from idl.compiled import Schema


def generate(schema: Schema, source: str) -> str:
    """JSON; `source` is the library's file, for the banner."""
    banner = f'{{"made":"Made from {source} by `glow idl generate`. Change that file, not this one.",'
    return banner + "\n" + schema.to_json().removeprefix("{")
