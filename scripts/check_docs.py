"""Checks that documentation leads somewhere; exit 1 and one line per dead end otherwise.

Two kinds of pointers: relative links in Markdown files (`[text](path#heading)`), and citations in Python docstrings
and Markdown text, `docs/concepts/wire.md, 4 Session` or `docs/concepts/wire.md, section 4`, whose section must exist.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")
CITATION = re.compile(r"(docs/[\w/-]+\.md)(?:,\s+(?:section\s+)?(\d+)\b)?")
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)


def files() -> list[Path]:
    """Markdown, Python and Firefly files that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.py", "*.firefly"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in dict.fromkeys(listed) if (ROOT / name).is_file()]


def anchor(heading: str) -> str:
    """The fragment by which a heading is linked."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def dead_links(path: Path, text: str) -> Iterator[str]:
    for target, fragment in LINK.findall(text):
        page = (path.parent / target).resolve() if target else path
        if not page.exists():
            yield f"no such file: {target}"
        elif fragment and fragment not in map(anchor, HEADING.findall(page.read_text())):
            yield f"no such heading: {target}#{fragment}"


def dead_citations(text: str) -> Iterator[str]:
    for page, number in CITATION.findall(text):
        if not (ROOT / page).exists():
            yield f"no such page: {page}"
        elif number and not any(h.startswith(f"{number}. ") for h in HEADING.findall((ROOT / page).read_text())):
            yield f"no section {number} in {page}"


def main() -> int:
    checked = files()
    failures = 0
    for path in checked:
        text = path.read_text()
        problems = [*dead_citations(text), *(dead_links(path, text) if path.suffix == ".md" else ())]
        for problem in problems:
            print(f"{path.relative_to(ROOT)}: {problem}", file=sys.stderr)
        failures += len(problems)
    if not failures:
        print(f"docs: every link and citation of {len(checked)} files leads somewhere")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
