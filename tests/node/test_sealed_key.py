"""The user key sealed by a passphrase."""

import msgspec
import pytest
from hypothesis import given

from firefly.errors import InvalidArgument
from firefly.keys import NodeKey
from node.sealed_key import MEMORY, PASSES, WrongPassphrase, open_user_key, seal_user_key
from tests.firefly.mutation import garbage

KEY = NodeKey(bytes(range(32)))
CHEAP = {"passes": 1, "memory": 8192}
SEALED = seal_user_key(KEY, "correct horse", **CHEAP)


def test_the_passphrase_opens_it() -> None:
    assert open_user_key(SEALED, "correct horse").seed == KEY.seed


def test_it_shows_nothing_and_never_looks_the_same() -> None:
    assert KEY.seed not in SEALED
    assert seal_user_key(KEY, "correct horse", **CHEAP) != SEALED


@pytest.mark.parametrize("passphrase", ["", "correct horse ", "Correct horse"])
def test_another_passphrase_does_not(passphrase: str) -> None:
    with pytest.raises(WrongPassphrase):
        open_user_key(SEALED, passphrase)


def test_a_passphrase_may_be_of_any_script() -> None:
    assert open_user_key(seal_user_key(KEY, "Straße 日本", **CHEAP), "Straße 日本").seed == KEY.seed


@pytest.mark.parametrize(("place", "value"), [(2, PASSES + 1), (3, MEMORY + 1), (3, 2**62), (2, 0), (3, -1), (1, b"")])
def test_nobody_makes_this_device_work_more_than_it_would_itself(place: int, value: object) -> None:
    parts = msgspec.msgpack.decode(SEALED)
    parts[place] = value
    with pytest.raises(InvalidArgument, match="no sealed user key"):
        open_user_key(msgspec.msgpack.encode(parts), "correct horse")


def test_one_of_another_version_says_so() -> None:
    parts = msgspec.msgpack.decode(SEALED)
    parts[0] = 2
    with pytest.raises(InvalidArgument, match="another version"):
        open_user_key(msgspec.msgpack.encode(parts), "correct horse")


def _cheap(data: bytes) -> bool:
    """Whether trying it costs next to nothing: random bytes may ask for the whole second."""
    try:
        parts = msgspec.msgpack.decode(data)
        return bool(parts[2] <= 2 and parts[3] <= 2**20)
    except (msgspec.MsgspecError, ValueError, TypeError, IndexError, KeyError):
        return True


@given(garbage(SEALED).filter(_cheap))
def test_any_bytes_are_a_key_or_a_typed_error(data: bytes) -> None:
    try:
        assert open_user_key(data, "correct horse").seed == KEY.seed
    except InvalidArgument:
        assert data != SEALED
