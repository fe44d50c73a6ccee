"""Addresses: what packets are routed by, and how people see them.

An address is the first 16 bytes of BLAKE2b-256 of a node's Ed25519 key. In text it is base32 in lower case, in groups
of 5, with two check digits at the end; 0 and O, 1 and I, 8 and B are the same (docs/concepts/wire.md, 2 and 3).
"""

from __future__ import annotations

import base64
import hashlib

ADDRESS_SIZE = 16
MIN_PREFIX = 4
_DIGITS = 26  # base32 digits of 128 bits
_CHECK_DIGITS = 2
_GROUP = 5
_FOLD = str.maketrans("018", "oib", "- ")


def address_of(public_key: bytes) -> bytes:
    """The address of the node with that Ed25519 key."""
    return hashlib.blake2b(public_key, digest_size=32).digest()[:ADDRESS_SIZE]


def _digits(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _check(address: bytes) -> str:
    return _digits(hashlib.blake2b(address, digest_size=2, person=b"glow address").digest())[:_CHECK_DIGITS]


def format_address(address: bytes) -> str:
    """Raises ValueError if it has not 16 bytes."""
    if len(address) != ADDRESS_SIZE:
        raise ValueError(f"an address has {ADDRESS_SIZE} bytes, not {len(address)}")
    text = _digits(address) + _check(address)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def fold(text: str) -> str:
    """The digits of what a person typed, however they were grouped or mixed up."""
    return text.strip().lower().translate(_FOLD)


def parse_address(text: str) -> bytes:
    """The address of a whole text form. Raises ValueError that says what is wrong with it."""
    digits = fold(text)
    if len(digits) != _DIGITS + _CHECK_DIGITS:
        raise ValueError(f"an address has {_DIGITS + _CHECK_DIGITS} digits, not {len(digits)}")
    try:
        address = base64.b32decode(digits[:_DIGITS].upper() + "======")
    except ValueError:
        raise ValueError("an address has only the digits a to z and 2 to 7") from None
    if _digits(address) != digits[:_DIGITS] or _check(address) != digits[_DIGITS:]:
        raise ValueError("the check digits do not match: a digit is mistyped")
    return address


def matches_prefix(address: bytes, prefix: str) -> bool:
    """Whether the text form begins with what a person typed, at least 4 digits."""
    digits = fold(prefix)
    return len(digits) >= MIN_PREFIX and (_digits(address) + _check(address)).startswith(digits)
