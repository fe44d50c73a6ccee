"""`glow idl`: check interfaces written in the Firefly language, and generate their stubs.

glow idl check FILE…                            0 if there is no error, else 1
glow idl generate --to python [-o DIR] FILE…    also the libraries that they import
glow idl describe [-o DIR] FILE…                what is compiled of them, as JSON: names, selectors, types, bounds
"""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.cli.flags import global_flags
from node.cli.output import Output

if TYPE_CHECKING:
    from idl.loader import Library
    from idl.report import Diagnostic, Report

NAME = "idl"
HELP = "check interfaces, generate their stubs, or show what they compile to"
BANNER = "# Made from "
"""How a file begins that may be written over."""


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(parser))

    def action(name: str, line: str) -> ArgumentParser:
        made: ArgumentParser = actions.add_parser(name, help=line, description=f"{line}.", parents=[global_flags()])
        made.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an interface, NAME.firefly")
        made.add_argument(
            "-I", "--include", action="append", default=[], type=Path, metavar="DIR", help="look for imports here too"
        )
        return made

    action("check", "show every error of the files, with line and fix")
    generating = action("generate", "write the stubs of the files")
    generating.add_argument("--to", choices=["python"], required=True, help="the language of the stubs")
    generating.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="where they go (here)")
    describing = action("describe", "show the compiled interfaces of the files as JSON, complete in themselves")
    describing.add_argument("-o", "--output", type=Path, metavar="DIR", help="write NAME.json for each file there")


def run(arguments: Namespace) -> int:
    from idl.checker import check_files
    from idl.report import Report

    report, output = Report(), Output(arguments)
    libraries = check_files(arguments.files, report, arguments.include)
    if arguments.action == "check":
        return _check(report, output, len(arguments.files))
    if report.diagnostics:
        output.note(report.render())
    if report.errors:
        output.note(_summary(report, len(arguments.files)) + "; nothing was written")
        return 1
    if arguments.action == "describe":
        return _describe(libraries, arguments.output, output)
    return _generate(libraries, arguments.output, output)


def _check(report: Report, output: Output, files: int) -> int:
    output.show([_as_data(found) for found in report.diagnostics], report.render)
    output.note(_summary(report, files))
    return 1 if report.errors else 0


def _as_data(found: Diagnostic) -> dict[str, Any]:
    line, column = found.source.place(found.span)
    return {
        "file": found.source.name,
        "line": line,
        "column": column,
        "severity": "error" if found.is_error else "warning",
        "code": found.rule.code,
        "message": found.message,
        "fix": found.fix,
    }


def _summary(report: Report, files: int) -> str:
    counts = [
        f"{count} {word}{'s' * (count != 1)}"
        for count, word in ((report.errors, "error"), (report.warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counts) or 'no errors'} in {files} file{'s' * (files != 1)}"


def _generate(libraries: list[Library], folder: Path, output: Output) -> int:
    from firefly.errors import GlowError
    from idl.generate import generate
    from idl.generators.python_names import NameClash

    try:
        files = generate(libraries, folder)
    except NameClash as error:
        raise GlowError("no Python stubs can be made of this", cause=str(error), hint="rename one") from None
    for path in files:
        _may_write(path)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, "utf-8", newline="\n")
    output.show([str(path) for path in files], lambda: "\n".join(f"wrote {path}" for path in files))
    return 0


def _describe(libraries: list[Library], folder: Path | None, output: Output) -> int:
    """What a program in a language without a generator registers its resources with."""
    from idl.generate import describe

    files = describe(libraries, folder or Path())
    if folder is None:
        for text in files.values():
            sys.stdout.write(text)
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, "utf-8", newline="\n")
    output.show([str(path) for path in files], lambda: "\n".join(f"wrote {path}" for path in files))
    return 0


def _may_write(path: Path) -> None:
    """Raises FileExistsError if the file is somebody's own work."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(len(BANNER)) not in (BANNER.encode(), b""):
            raise FileExistsError(17, "it was not made by `glow idl generate`, so it is not written over", str(path))
