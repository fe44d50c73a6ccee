"""Lines of bash as words, and what is given back: real bash must read it as what was meant."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.completing.line import quoted, split

BREAKS = " \t\n\"'><=;|&(:"


@pytest.mark.parametrize(
    ("text", "words", "current", "kept", "quote"),
    [
        ("", [], "", 0, ""),
        ("glow", [], "glow", 0, ""),
        ("glow ", ["glow"], "", 0, ""),
        ("glow  kv\tget ", ["glow", "kv", "get"], "", 0, ""),
        ("glow cat nas:ph", ["glow", "cat"], "nas:ph", 4, ""),
        (r"glow cat nas:My\ Ph", ["glow", "cat"], "nas:My Ph", 4, ""),
        (r"glow cat nas\:ph", ["glow", "cat"], "nas:ph", 0, ""),
        ('glow cat "nas:My Ph', ["glow", "cat"], "nas:My Ph", 0, '"'),
        ("glow cat nas:'My Ph", ["glow", "cat"], "nas:My Ph", 4, "'"),
        ('glow cat nas:"My Ph"', ["glow", "cat"], "nas:My Ph", 9, ""),
        (r'glow "a\"b', ["glow"], 'a"b', 0, '"'),
        (r"glow 'a\b", ["glow"], "a\\b", 0, "'"),
        ("glow '' ", ["glow", ""], "", 0, ""),
        ("glow --home=/tm", ["glow"], "--home=/tm", 7, ""),
        ("glow $(touch x", ["glow", "$(touch"], "x", 0, ""),
        ("glow \\", ["glow"], "", 0, ""),
    ],
)
def test_words(text: str, words: list[str], current: str, kept: int, quote: str) -> None:
    line = split(text, BREAKS)
    assert (line.words, line.current, line.kept, line.quote) == (words, current, kept, quote)


@pytest.mark.parametrize(
    ("text", "candidate", "finished", "reply"),
    [
        ("glow st", "status", True, "status "),
        ("glow cat nas:", "nas:My Photos/", False, "My\\ Photos/"),
        ('glow cat "nas:', "nas:$HOME", True, "nas:\\$HOME"),
        ('glow cat "nas:', "nas:a!b", True, None),
        ("glow cat 'nas:", "nas:it's", True, "nas:it'\\''s"),
        ('glow cat nas:"My Photos"/', "nas:My Photos/new", True, "/new "),
        ("glow cp ~/", "~/a b", True, "~/a\\ b "),
        ("glow cp '~", "~x", True, "~x"),
        ("glow cp ", "~x", True, "\\~x "),
    ],
)
def test_replies(text: str, candidate: str, finished: bool, reply: str | None) -> None:
    assert split(text, BREAKS).reply(candidate, finished) == reply


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(names)
def test_what_is_quoted_is_read_back(name: str) -> None:
    line = split(f"glow cat {quoted(name)}", BREAKS)
    assert (line.words, line.current) == (["glow", "cat"], name)


def test_bash_reads_what_is_quoted_as_it_was_meant() -> None:
    odd = ["$(touch pwned)", "`x`", "it's", 'a"b', "a b", "a\tb", "back\\slash", "*", "[a]?", "{a,b}", "~root", "#x",
           "a;b|c&d", "<in >out", "!!", "grüße", "日本", "a^b", "%s", "x=y", "-", "👩‍🚀"]  # fmt: skip
    script = "printf '%s\\0' " + " ".join(map(quoted, odd))
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == odd
