"""From checked libraries to the files of their stubs.

`python -m idl.generate` writes the generated files of this repository; with `--check` it only says which are stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from idl.checker import check_files
from idl.compiler import compile_library
from idl.generators import python
from idl.generators.python_names import NameClash, module_name
from idl.loader import OURS, SUFFIX, Library
from idl.report import Report

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "firefly" / "interfaces"
EXAMPLES = ROOT / "examples"
BESIDE = (
    (ROOT / "bench" / "interfaces", ROOT / "bench" / "generated"),
    (EXAMPLES / "guestbook",) * 2,
    (EXAMPLES / "plugin_notes" / "glow_notes",) * 2,
    (EXAMPLES / "thread_sensor" / "glow_sensor",) * 2,
)
"""Folders of interfaces that are not ours, and where their stubs go; a wheel has neither."""
DESCRIBED = (ROOT / "examples" / "javascript",)
"""Folders of interfaces beside which their compiled form lies, for programs in other languages."""


def generate(libraries: Iterable[Library], folder: Path) -> dict[Path, str]:
    """The Python files of libraries and of those they import, unless these come with Glow, and what is in them.

    Raises NameClash for names that Python cannot tell apart.
    """
    files: dict[Path, str] = {}
    for library in _reached(libraries):
        path = folder / f"{module_name(library.name)}.py"
        if path in files:
            raise NameClash(f"two libraries would both be written to {path.name}: generate them into different folders")
        ours = {imported.name for imported in _reached([library], ours=True) if imported.ours}
        files[path] = python.generate(compile_library(library), _file_name(library), ours.__contains__)
    return files


def describe(libraries: Iterable[Library], folder: Path) -> dict[Path, str]:
    """The compiled interfaces of libraries as JSON, each complete in itself, by the file that it goes to."""
    return {
        folder / f"{Path(_file_name(library)).stem}.json": compile_library(library).to_json() for library in libraries
    }


def _file_name(library: Library) -> str:
    return Path(library.source.name).name


def _reached(libraries: Iterable[Library], ours: bool = False) -> list[Library]:
    """The libraries and all that they import; of those that come with Glow only the given ones, unless `ours`."""
    reached = list(libraries)
    for library in reached:
        imported = library.imports.values()
        reached += [other for other in imported if other not in reached and (ours or not other.ours)]
    return list(dict.fromkeys(reached))


def stubs() -> dict[Path, str]:
    """The generated files of this repository and what must be in them. Raises InvalidSource."""
    files: dict[Path, str] = {}
    for source, target in ((OURS, TARGET), *BESIDE):
        files |= generate(_checked(source), target)
    for folder in DESCRIBED:
        files |= describe(_checked(folder), folder)
    return files


def _checked(source: Path) -> list[Library]:
    """The libraries of a folder. Raises InvalidSource."""
    report = Report()
    libraries = check_files(sorted(source.glob(f"*{SUFFIX}")), report)
    report.raise_errors()
    return libraries


def main(arguments: list[str]) -> int:
    files = stubs()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], "utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
