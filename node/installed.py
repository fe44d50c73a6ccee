"""The classes of processes that are installed on this device: ours and those of other packages, all found alike by
their entry point in the group `glow.processes` (docs/concepts/architecture.md, Processes).
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from firefly.interfaces.core import BadSpecification, ProcessKind
from firefly.runtime import Server
from firefly.runtime.server import FAULTS

GROUP = "glow.processes"
OURS = "glow"
"""The package whose processes are builtin. Nobody else's can take their names."""


class Installed(NamedTuple):
    """A class of processes; its kind follows from the package it is in, and from whether its handlers block."""

    kind: ProcessKind
    load: type[Server]


def find_class(name: str) -> Installed:
    """The process class of an entry point. Raises BadSpecification, which says what is wrong with it. Blocks."""
    entry = _entry(name)
    try:
        found: Any = entry.load()
    except FAULTS as error:
        raise BadSpecification(f"the process {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, type) or not issubclass(found, Server):
        raise BadSpecification(
            f"the process {name!r} cannot be loaded: {entry.value} is no class of an interface's server"
        )
    if found.blocking:
        return Installed(ProcessKind.THREAD, found)
    return Installed(ProcessKind.BUILTIN if _package(entry) == OURS else ProcessKind.PLUGIN, found)


def _entry(name: str) -> EntryPoint:
    entries = entry_points(group=GROUP)
    found = [entry for entry in entries if entry.name == name]
    found = [entry for entry in found if _package(entry) == OURS] or found
    if not found:
        known = ", ".join(sorted({entry.name for entry in entries})) or "none"
        raise BadSpecification(f"there is no kind of process called {name!r}; installed are: {known}")
    if len(found) > 1:
        packages = " and ".join(sorted(map(_package, found)))
        raise BadSpecification(f"{name!r} is in {packages}: only one of these packages can be installed")
    return found[0]


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""
