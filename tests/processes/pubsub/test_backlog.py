"""What a topic keeps, checked against a plain list."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from processes.pubsub.backlog import OVERHEAD, SHARED, Backlog


def raws(*texts: str) -> list[Raw]:
    return [Raw(msgspec.msgpack.encode(text)) for text in texts]


def read_all(backlog: Backlog, number: int) -> tuple[list[bytes], int]:
    """Everything after a number, and how much of it was lost."""
    found: list[bytes] = []
    lost = 0
    while (read := backlog.read(number)) is not None:
        values, number, missing = read
        lost += missing
        found += [bytes(value) for value in values]
    return found, lost


def test_numbers_go_on_from_one() -> None:
    backlog = Backlog(100, 10**6)
    assert backlog.read(0) is None
    assert (backlog.first, backlog.last, backlog.kept) == (1, 0, 0)
    backlog.append(raws("a", "b"))
    backlog.append(raws("c"))
    assert (backlog.first, backlog.last, backlog.kept) == (1, 3, 3)
    assert read_all(backlog, 1) == ([bytes(raw) for raw in raws("b", "c")], 0)
    assert backlog.read(3) is None
    while backlog.drop_oldest():
        pass
    assert (backlog.first, backlog.last, backlog.kept, backlog.size) == (4, 3, 0, 0)
    backlog.append(raws("d"))
    assert backlog.read(0) == ([*raws("d")], 4, 3)


def test_few_messages_do_not_keep_their_record_alive() -> None:
    record = msgspec.msgpack.encode(["small", "x" * 60_000])
    small, _ = msgspec.msgpack.decode(record, type=list[Raw])
    backlog = Backlog(100, 10**6)
    backlog.append([small])
    read = backlog.read(0)
    assert read is not None
    assert memoryview(read.values[0]).obj is not record


@given(
    batches=st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=2 * SHARED), max_size=30),
    messages=st.integers(1, 50),
    size=st.integers(100, 5000),
    start=st.integers(0, 100),
)
def test_it_keeps_the_newest_within_its_bounds(batches: list[list[int]], messages: int, size: int, start: int) -> None:
    backlog = Backlog(messages, size)
    published: list[bytes] = []
    grown = 0
    for number, lengths in enumerate(batches):
        values = [Raw(msgspec.msgpack.encode(bytes((number % 256,)) * length)) for length in lengths]
        published += [bytes(value) for value in values]
        grown += backlog.append(values)
    assert backlog.size == grown
    assert backlog.last == len(published)
    kept = published[backlog.first - 1 :]
    assert backlog.size == sum(map(len, kept)) + OVERHEAD * len(kept)
    start = min(start, backlog.last)
    found, lost = read_all(backlog, start)
    assert found == published[max(start, backlog.first - 1) :]
    assert lost == (0 if not found else max(0, backlog.first - 1 - start))
    if batches:
        # At least the last batch; a batch more than the bounds allow, at most.
        assert backlog.kept >= min(len(batches[-1]), len(published))
        assert backlog.kept < messages + 2 * SHARED
        assert backlog.size <= size or backlog.kept == len(batches[-1])
