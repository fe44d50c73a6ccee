"""The two ends' keys change in step, whoever tries to disturb them."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from firefly import epochs
from firefly.epochs import COUNTER_BITS, EPOCH_MASK, EPOCH_TIME, Opening, Sealing
from firefly.sealing import CHACHA20

KEY = bytes(range(32))
NONCE = bytes(12)


def _epoch(sealing: Sealing) -> int:
    return sealing.bits >> COUNTER_BITS


def _opens(opening: Opening, epoch: int, sealed: bytes) -> bool:
    """What a session does with a record."""
    decrypt = opening.decrypt if epoch == opening.epoch else opening.other(epoch)
    if decrypt is None:
        return False
    try:
        decrypt(NONCE, sealed, b"")
    except InvalidTag:
        return False
    opening.opened(epoch)
    return True


@given(st.lists(st.sampled_from(["next", "seal", "late", "rest"]), max_size=30), st.lists(st.integers(0, EPOCH_MASK)))
def test_each_epoch_opens_until_the_one_after_the_next(acts: list[str], forged: list[int]) -> None:
    sealing, opening = Sealing(CHACHA20, KEY, 0.0), Opening(CHACHA20, KEY)
    before = last = sealing.encrypt(NONCE, b"x", b"")
    for act in acts:
        if act == "next" and opening.epoch == _epoch(sealing):
            before = sealing.encrypt(NONCE, b"x", b"")
            sealing.next(0.0)
        if act == "rest":
            sealing.rest()
            opening.rest()
        last = sealing.encrypt(NONCE, b"x", b"")
        for epoch in forged:
            assert not _opens(opening, epoch, b"forged" * 4)
        if act == "late" and _epoch(sealing):
            assert _opens(opening, _epoch(sealing) - 1, before)
        if act == "seal":
            assert _opens(opening, _epoch(sealing), last)
    assert _opens(opening, _epoch(sealing), last)
    assert opening.epoch == _epoch(sealing)


def test_the_epoch_before_the_last_is_forgotten() -> None:
    sealing, opening = Sealing(CHACHA20, KEY, 0.0), Opening(CHACHA20, KEY)
    records = []
    for _ in range(3):
        records.append(sealing.encrypt(NONCE, b"x", b""))
        assert _opens(opening, _epoch(sealing), records[-1])
        sealing.next(0.0)
    assert [_opens(opening, epoch, record) for epoch, record in enumerate(records)] == [False, True, True]


def test_keys_of_all_epochs_differ() -> None:
    sealing = Sealing(CHACHA20, KEY, 0.0)
    seen = set()
    for _ in range(10):
        seen.add(sealing.encrypt(NONCE, b"the same", b""))
        sealing.next(0.0)
    assert len(seen) == 10


def test_the_count_of_epochs_may_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "EPOCH_MASK", 3)
    sealing, opening = Sealing(CHACHA20, KEY, 0.0), Opening(CHACHA20, KEY)
    for _ in range(10):
        assert _opens(opening, _epoch(sealing), sealing.encrypt(NONCE, b"x", b""))
        sealing.next(0.0)
        assert _epoch(sealing) <= 3


def test_an_epoch_lasts_an_hour() -> None:
    sealing = Sealing(CHACHA20, KEY, 5.0)
    assert sealing.until == 5.0 + EPOCH_TIME
    sealing.next(100.0)
    assert (sealing.until, sealing.left) == (100.0 + EPOCH_TIME, 2**32)
