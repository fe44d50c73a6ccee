"""`python -m idl.generate`: writes firefly/interfaces from idl/interfaces; with `--check` only says what is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from idl.compiler import compile_library
from idl.generators import python
from idl.generators.python_names import module_name
from idl.loader import OURS, SUFFIX, Library, Loader
from idl.report import Report

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "firefly" / "interfaces"
BESIDE = ((ROOT / "bench" / "interfaces", ROOT / "bench" / "generated"), (ROOT / "examples" / "guestbook",) * 2)
"""Folders of interfaces that are not ours, and where their stubs go; a wheel has neither."""


def stub(library: Library, ours: frozenset[str]) -> str:
    """The Python module of a checked library."""
    source = Path(library.source.name).name
    return python.generate(compile_library(library), source, lambda name: name in ours)


def load(loader: Loader, report: Report, folder: Path) -> list[Library]:
    libraries = [loader.load(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    report.raise_errors()
    return [library for library in libraries if library is not None]


def stubs() -> dict[Path, str]:
    """The generated files of this repository and what must be in them. Raises InvalidSource."""
    report = Report()
    loader = Loader(report)
    own = load(loader, report, OURS)
    ours = frozenset(library.name for library in own)
    files = {TARGET / f"{module_name(library.name)}.py": stub(library, ours) for library in own}
    for source, target in BESIDE:
        for library in load(loader, report, source):
            files[target / f"{module_name(library.name)}.py"] = stub(library, ours)
    return files


def main(arguments: list[str]) -> int:
    stale = [path for path, text in stubs().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.name} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stubs().items():
        if path in stale:
            path.write_text(text, "utf-8", newline="\n")
            print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
