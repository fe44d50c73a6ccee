from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from firefly import scalars

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LIMITS = {
    "u8": (0, 2**8 - 1), "u16": (0, 2**16 - 1), "u32": (0, 2**32 - 1), "u64": (0, 2**64 - 1),
    "i8": (-(2**7), 2**7 - 1), "i16": (-(2**15), 2**15 - 1), "i32": (-(2**31), 2**31 - 1), "i64": (-(2**63), 2**63 - 1),
}  # fmt: skip


def back(value: Any, kind: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_integers_keep_their_bounds(name: str, limits: tuple[int, int]) -> None:
    kind = getattr(scalars, name)
    for limit, over in zip(limits, (-1, 1), strict=True):
        assert back(limit, kind) == limit
        with pytest.raises((msgspec.ValidationError, OverflowError)):
            back(limit + over, kind)


def test_an_id_has_sixteen_bytes_and_a_time_has_a_zone() -> None:
    assert back(bytes(16), scalars.Id) == bytes(16)
    assert back(NOW, scalars.Timestamp) == NOW
    for value, kind in (
        (bytes(15), scalars.Id),
        (bytes(17), scalars.Id),
        (NOW.replace(tzinfo=None), scalars.Timestamp),
    ):
        with pytest.raises(msgspec.ValidationError):
            back(value, kind)
