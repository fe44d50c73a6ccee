"""Harnesses for processes and transports, in memory and without a node."""

from firefly.testing.processes import serving

__all__ = ["serving"]
