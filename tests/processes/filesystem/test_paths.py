"""Paths are refused, not repaired."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.filesystem.paths import HIDDEN, MAX_DEPTH, Refused, is_servable, join, split

REFUSED = {
    "/": "segment ''",
    "/etc/passwd": "segment ''",
    "a/": "segment ''",
    "a//b": "segment ''",
    ".": "segment '.'",
    "a/./b": "segment '.'",
    "..": "segment '..'",
    "../a": "segment '..'",
    "a/../../b": "segment '..'",
    "a\0": "NUL",
    "a\\b": "backslash",
    "..\\..": "backslash",
    "e\u0301": "NFC",
    "\u212b": "NFC",
    "\ud800": "Unicode",
    HIDDEN + "part-1": "unfinished",
    "a/.GLOW-x": "unfinished",
    "/".join("a" * (MAX_DEPTH + 1)): "deep",
}
odd = st.sampled_from(["", ".", "..", "a", "é", "e\u0301", "\0", "\\", ".glow-x", "…", "\u202e", "~", "C:", "\ud800"])
texts = st.one_of(st.text(), st.lists(st.one_of(odd, st.text(max_size=3)), max_size=6).map("/".join))


@pytest.mark.parametrize(("path", "reason"), REFUSED.items())
def test_refused_with_a_reason(path: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        split(path)
    assert reason in caught.value.reason
    caught.value.path.encode()


@pytest.mark.parametrize("path", ["", "a", "a/b/c", "é/…", "...", ".a", "a b/ c", "~", "-rf", "a\n", "x" * 300])
def test_served(path: str) -> None:
    assert "/".join(split(path)) == path


@given(texts)
def test_what_is_served_leads_nowhere_else(path: str) -> None:
    try:
        segments = split(path)
    except Refused:
        return
    assert "/".join(segments) == path
    assert unicodedata.normalize("NFC", path) == path
    for segment in segments:
        assert segment not in ("", ".", "..")
        assert not set(segment) & {"/", "\\", "\0"}
        assert not segment.lower().startswith(HIDDEN)
        segment.encode()


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_path_is_served_exactly_if_each_of_its_names_is(names: list[str]) -> None:
    path = ""
    for name in names:
        path = join(path, name) if path or name else "/"
    try:
        served = bool(split(path))
    except Refused:
        served = False
    parts = path.split("/")
    assert served == (len(parts) <= MAX_DEPTH and all(map(is_servable, parts)))
