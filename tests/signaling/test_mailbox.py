"""Slots of a mailbox: for two, for a while, for little, once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from firefly.interfaces.signaling import Full, NoSuchSlot
from signaling.mailbox import LIFETIME, MAX_PER_OPENER, MAX_WAITING, SLOTS, Mailbox

OPENER, OTHER, THIRD = b"o" * 32, b"p" * 32, b"t" * 32


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


async def test_two_exchange_messages_through_a_slot(box: Mailbox, autojump_clock: MockClock) -> None:
    slot = box.open(OPENER, 60.0)
    assert slot == 1
    box.put(OPENER, slot, b"first")
    box.put(OTHER, slot, b"second")
    assert await box.take(OTHER, slot) == b"first"
    assert await box.take(OPENER, slot) == b"second"


async def test_who_waits_hears_of_a_message(box: Mailbox, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    slot, taken = box.open(OPENER, 60.0), []

    async def take() -> None:
        taken.append(await box.take(OPENER, slot))

    nursery.start_soon(take)
    await trio.sleep(1.0)
    box.put(OTHER, slot, b"here I am")
    await trio.testing.wait_all_tasks_blocked()
    assert taken == [b"here I am"]


async def test_a_third_finds_nothing(box: Mailbox, autojump_clock: MockClock) -> None:
    slot = box.open(OPENER, 60.0)
    box.put(OTHER, slot, b"for the opener")
    with pytest.raises(NoSuchSlot):
        box.put(THIRD, slot, b"me, too")
    with pytest.raises(NoSuchSlot):
        await box.take(THIRD, slot)
    box.close(THIRD, slot)  # nor can it end it
    assert await box.take(OPENER, slot) == b"for the opener"


async def test_nobody_reads_a_slot_without_having_written(
    box: Mailbox, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The other side is who wrote first: one who only waits does not take what is for it."""
    slot = box.open(OPENER, 60.0)
    box.put(OPENER, slot, b"for whoever answers")
    with trio.move_on_after(5.0) as waiting:
        await box.take(THIRD, slot)
    assert waiting.cancelled_caught
    box.put(OTHER, slot, b"it is me")
    assert await box.take(OTHER, slot) == b"for whoever answers"


async def test_a_slot_expires_also_for_who_waits(box: Mailbox, autojump_clock: MockClock) -> None:
    slot, begun = box.open(OPENER, 60.0), trio.current_time()
    with pytest.raises(NoSuchSlot):
        await box.take(OPENER, slot)
    assert trio.current_time() - begun == pytest.approx(60.0)
    with pytest.raises(NoSuchSlot):
        box.put(OTHER, slot, b"too late")


@pytest.mark.parametrize("lifetime", [0.0, -5.0, 1e9, float("inf"), float("nan")])
async def test_no_slot_lives_longer_than_ten_minutes(box: Mailbox, lifetime: float, autojump_clock: MockClock) -> None:
    slot, begun = box.open(OPENER, lifetime), trio.current_time()
    with pytest.raises(NoSuchSlot):
        await box.take(OPENER, slot)
    assert trio.current_time() - begun == pytest.approx(LIFETIME)


@pytest.mark.parametrize("closer", [OPENER, OTHER])
async def test_either_side_ends_a_slot(box: Mailbox, closer: bytes, autojump_clock: MockClock) -> None:
    slot = box.open(OPENER, 60.0)
    box.put(OTHER, slot, b"hello")
    box.close(closer, slot)
    with pytest.raises(NoSuchSlot):
        await box.take(OPENER, slot)
    box.close(closer, slot)
    assert box.open(THIRD, 60.0) == slot  # its number is free again


async def test_slots_and_messages_are_bounded(box: Mailbox, autojump_clock: MockClock) -> None:
    slots = [box.open(OPENER, 60.0) for _ in range(MAX_PER_OPENER)]
    with pytest.raises(Full):
        box.open(OPENER, 60.0)
    for _ in range(MAX_WAITING):
        box.put(OTHER, slots[0], b"x")
    with pytest.raises(Full):
        box.put(OTHER, slots[0], b"x")
    for number in range(SLOTS - MAX_PER_OPENER):
        box.open(number.to_bytes(32, "big"), 60.0)
    with pytest.raises(Full):
        box.open(THIRD, 60.0)
    await trio.sleep(61.0)
    assert box.open(THIRD, 60.0) == 1


async def test_a_mailbox_has_as_many_slots_as_it_is_told() -> None:
    box = Mailbox(2)
    assert [box.open(OPENER, 60.0), box.open(OTHER, 60.0)] == [1, 2]
    with pytest.raises(Full, match="all 2 slots"):
        box.open(THIRD, 60.0)
    box.close(OPENER, 1)
    assert box.open(THIRD, 60.0) == 1
