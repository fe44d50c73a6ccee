"""Harnesses for processes and transports, in memory and without a node."""

from firefly.testing.processes import serving
from firefly.testing.wire import End, Wire

__all__ = ["End", "Wire", "serving"]
