"""Times as a person writes them: `1.5`, `30s`, `5m`, `2h`, `1d`."""

from __future__ import annotations

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def parse_duration(text: str) -> float:
    """Seconds, with or without a unit. Raises ValueError for what is no number; infinity and NaN are the caller's."""
    unit = UNITS.get(text[-1:])
    return float(text) if unit is None else float(text[:-1]) * unit


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as the same time: 90 is 90s, 7200 is 2h."""
    for unit, size in UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s" if float(f"{seconds:g}") == seconds else f"{seconds!r}s"
