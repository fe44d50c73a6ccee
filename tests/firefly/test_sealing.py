"""Frames open in order, once, unchanged; keys change on both sides at the same frame."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from firefly import sealing
from firefly.errors import BadFrame
from firefly.noise import rekey
from firefly.sealing import AES256, CHACHA20, REKEY_INTERVAL, SELDOM, Opener, Sealer, cipher, offered
from tests.firefly.mutation import garbage

KEY = bytes(range(32))
kinds = st.sampled_from([CHACHA20, AES256])


def _nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8, "big")


@given(kinds, st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 4))
def test_frames_arrive_as_they_were(kind: int, frames: list[bytes], interval: int) -> None:
    sealer, opener = Sealer(kind, KEY, interval), Opener(kind, KEY, interval)
    assert [opener.open(sealer.seal(frame)) for frame in frames] == frames


@given(kinds, st.lists(st.sampled_from(["seal", "rest"]), max_size=12), st.integers(1, 3))
def test_who_rests_between_frames_goes_on_as_before(kind: int, acts: list[str], interval: int) -> None:
    sealer, opener = Sealer(kind, KEY, interval), Opener(kind, KEY, interval)
    plain = Sealer(kind, KEY, interval)
    for act in acts:
        if act == "rest":
            sealer.rest()
            opener.rest()
        else:
            sealed = plain.seal(b"frame")
            assert sealer.seal(b"frame") == sealed
            assert opener.open(sealed) == b"frame"


def test_a_cipher_is_there_only_while_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(sealing, "cipher", lambda kind, key: made.append(key) or cipher(kind, key))
    sealer = Sealer(CHACHA20, KEY)
    assert made == []
    for _ in range(2 * SELDOM):
        sealer.seal(b"busy")
    assert made == [KEY] * SELDOM
    sealer.rest()
    sealer.rest()
    sealer.seal(b"woken")
    assert made == [KEY] * (SELDOM + 1)
    with pytest.raises(AttributeError):
        _ = sealer.decrypt  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "aead"), [(CHACHA20, ChaCha20Poly1305), (AES256, AESGCM)])
def test_the_nonce_is_the_number_and_the_key_changes_at_the_interval(kind: int, aead: type[AESGCM]) -> None:
    sealer = Sealer(kind, KEY, interval=3)
    keys = [KEY, rekey(KEY), rekey(rekey(KEY))]
    for number in range(9):
        expected = aead(keys[number // 3]).encrypt(_nonce(number), b"frame", None)
        assert sealer.seal(b"frame") == expected


def test_by_default_the_key_changes_at_2_to_the_20() -> None:
    assert REKEY_INTERVAL == 2**20
    sealer, opener = Sealer(CHACHA20, KEY), Opener(CHACHA20, KEY)
    sealer.number = opener.number = REKEY_INTERVAL - 1
    last, first = sealer.seal(b"last"), sealer.seal(b"first")
    assert last == cipher(CHACHA20, KEY).encrypt(_nonce(REKEY_INTERVAL - 1), b"last", None)
    assert first == cipher(CHACHA20, rekey(KEY)).encrypt(_nonce(REKEY_INTERVAL), b"first", None)
    assert [opener.open(last), opener.open(first)] == [b"last", b"first"]


def test_sides_that_change_keys_at_different_frames_part() -> None:
    sealer, opener = Sealer(CHACHA20, KEY, 2), Opener(CHACHA20, KEY, 3)
    assert opener.open(sealer.seal(b"1")) + opener.open(sealer.seal(b"2")) == b"12"
    with pytest.raises(BadFrame):
        opener.open(sealer.seal(b"3"))


@pytest.mark.parametrize("kind", [CHACHA20, AES256])
def test_a_frame_again_or_out_of_order_or_by_another_key_does_not_open(kind: int) -> None:
    sealer = Sealer(kind, KEY)
    first, second = sealer.seal(b"first"), sealer.seal(b"second")
    opener = Opener(kind, KEY)
    assert opener.open(first) == b"first"
    with pytest.raises(BadFrame):
        opener.open(first)
    with pytest.raises(BadFrame):
        Opener(kind, KEY).open(second)
    with pytest.raises(BadFrame):
        Opener(kind, bytes(32)).open(first)
    with pytest.raises(BadFrame):
        Opener(CHACHA20 + AES256 - kind, KEY).open(first)


SEALED = Sealer(CHACHA20, KEY).seal(b"a frame")


@given(kinds, garbage(SEALED).filter(lambda data: data != SEALED))
def test_garbage_does_not_open(kind: int, data: bytes) -> None:
    with pytest.raises(BadFrame, match="does not open") as caught:
        Opener(kind, KEY).open(data)
    assert caught.value.fault == "peer"


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer_is_sealed_and_opened(buffer: type[memoryview]) -> None:
    sealed = Sealer(AES256, KEY).seal(buffer(b"frame"))
    assert len(sealed) == 5 + 16
    assert Opener(AES256, KEY).open(buffer(sealed)) == b"frame"


@pytest.fixture
def fresh_offer() -> Iterator[None]:
    offered.cache_clear()
    yield
    offered.cache_clear()


@pytest.mark.usefixtures("fresh_offer")
@pytest.mark.parametrize(
    ("system", "machine", "cpuinfo", "expected"),
    [
        ("Linux", "x86_64", "model name: x\nflags\t\t: fpu aes sse2\n", (AES256, CHACHA20)),
        ("Linux", "aarch64", "Features\t: fp asimd pmull\n", (CHACHA20,)),
        ("Linux", "aarch64", None, (CHACHA20,)),
        ("Darwin", "arm64", None, (AES256, CHACHA20)),
        ("Windows", "AMD64", None, (AES256, CHACHA20)),
        ("Windows", "x86", None, (CHACHA20,)),
    ],
)
def test_aes_is_offered_where_the_processor_does_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    system: str,
    machine: str,
    cpuinfo: str | None,
    expected: tuple[int, ...],
) -> None:
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sealing, "Path", lambda name: file)
    assert offered() == expected
