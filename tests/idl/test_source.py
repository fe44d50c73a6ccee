from __future__ import annotations

from pathlib import Path

import pytest

from idl.checker import check_files
from idl.model import Span
from idl.report import Report
from idl.source import MAX_SIZE, Source, Unreadable, decode


def test_places_count_lines_and_columns_from_one() -> None:
    source = Source("x", "ab\ncd\r\n\nä!")
    assert [source.place(Span(offset, offset)) for offset in (0, 1, 2, 3, 7, 8, 9)] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (4, 1), (4, 2),
    ]  # fmt: skip
    assert [source.line(number) for number in (1, 2, 3, 4)] == ["ab", "cd", "", "ä!"]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode(b"\xef\xbb\xbftype A = int") == "type A = int"


@pytest.mark.parametrize(("data", "code"), [(b"\xff", "not-utf8"), (b" " * (MAX_SIZE + 1), "too-large")])
def test_what_is_no_text_is_reported(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "a.firefly"
    path.write_bytes(data)
    with pytest.raises(Unreadable):
        Source.read(path)
    report = Report()
    assert check_files([path], report) == []
    assert [found.rule.code for found in report.diagnostics] == [code]
    assert str(path) in report.render()


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    report = Report()
    check_files([tmp_path / "missing.firefly", tmp_path], report)
    assert [found.rule.code for found in report.diagnostics] == ["unreadable"] * 2


def test_a_file_of_the_full_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.firefly"
    path.write_bytes(b"library a\n" + b"// " * ((MAX_SIZE - 10) // 3))
    report = Report()
    check_files([path], report)
    assert report.render() == ""
