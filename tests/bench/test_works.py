import pytest

from bench import works
from bench.client import Client


class Counting(Client):
    """Receives all but what it is told to lose."""

    def __init__(self, lost: int = 0) -> None:
        self.count = 0
        self.lost = lost

    async def call(self, data: bytes) -> bytes:
        return data

    async def push(self, data: bytes, count: int) -> None:
        self.count += count

    async def received(self) -> int:
        return self.count - self.lost

    async def reset(self) -> None:
        self.count = 0


@pytest.mark.parametrize("name", works.MESSAGING)
async def test_a_work_gives_a_positive_figure(name: str) -> None:
    assert await works.BY_NAME[name].measure(Counting(), 0.01) > 0


@pytest.mark.parametrize("lost", [1, -1])
async def test_a_lost_or_doubled_message_is_no_figure(lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "PATIENCE", 0.0)
    with pytest.raises(works.Lost):
        await works.push_for(Counting(lost), b"", 10, 0.0)
