"""Builds the wheel into a temporary folder and says what is missing from it; exit 1 if anything is.

A wheel must hold the five packages with their type markers, the grammar, the interfaces' sources and the entry points:
whatever is not in it works in a checkout and fails at the user's.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("firefly", "idl", "node", "processes", "signaling")
KINDS = ("executor", "filesystem", "forward", "kv", "pubsub", "signaling")
ENTRY_POINTS = ("glow = node.cli.main:main", "[glow.processes]", *(f"{kind} = " for kind in KINDS))


def build(folder: str) -> Path:
    """The wheel of this checkout, built in `folder` without touching the network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"the wheel does not build:\n{done.stdout}")
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def tracked(*patterns: str) -> list[str]:
    """Files that git knows, as paths from the root."""
    command = ["git", "ls-files", "--", *patterns]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def missing_from(wheel: Path) -> list[str]:
    """Names of what the wheel lacks, readable as they are."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (listing,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        entry_points = archive.read(listing).decode()
    wanted = [f"{package}/{name}" for package in PACKAGES for name in ("__init__.py", "py.typed")]
    wanted += ["idl/grammar.lark", *tracked(*(f"{package}/" for package in PACKAGES))]
    absent = [name for name in dict.fromkeys(wanted) if name not in names]
    return absent + [f"entry point {line!r}" for line in ENTRY_POINTS if line not in entry_points]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(folder)
        missing = missing_from(wheel)
        for name in missing:
            print(f"{wheel.name}: lacks {name}", file=sys.stderr)
        if not missing:
            print(f"{wheel.name}: complete, {wheel.stat().st_size / 1000:.0f} kB")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
