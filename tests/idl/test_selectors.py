from __future__ import annotations

import hashlib

import pytest

from idl.model import NOWHERE, Attribute, Element, Literal, Name
from idl.selectors import method_path, number


def method(former: str = "") -> Element:
    attribute = Attribute(Name("selector", NOWHERE), (Literal(former, NOWHERE),), NOWHERE)
    return Element(name=Name("get", NOWHERE), span=NOWHERE, attributes=(attribute,) if former else ())


@pytest.mark.parametrize(
    ("former", "path"),
    [
        ("", "glow.kv/KV.get"),
        ("fetch", "glow.kv/KV.fetch"),
        ("Store.fetch", "glow.kv/Store.fetch"),
        ("old.kv/Store.fetch", "old.kv/Store.fetch"),
    ],
)
def test_a_selector_keeps_what_has_not_changed(former: str, path: str) -> None:
    assert method_path("glow.kv", "KV", method(former)) == path


def test_a_number_is_the_first_four_bytes_of_sha_256() -> None:
    assert number("glow.kv/KV.get") == int(hashlib.sha256(b"glow.kv/KV.get").hexdigest()[:8], 16) == 0x2C07392B
