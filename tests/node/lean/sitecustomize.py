"""Python imports this at its start: what only the extras of Glow bring is then not installed, as on a phone."""

import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType

EVERYTHING = DistributionFinder.Context()
ABSENT = frozenset({"aioice", "aiortc", "av", "google_crc32c", "ifaddr", "pyee", "pylibsrtp", "wasmtime", "zeroconf"})


class Lean(PathFinder):
    """Finds no such module, and no metadata that says it is installed."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.partition(".")[0] in ABSENT else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context = EVERYTHING) -> Iterable[Distribution]:
        return [found for found in super().find_distributions(context) if found.name.replace("-", "_") not in ABSENT]


sys.meta_path[sys.meta_path.index(PathFinder)] = Lean
