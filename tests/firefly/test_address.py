"""Addresses in text survive what people do to them, and no mistyped one passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.address import MIN_PREFIX, address_of, format_address, matches_prefix, parse_address

addresses = st.binary(min_size=16, max_size=16)
ADDRESS = address_of(bytes(32))
TEXT = "rhvq2-2ukne-o24lg-rl3id-ngjrz-ywp"


def test_the_text_form_stays_what_it_is() -> None:
    """It is written down in links and configurations."""
    assert ADDRESS.hex() == "89eb0d6a8a691dae2cd15ed0369931ce"
    assert format_address(ADDRESS) == TEXT


@given(addresses)
def test_text_and_bytes_are_the_same(address: bytes) -> None:
    text = format_address(address)
    assert parse_address(text) == address
    assert text == text.lower()
    assert {len(group) for group in text.split("-")[:-1]} == {5}


@given(addresses)
def test_grouping_case_and_look_alikes_do_not_matter(address: bytes) -> None:
    text = format_address(address)
    assert parse_address(f"  {text.upper().replace('-', ' ')} ") == address
    assert parse_address(text.replace("-", "")) == address
    assert parse_address(text.replace("o", "0").replace("i", "1").replace("b", "8")) == address


@given(addresses, st.integers(0, 27), st.sampled_from("acdefghjklmnpqrstuvwxyz234567"))
def test_a_mistyped_digit_is_found(address: bytes, index: int, digit: str) -> None:
    digits = format_address(address).replace("-", "")
    typed = digits[:index] + digit + digits[index + 1 :]
    if typed != digits:
        assert _parsed(typed) != address


def test_nearly_every_mistyped_digit_is_reported() -> None:
    """Two check digits let one in 1,024 through."""
    digits = TEXT.replace("-", "")
    typed = {
        digits[:index] + digit + digits[index + 1 :]
        for index in range(len(digits))
        for digit in "abcdefghijklmnopqrstuvwxyz234567"
    }
    assert len(typed) == 28 * 31 + 1
    assert len([text for text in typed if _parsed(text)]) <= 4


def _parsed(text: str) -> bytes | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


@given(st.text())
def test_any_other_text_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        parse_address(text)


@pytest.mark.parametrize("digit", ["9", "!", "é", "ſ", "\0", "٣"])
def test_a_digit_that_is_none_is_refused(digit: str) -> None:
    with pytest.raises(ValueError, match="digit"):
        parse_address(digit + TEXT[1:])


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_only_16_bytes_are_an_address(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        format_address(bytes(size))


@given(addresses, st.integers(MIN_PREFIX, 33))
def test_a_prefix_matches_however_it_is_typed(address: bytes, size: int) -> None:
    prefix = format_address(address)[: size + 1]
    assert matches_prefix(address, prefix)
    assert matches_prefix(address, prefix.upper().replace("O", "0"))


def test_a_prefix_is_neither_too_short_nor_another_ones() -> None:
    assert not matches_prefix(ADDRESS, "")
    assert not matches_prefix(ADDRESS, TEXT[: MIN_PREFIX - 1])
    assert not matches_prefix(ADDRESS, "rhv-")
    assert not matches_prefix(ADDRESS, "hvq2")
    assert not matches_prefix(ADDRESS, TEXT + "a")
