"""What can be wrong with a configuration. Each says what to do about it."""

from __future__ import annotations

from firefly.errors import GlowError


class BadConfiguration(GlowError):
    """A configuration that cannot be used: no TOML, unknown keys, values of a wrong type or out of bounds."""

    fault = "caller"


class UnreadableConfiguration(GlowError):
    """The file is there, but cannot be read: its mode, its size, a folder of that name."""

    fault = "caller"


class UnwritableConfiguration(GlowError):
    """The file could not be replaced, and is as it was: a full or read-only disk, most often."""
