"""Values come together from their fragments, their messages keep their place, and liars are found out."""

import random
from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from firefly import fragments
from firefly.errors import BadMessage
from firefly.fragments import Fragments, key_of
from firefly.messages import (
    ARGUMENTS,
    FRAGMENT_SIZE,
    MAX_VALUE,
    RESULTS,
    End,
    Error,
    Fragment,
    Item,
    Notify,
    Request,
    Result,
    transfer_mark,
)
from firefly.packet import BULK, INTERACTIVE

ID, OTHER = bytes(16), bytes([1]) * 16
NIL = Raw(b"\xc0")
BIG = bytes(FRAGMENT_SIZE) + b"end"


def mark(number: int) -> Raw:
    return Raw(transfer_mark(number))


def pieces(number: int, data: bytes = BIG) -> list[Fragment]:
    return [
        Fragment(number, len(data), data[start : start + FRAGMENT_SIZE]) for start in range(0, len(data), FRAGMENT_SIZE)
    ]


def deliver(held: Fragments, fragments: list[Fragment]) -> list[tuple[int, Any]]:
    return [ready for fragment in fragments for ready in held.receive(fragment)]


def test_a_message_that_is_whole_is_not_held() -> None:
    held = Fragments()
    for message in (Request(1, ID, 7, None, None, NIL), Result(2, NIL), Item(2, RESULTS, [NIL, NIL]), End(2, 0)):
        assert not held.hold(INTERACTIVE, message)
    assert not held.active


@pytest.mark.parametrize(
    ("message", "whole"),
    [
        (Request(1, ID, 7, None, None, mark(1)), Request(1, ID, 7, None, None, Raw(BIG))),
        (Result(2, mark(1)), Result(2, Raw(BIG))),
        (Item(2, RESULTS, [mark(1)]), Item(2, RESULTS, [Raw(BIG)])),
        (Notify(ID, 8, [mark(1)]), Notify(ID, 8, [Raw(BIG)])),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_a_value_is_put_into_its_message(message: Any, whole: Any, early: bool) -> None:
    held, message = Fragments(), copy(message)
    if early:
        assert deliver(held, pieces(1)) == []
        assert not held.hold(INTERACTIVE, message)
        assert message == whole
    else:
        assert held.hold(INTERACTIVE, message)
        assert held.active
        assert deliver(held, pieces(1)) == [(INTERACTIVE, whole)]
    assert not held.active
    assert held.size == 0


def test_what_follows_of_a_call_waits_in_its_place_and_what_belongs_to_others_passes() -> None:
    held = Fragments()
    assert held.hold(INTERACTIVE, Item(2, RESULTS, [mark(1)]))
    assert held.hold(INTERACTIVE, Item(2, RESULTS, [NIL]))
    assert held.hold(INTERACTIVE, Item(2, RESULTS, [mark(2)]))
    assert held.hold(INTERACTIVE, Error(2, 5, b""))
    assert not held.hold(INTERACTIVE, Item(4, RESULTS, [NIL]))
    assert not held.hold(INTERACTIVE, Notify(ID, 8, [NIL]))
    first = deliver(held, pieces(1))
    assert [message for _, message in first] == [Item(2, RESULTS, [Raw(BIG)]), Item(2, RESULTS, [NIL])]
    then = deliver(held, pieces(2))
    assert [message for _, message in then] == [Item(2, RESULTS, [Raw(BIG)]), Error(2, 5, b"")]


def test_a_later_transfer_may_be_whole_first() -> None:
    held = Fragments()
    for number in (1, 2):
        held.hold(INTERACTIVE, Item(2, RESULTS, [mark(number)]))
    first, second = pieces(1, BIG + b"1"), pieces(2, BIG + b"2")
    assert deliver(held, [first[0], *second]) == []
    ready = deliver(held, first[1:])
    assert [message.values for _, message in ready] == [[Raw(BIG + b"1")], [Raw(BIG + b"2")]]


@given(st.lists(st.integers(1, 3 * FRAGMENT_SIZE), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_interleaved_transfers_come_whole(sizes: list[int], shuffle: random.Random) -> None:
    held = Fragments()
    values = {number: shuffle.randbytes(size) for number, size in enumerate(sizes, 1)}
    for number in values:
        assert held.hold(BULK, Result(2 * number, mark(number)))
    under_way = {number: pieces(number, value) for number, value in values.items()}
    order = [under_way[number].pop(0) for number in sorted(under_way)]
    while rest := [number for number, left in under_way.items() if left]:
        order.append(under_way[shuffle.choice(rest)].pop(0))
    ready = deliver(held, order)
    assert {message.call // 2: bytes(message.value) for _, message in ready} == values
    assert held.size == 0
    assert not held.active


@pytest.mark.parametrize(
    "lying",
    [
        [Fragment(1, 10, b"")],
        [Fragment(1, 0, b"x")],
        [Fragment(1, -1, b"x")],
        [Fragment(1, 2, b"xyz")],
        [Fragment(1, 10, b"x"), Fragment(1, 11, b"x")],
        [Fragment(1, 10, b"x" * 9), Fragment(1, 10, b"xy")],
        [Fragment(1, 2 * FRAGMENT_SIZE, bytes(FRAGMENT_SIZE + 1))],
        [Fragment(1, MAX_VALUE + 1, b"x")],
        [*pieces(1), *pieces(1)],
        [Fragment(2, 10, b"x"), Fragment(1, 10, b"x")],
        [Fragment(0, 10, b"x")],
    ],
)
def test_a_lying_fragment_is_found(lying: list[Fragment]) -> None:
    held = Fragments()
    with pytest.raises(BadMessage):
        deliver(held, lying)


def test_a_stranger_may_have_a_lower_limit() -> None:
    with pytest.raises(BadMessage, match="stream"):
        Fragments(limit=1000).receive(Fragment(1, 1001, b"x"))


def test_unfinished_values_are_bounded_whether_their_message_came_or_not() -> None:
    held = Fragments(limit=100, unfinished=250)
    deliver(held, [Fragment(1, 100, bytes(100)), Fragment(2, 100, b"x")])
    with pytest.raises(BadMessage, match="unfinished"):
        held.receive(Fragment(3, 100, b"x"))
    assert held.size == 200


@pytest.mark.parametrize("data", [b"x", b"xy"])
def test_tiny_values_are_bounded_in_number(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_TRANSFERS", 8)
    held = Fragments()
    with pytest.raises(BadMessage, match="over 8"):
        deliver(held, [Fragment(number, 2, data) for number in range(1, 10)])


def test_messages_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_HELD", 8)
    held = Fragments()
    held.hold(INTERACTIVE, Item(2, RESULTS, [mark(1)]))
    for _ in range(7):
        held.hold(INTERACTIVE, Item(2, RESULTS, [NIL]))
    with pytest.raises(BadMessage, match="over 8"):
        held.hold(INTERACTIVE, Item(2, RESULTS, [NIL]))


@pytest.mark.parametrize("second", [Result(4, mark(1)), Notify(OTHER, 8, [mark(1)])])
def test_a_transfer_belongs_to_one_message(second: Any) -> None:
    held = Fragments()
    held.hold(INTERACTIVE, Result(2, mark(1)))
    with pytest.raises(BadMessage, match="another"):
        held.hold(INTERACTIVE, second)


def test_a_transfer_that_is_used_up_brings_no_second_value() -> None:
    held = Fragments()
    held.hold(INTERACTIVE, Result(2, mark(1)))
    deliver(held, pieces(1))
    with pytest.raises(BadMessage, match="used up"):
        held.hold(INTERACTIVE, Result(4, mark(1)))


def test_what_is_dropped_is_forgotten_whether_its_values_have_come_or_not() -> None:
    held = Fragments()
    messages = [Item(1, ARGUMENTS, [mark(number)]) for number in (1, 2, 3)]
    for message in messages:
        held.hold(BULK, message)
    first, second, third = pieces(1), pieces(2), pieces(3)
    deliver(held, [first[0], *second])
    assert held.drop(key_of(messages[0])) == messages
    assert held.drop(key_of(messages[0])) == []
    assert not held.active
    assert deliver(held, [first[1], *third]) == []
    assert held.size == 0


def test_values_that_were_given_up_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_TRANSFERS", 8)
    held = Fragments()
    for number in range(1, 10):
        held.hold(BULK, Request(number, ID, 7, None, None, mark(number)))
    for number in range(1, 9):
        held.drop(("call", number))
    with pytest.raises(BadMessage, match="given up"):
        held.drop(("call", 9))
