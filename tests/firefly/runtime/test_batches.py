"""Batches that pass undecoded: taken whole by a server, given whole by a stream's handler."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import trio
from msgspec import Raw

from firefly.credit import MAX_WINDOW
from firefly.errors import Internal
from firefly.messages import Notify
from firefly.outbox import RUN_LIMIT
from firefly.runtime import Encoded, takes_batches
from firefly.runtime.batches import taker_of
from tests.firefly.runtime.probe import NOTE, RESOURCE, Number, ProbeServer, wired


def raws(*values: object) -> list[Raw]:
    return [Raw(msgspec.msgpack.encode(value)) for value in values]


class Batching(ProbeServer):
    """Keeps the batches that it takes; streams what it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.items: list[object] = []
        self.most = 0

    def note(self, number: int) -> None:
        raise AssertionError("batches are taken whole")

    @takes_batches("note")
    def note_all(self, values: list[Raw]) -> None:
        numbers = [msgspec.msgpack.decode(value, type=Number).number for value in values]
        if 13 in numbers:
            raise ValueError("an unlucky batch")
        self.batches.append(numbers)

    async def once(self, number: int) -> int:
        await trio.lowlevel.checkpoint()
        return len(self.batches)

    async def count(self, number: int) -> AsyncIterator[int]:
        for item in self.items:
            yield item  # type: ignore[misc]


async def test_notifications_are_taken_by_the_batch_in_their_order() -> None:
    server = Batching()
    async with wired(server) as (wire, probe):
        await probe.note(20)
        wire.caller.append(NOTE.lane, Notify(RESOURCE, NOTE.selector, raws([21], [22], [23])), 6)
        await probe.note(24)
        assert await probe.once(0) == 3
    assert server.batches == [[20], [21, 22, 23], [24]]


async def test_a_batch_whose_taker_fails_is_dropped_alone() -> None:
    server = Batching()
    async with wired(server) as (wire, probe):
        for number in (13, 14):
            await probe.note(number)
            await probe.once(0)
        assert server.batches == [[14]]
        assert wire.far.host.errors == 1
        allowance = wire.caller.notices.allowance(RESOURCE).left
        failing = raws(*[[13]] * 50_000)
        for _ in range(10):  # far more than there is room for, if none came back
            wire.caller.notices.spend(RESOURCE, 2 * len(failing))
            wire.caller.append(NOTE.lane, Notify(RESOURCE, NOTE.selector, failing), 2 * len(failing))
        assert wire.caller.notices.allowance(RESOURCE).left >= allowance // 2


@pytest.mark.parametrize("size", [1, 100, 5000])
async def test_encoded_items_come_as_if_given_one_by_one(size: int) -> None:
    server = Batching()
    numbers = list(range(size * 3))
    server.items = [Encoded(raws(*numbers[:size])), *numbers[size : 2 * size], Encoded(raws(*numbers[2 * size :]))]
    async with wired(server) as (_, probe):
        assert [number async for number in probe.count(0)] == numbers


async def test_encoded_items_wait_for_credit() -> None:
    server = Batching()
    batch = raws(*range(1000, 3000))
    server.items = [Encoded(batch)] * 400
    async with wired(server) as (wire, probe):
        total, under_way = 0, 0
        async with probe.count(0) as stream:
            async for items in stream.batches():
                total += len(items)
                (call,) = wire.owner.serving.values() or (None,)
                under_way = max(under_way, -call.credit if call is not None else 0)
        assert total == 400 * len(batch)
        assert under_way <= RUN_LIMIT  # one message beyond its credit at most
        assert under_way < MAX_WINDOW


async def test_big_encoded_items_go_one_by_one() -> None:
    server = Batching()

    async def read(number: int) -> AsyncIterator[Encoded]:
        yield Encoded(raws(bytes(50_000), bytes(200_000), b"end"))

    server.read = read  # type: ignore[assignment, method-assign]
    async with wired(server) as (_, probe):
        assert [len(data) async for data in probe.read(0)] == [50_000, 200_000, 3]


async def test_a_wrong_item_beside_encoded_ones_is_the_handlers_fault() -> None:
    server = Batching()
    server.items = [Encoded(raws(*range(2))), "text"]
    async with wired(server) as (_, probe):
        stream = probe.count(0)
        assert await stream.next_batch() == [0, 1]
        with pytest.raises(Internal):
            await stream.next_batch()


def test_who_takes_what() -> None:
    assert taker_of(Batching(), "note") is not None
    assert taker_of(ProbeServer(), "note") is None
    assert taker_of(Batching(), "fill") is None
