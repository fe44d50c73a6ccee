"""What waits leaves in order and in full, in records that keep to their budget."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from firefly import outbox as module
from firefly.credit import Allowance
from firefly.messages import (
    FRAGMENT_SIZE,
    INLINE_LIMIT,
    RESULTS,
    Cancel,
    Error,
    Fragment,
    Item,
    Notify,
    Result,
    decode_record,
    transfer_of,
)
from firefly.outbox import MAX_BYTES, MAX_MESSAGES, OVERHEAD, RUN_LIMIT, Outbox
from firefly.packet import BULK, INTERACTIVE

ID, OTHER = bytes(16), bytes([1]) * 16
BUDGET = 65_536


def taken(outbox: Outbox, lane: int = INTERACTIVE, budget: int = BUDGET) -> list[Any]:
    """All messages that wait on a lane."""
    records = iter(lambda: outbox.take(lane, budget), None)
    return list(itertools.chain.from_iterable(map(decode_record, records)))


def value(size: int) -> bytes:
    return msgspec.msgpack.encode(bytes(size))


def test_an_empty_outbox_has_nothing_to_take() -> None:
    outbox = Outbox()
    for lane in (0, INTERACTIVE, BULK):
        assert not outbox.waiting(lane)
        assert outbox.take(lane, BUDGET) is None


def test_messages_leave_by_lane_in_order() -> None:
    outbox = Outbox()
    for number in (1, 3):
        outbox.append(INTERACTIVE, Cancel(number), 0)
        outbox.append(BULK, Cancel(100 + number), 0)
    assert taken(outbox) == [Cancel(1), Cancel(3)]
    assert outbox.waiting(BULK)
    assert taken(outbox, BULK) == [Cancel(101), Cancel(103)]
    assert (outbox.count, outbox.size) == (0, 0)


def test_a_record_keeps_to_its_budget_unless_one_message_is_bigger() -> None:
    outbox = Outbox()
    for size in (400, 400, 5000, 10):
        outbox.append(INTERACTIVE, Error(1, 5, bytes(size)), size)
    records = [outbox.take(INTERACTIVE, 1200) for _ in range(3)]
    assert [len(decode_record(record or b"")) for record in records] == [2, 1, 1]
    assert outbox.take(INTERACTIVE, 1200) is None


def test_consecutive_notifications_of_a_method_become_one_message() -> None:
    outbox = Outbox()
    sent = [(ID, 7, b"\x01"), (ID, 7, b"\x02"), (ID, 8, b"\x03"), (OTHER, 8, b"\x04"), (ID, 7, b"\x05")]
    for resource, selector, argument in sent:
        outbox.append_to_run(INTERACTIVE, Notify, resource, selector, argument)
    assert taken(outbox) == [
        Notify(ID, 7, [Raw(b"\x01"), Raw(b"\x02")]),
        Notify(ID, 8, [Raw(b"\x03")]),
        Notify(OTHER, 8, [Raw(b"\x04")]),
        Notify(ID, 7, [Raw(b"\x05")]),
    ]


def test_whoever_holds_a_run_adds_to_it_until_something_stands_behind_it() -> None:
    outbox = Outbox()
    run = outbox.append_to_run(INTERACTIVE, Item, 2, RESULTS, b"\x01")
    assert run.room > 0
    run.values.append(b"\x02")
    run.room -= 1 + module.VALUE_OVERHEAD
    outbox.append(INTERACTIVE, Result(2, Raw(b"\xc0")), 1)
    assert run.room == 0
    assert taken(outbox) == [Item(2, RESULTS, [Raw(b"\x01"), Raw(b"\x02")]), Result(2, Raw(b"\xc0"))]


@pytest.mark.parametrize("how", ["take", "close", "other"])
def test_what_a_run_took_is_spent_once(how: str) -> None:
    outbox, allowance = Outbox(), Allowance(1000)
    run = outbox.append_to_run(INTERACTIVE, Notify, ID, 7, bytes(10), allowance)
    run.values.append(bytes(5))
    run.room -= 5 + module.VALUE_OVERHEAD
    assert allowance.left == 1000
    if how == "close":
        outbox.close()
    elif how == "other":
        outbox.append_to_run(INTERACTIVE, Notify, ID, 8, b"x")
    outbox.take(INTERACTIVE, BUDGET)
    assert allowance.left == 1000 - 15
    assert run.room == 0


def test_a_run_takes_no_more_than_it_may_and_spends_what_is_more_at_once() -> None:
    outbox, allowance = Outbox(), Allowance(10)
    run = outbox.append_to_run(INTERACTIVE, Notify, ID, 7, bytes(500), allowance)
    assert run.room == 0
    assert allowance.left == 10 - 500


def test_a_long_run_leaves_in_several_records() -> None:
    outbox = Outbox()
    for _ in range(1000):
        outbox.append_to_run(INTERACTIVE, Item, 2, RESULTS, value(500))
    records = list(iter(lambda: outbox.take(INTERACTIVE, BUDGET), None))
    assert all(len(record) <= BUDGET for record in records)
    items: list[Any] = [message for record in records for message in decode_record(record)]
    assert all(sum(map(len, item.values)) <= RUN_LIMIT for item in items)
    assert sum(len(item.values) for item in items) == 1000


def test_small_values_stay_and_big_ones_leave_as_fragments_on_the_bulk_lane() -> None:
    outbox = Outbox()
    assert outbox.stow(bytes(INLINE_LIMIT)) == bytes(INLINE_LIMIT)
    big = bytes(range(256)) * 300
    mark = outbox.stow(big)
    assert transfer_of(Raw(mark)) == 1
    assert outbox.waiting(BULK)
    assert not outbox.waiting(INTERACTIVE)
    fragments = taken(outbox, BULK)
    assert b"".join(fragment.data for fragment in fragments) == big
    assert {(fragment.transfer, fragment.total) for fragment in fragments} == {(1, len(big))}
    assert outbox.size == 0


def test_transfers_take_turns_with_each_other_and_with_messages() -> None:
    outbox = Outbox()
    for _ in range(2):
        outbox.stow(bytes(3 * FRAGMENT_SIZE))
    outbox.append(BULK, Cancel(1), 0)
    messages = taken(outbox, BULK)
    assert [message.transfer for message in messages if isinstance(message, Fragment)] == [1, 2, 1, 2, 1, 2]
    assert messages[1] == Cancel(1)


def test_values_start_only_while_the_peer_can_put_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STARTED", 7 * FRAGMENT_SIZE)
    outbox = Outbox()
    for size in (4, 4, 3, 9):
        outbox.stow(bytes(size * FRAGMENT_SIZE))
    order = [message.transfer for message in taken(outbox, BULK)]
    assert order == [1, 1, 1, 1, 2, 3, 2, 3, 2, 3, 2, *[4] * 9]


def test_it_is_full_by_number_and_tells_when_there_is_room() -> None:
    heard: list[int] = []
    outbox = Outbox(lambda: heard.append(outbox.count))
    for number in range(MAX_MESSAGES):
        assert not outbox.full
        outbox.append(INTERACTIVE, Cancel(2 * number + 1), 0)
    assert outbox.full
    while outbox.full:
        outbox.take(INTERACTIVE, 10_000)
    assert len(heard) == 1
    assert heard[0] < MAX_MESSAGES // 2


def test_it_is_full_by_bytes_and_tells_when_there_is_room() -> None:
    heard: list[int] = []
    outbox = Outbox(lambda: heard.append(outbox.size))
    outbox.stow(bytes(MAX_BYTES))
    assert outbox.full
    while outbox.full:
        outbox.take(BULK, BUDGET)
    assert len(heard) == 1
    assert heard[0] < MAX_BYTES // 2


operations = st.tuples(st.sampled_from(["message", "notify", "item", "big"]), st.integers(1, 3), st.integers(0, 30_000))


@given(st.lists(operations, max_size=40), st.integers(2_000, BUDGET))
def test_nothing_is_lost_or_out_of_order(queued: list[tuple[str, int, int]], budget: int) -> None:
    outbox, expected = Outbox(), list[tuple[Any, bytes]]()
    for kind, target, size in queued:
        content = value(size)
        if kind == "message":
            outbox.append(BULK, Result(target, Raw(content)), len(content))
            expected.append((target, content))
        elif kind == "big":
            content = value(INLINE_LIMIT + size)
            stowed = outbox.stow(content)
            outbox.append(BULK, Result(target, Raw(stowed)), len(stowed))
            expected.append((target, content))
        else:
            resource = bytes([target]) * 16
            call: Any = (Notify, resource, 7) if kind == "notify" else (Item, target, RESULTS)
            outbox.append_to_run(BULK, call[0], call[1], call[2], content)
            expected.append((resource if kind == "notify" else target, content))
    arrived, values = list[tuple[Any, Any]](), dict[int, bytes]()
    for record in iter(lambda: outbox.take(BULK, budget), None):
        messages = decode_record(record)
        assert len(record) <= budget + FRAGMENT_SIZE or len(messages) == 1
        for message in messages:
            match message:
                case Fragment():
                    values[message.transfer] = values.get(message.transfer, b"") + message.data
                case Result():
                    arrived.append((message.call, message.value))
                case Notify():
                    arrived += [(message.resource, content) for content in message.arguments]
                case Item():
                    arrived += [(message.call, content) for content in message.values]
    whole = [(target, values.get(transfer_of(content) or 0, bytes(content))) for target, content in arrived]
    assert whole == expected
    assert (outbox.count, outbox.size) == (0, 0)


def test_a_message_takes_no_more_than_it_counts() -> None:
    from firefly.attachment import AttachedRequest

    caller = [bytes(32), bytes(32), 2, bytes(16)]
    request = AttachedRequest(2**53, ID, 2**32 - 1, 2**53, None, Raw(b"\xc0"), None, caller, BULK)
    assert len(msgspec.msgpack.encode(request)) <= OVERHEAD
