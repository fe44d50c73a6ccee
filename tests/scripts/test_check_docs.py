from pathlib import Path

import pytest

from scripts.check_docs import anchor, dead_citations, dead_links

WIRE = "docs/concepts/wire.md"
ABSENT = "docs/concepts/" + "absent.md"  # in two parts, since this file is checked too


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"see {WIRE}, 4 Session", []),
        (f"see {WIRE}, section 4", []),
        (f"see {WIRE}", []),
        (f"see {WIRE}, 99 Nothing", [f"no section 99 in {WIRE}"]),
        (f"see {ABSENT}", [f"no such page: {ABSENT}"]),
    ],
)
def test_citations(text: str, problems: list[str]) -> None:
    assert list(dead_citations(text)) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[a](other.md) [b](other.md#4-session) [c](#here) [d](https://example.org/x)\n# Here", []),
        ("[a](absent.md)", ["no such file: absent.md"]),
        ("[a](other.md#absent)", ["no such heading: other.md#absent"]),
    ],
)
def test_links(tmp_path: Path, text: str, problems: list[str]) -> None:
    (tmp_path / "other.md").write_text("## 4. Session\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(dead_links(page, text)) == problems


def test_an_anchor_is_what_a_heading_is_linked_by() -> None:
    assert anchor("5. Messages") == "5-messages"
