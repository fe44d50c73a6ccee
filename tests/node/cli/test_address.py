"""Addresses as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.address import Address, parse, parse_place, parse_remote
from node.cli.failures import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("nas", Address("nas")),
        ("self", Address("self")),
        ("5k3x-abcd", Address("5k3x-abcd")),
        ("nas/files", Address("nas", "files")),
        ("nas:", Address("nas", None, "")),
        ("nas:.", Address("nas", None, "")),
        ("nas:photos/2024", Address("nas", None, "photos/2024")),
        ("nas:/photos/", Address("nas", None, "photos", into=True)),
        ("nas/inbox:letter.txt", Address("nas", "inbox", "letter.txt")),
        ("nas/inbox:a:b", Address("nas", "inbox", "a:b")),
        ("glow://nas", Address("nas")),
        ("glow://nas/inbox", Address("nas", "inbox")),
        ("glow://nas/inbox/", Address("nas", "inbox", "")),
        ("glow://nas.ann/inbox/a/b.txt", Address("nas.ann", "inbox", "a/b.txt")),
        ("nas:e\u0301te\u0301", Address("nas", None, "été")),
    ],
)
def test_parses(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text", ["", ":", "/", "/x", "-x", "a/b/c", "a//b:", "glow://", "glow:///x", "a b", "x" * 9000]
)
def test_refuses(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


@given(st.text(max_size=50))
def test_anything_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        address = parse(text)
    except UsageError:
        return
    assert address.node
    assert address.path is None or not address.path.startswith("/")


@pytest.mark.parametrize("text", ["letter.txt", "./nas:x", "../nas:x", "/tmp/nas:x", "a b:c", "notes/2024", "-:x"])
def test_paths_of_this_device(text: str) -> None:
    assert parse_place(text) == Path(text)


@pytest.mark.parametrize("text", ["nas:letter.txt", "nas/inbox:", "glow://nas/inbox/letter.txt", "glow://nas"])
def test_places_on_other_devices(text: str) -> None:
    place = parse_place(text)
    assert isinstance(place, Address)
    assert place.path is not None


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert parse_place("~/letter.txt") == Path("/somewhere/letter.txt")


def test_the_default_resource_belongs_to_a_path() -> None:
    assert parse("nas").name == "nas"
    assert parse("nas:x").name == "nas/files"
    assert parse_remote("nas").name == "nas/files"
    assert parse_remote("nas/inbox") == Address("nas", "inbox", "")


def test_shows_itself_as_it_was_written() -> None:
    for text in ("nas", "nas/inbox", "nas:", "nas/inbox:a/b"):
        assert str(parse(text)) == text


def test_children() -> None:
    assert parse("nas:").child("a").child("b") == Address("nas", None, "a/b")
