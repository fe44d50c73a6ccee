"""Files and what they import.

`import a.b` is looked for beside the importing file, in the folder above it, in the folders given, and among the
interfaces that come with Glow; in each as `a/b.firefly`, `a.b.firefly` and `b.firefly`. A file counts only if it is
the library that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from idl.model import Declaration, File, Import
from idl.parser import parse
from idl.report import Report
from idl.source import Source, Unreadable

OURS = Path(__file__).with_name("interfaces")
"""The interfaces that come with Glow."""
SUFFIX = ".firefly"
MAX_FILES = 256
MAX_NESTING = 32
"""Libraries that import one another in a row."""


@dataclass(eq=False)
class Library:
    """One file, read: its declarations by name and its imports by alias."""

    name: str
    source: Source
    file: File
    declarations: dict[str, Declaration] = field(default_factory=dict)
    imports: dict[str, Library] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it comes with Glow."""
        return self.source.path is not None and self.source.path.resolve().parent == OURS.resolve()

    @property
    def document(self) -> str:
        return self.file.libraries[0].doc if self.file.libraries else ""


class Loader:
    """Reads each file once. What is wrong goes to `report`."""

    def __init__(self, report: Report, folders: Sequence[Path] = ()) -> None:
        self.report = report
        self.libraries: list[Library] = []
        self._folders = [*folders]
        self._read: dict[Path, Library | None] = {}
        self._loading: list[Library] = []

    def load(self, path: Path, name: str | None = None) -> Library | None:
        """The library in a file, with all that it imports; None if the file cannot be read."""
        key = path.resolve()
        if key not in self._read:
            self._read[key] = None
            try:
                source = Source.read(path, name)
            except Unreadable as error:
                self.report.add(error.code, Source(name or str(path), ""), name=name or path, detail=error.detail)
                return None
            self._read[key] = self.load_source(source)
        return self._read[key]

    def load_source(self, source: Source) -> Library:
        file = parse(source, self.report)
        library = Library(_name(file, source), source, file)
        if source.path is not None:
            self._read[source.path.resolve()] = library
        for declaration in file.declarations:
            library.declarations.setdefault(declaration.name.text, declaration)
        self._loading.append(library)
        for statement in file.imports:
            self._import(library, statement)
        self._loading.pop()
        self.libraries.append(library)
        return library

    def _import(self, library: Library, statement: Import) -> None:
        if len(self._loading) > MAX_NESTING or len(self._read) > MAX_FILES:
            self.report.add("too-many-imports", library.source, statement.span, nesting=MAX_NESTING, files=MAX_FILES)
            return
        found, searched = self._find(library, statement.name.text)
        if found is None:
            self.report.add(
                "unknown-import", library.source, statement.name.span,
                name=statement.name.text, searched="; ".join(searched),
            )  # fmt: skip
        elif found in self._loading:
            circle = [*self._loading[self._loading.index(found) :], found]
            self.report.add(
                "import-cycle", library.source, statement.name.span, circle=" → ".join(part.name for part in circle)
            )
        elif statement.alias in library.imports:
            self.report.add("duplicate-import", library.source, statement.span, name=statement.alias)
        else:
            library.imports[statement.alias] = found

    def _find(self, library: Library, name: str) -> tuple[Library | None, list[str]]:
        searched: list[str] = []
        for folder in self._places(library):
            for candidate in _candidates(folder, name):
                if not candidate.is_file():
                    continue
                found = self.load(candidate)
                if found is None or found.name == name:
                    return found, [f"{candidate} cannot be read"]
                searched.append(f"{candidate} is library {found.name}")
            searched.append(str(folder))
        return None, searched

    def _places(self, library: Library) -> list[Path]:
        path = library.source.path
        beside = [] if path is None else [path.parent, path.resolve().parent.parent]
        return [*dict.fromkeys([*beside, *self._folders, OURS])]


def _name(file: File, source: Source) -> str:
    return file.libraries[0].name.text if file.libraries else Path(source.name).name.partition(".")[0]


def _candidates(folder: Path, name: str) -> list[Path]:
    parts = name.split(".")
    paths = [folder.joinpath(*parts), folder / name, folder / parts[-1]]
    return list(dict.fromkeys(path.with_name(path.name + SUFFIX) for path in paths))
