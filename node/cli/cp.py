"""`glow cp`: copies files and folders between this device and nodes, or between two nodes."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import trio

from firefly.client import Glow, NoNode
from firefly.errors import Interrupted, Unreachable
from node.cli.address import Address, parse_place
from node.cli.client import attached, time_limit
from node.cli.copying.local import LocalDisk
from node.cli.copying.remote import RemoteFiles
from node.cli.copying.tree import Copy, Report, Spot
from node.cli.failures import OK, PartlyDone, UsageError, exit_code, root_cause, words
from node.cli.files import locate
from node.cli.output import Output, duration_text, size_text
from node.cli.progress import Progress, wants_progress

NAME = "cp"
HELP = "copy files and folders between devices"
_CUT = (KeyboardInterrupt, Interrupted, Unreachable, trio.TooSlowError)


def configure(parser: ArgumentParser) -> None:
    parser.usage = "glow cp [-r] SOURCE… TARGET"
    parser.epilog = (
        "Every file is written under a temporary name, verified by its SHA-256, then renamed. "
        "Run the same command again to continue a copy that was cut. Links in folders are left out."
    )
    parser.add_argument(
        "places", nargs="+", metavar="PLACE", help="a path here, or NODE[/RESOURCE]:PATH; the last is the target"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="folders too, with all that is in them")


def run(arguments: Namespace) -> int:
    if len(arguments.places) < 2:
        raise UsageError("it needs a SOURCE and a TARGET", hint="glow cp nas:letter.txt .")
    places = [parse_place(text) for text in arguments.places]
    remote = " or ".join({place.node: None for place in places if isinstance(place, Address)})
    out = Output(arguments)

    async def work(glow: Glow | None) -> int:
        spots = [await spot_of(glow, place, text) for place, text in zip(places, arguments.places, strict=True)]
        begun = time.monotonic()
        progress = Progress("copying", shown=wants_progress(arguments), waits_for=remote or "the disk")

        def note(text: str) -> None:
            progress.clear()
            out.note(text)

        copy = Copy(progress, note, recursive=arguments.recursive)
        async with progress.drawn():
            report = await copy.run(spots[:-1], spots[-1])
        return finish(report, progress.moved, time.monotonic() - begun, out)

    try:
        return attached(arguments, work, about=remote) if remote else trio.run(_here, arguments, work)
    except BaseException as error:
        cause = root_cause(error)
        if isinstance(cause, _CUT) and not isinstance(cause, NoNode):
            out.note("stopped; the same command continues where it was")
        raise


async def _here(arguments: Namespace, work: Any) -> int:
    """Nothing remote is involved, so no node is needed."""
    with time_limit(arguments):
        code: int = await work(None)
        return code


async def spot_of(glow: Glow | None, place: Address | Path, text: str) -> Spot:
    """One argument as the copy needs it. Raises NoSuchName."""
    if isinstance(place, Path):
        disk = LocalDisk()
        return Spot(disk, str(place), os.path.basename(disk.whole(str(place))), text, text.endswith("/"))
    assert glow is not None
    location, files = await locate(glow, place)
    path = place.path or ""
    return Spot(RemoteFiles(files, location), path, os.path.basename(path) or location.label, text, place.into)


def finish(report: Report, moved: int, seconds: float, out: Output) -> int:
    """Says what was done; `moved` bytes were not there before. Raises PartlyDone, or the only error."""
    rate = moved / max(seconds, 1e-6)
    if out.json:
        out.show(report_data(report, moved, seconds), str)
    elif report.files or not report.failed:
        parts = [f"{_files(report.files)}, {size_text(report.bytes)} verified in {duration_text(seconds)}"]
        parts += [f"{size_text(rate)}/s"] if moved > 1e6 else []
        parts += [f"{report.unchanged} of them were here already"] if report.unchanged else []
        parts += [f"{len(report.skipped)} links and the like left out"] if report.skipped else []
        out.note("; ".join(parts))
        if out.verbose:
            out.note("\n".join(f"left out: {name}" for name in report.skipped))
    if not report.failed:
        return OK
    if not report.files:
        raise report.failed[0][1]
    raise PartlyDone(f"{_files(len(report.failed))} could not be copied", "the reasons are above")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def report_data(report: Report, moved: int, seconds: float) -> dict[str, Any]:
    return {
        "files": report.files,
        "bytes": report.bytes,
        "moved": moved,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "failed": [
            {"path": path, "error": words(error)[0], "cause": words(error)[1], "code": exit_code(error)}
            for path, error in report.failed
        ],
        "seconds": round(seconds, 6),
        "bytes_per_second": round(moved / max(seconds, 1e-6)),
    }
