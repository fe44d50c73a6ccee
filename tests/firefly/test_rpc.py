"""Conversations keep to the rules of docs/concepts/wire.md, 5 Messages, and end one that does not."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from firefly import exports, rpc
from firefly.calls import IncomingCall, OutgoingCall
from firefly.credit import MAX_WINDOWS, START
from firefly.errors import BadMessage, Busy, CallCancelled, Denied, GlowError, Interrupted, TooLarge, decode_error
from firefly.messages import (
    ARGUMENTS,
    MAX_ERROR,
    MAX_VALUE,
    RESULTS,
    Cancel,
    Capabilities,
    Credit,
    End,
    Error,
    Fragment,
    Grant,
    Item,
    Notify,
    Release,
    Request,
    Result,
    Signed,
    decode_record,
    encode,
    transfer_mark,
)
from firefly.outbox import BATCH
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import MAX_CALLS, MAX_UNTAKEN, Conversation
from tests.firefly.mutation import garbage

ID, OTHER, NODE = bytes(16), bytes([1]) * 16, bytes([2]) * 16
NIL = Raw(b"\xc0")
BIG = msgspec.msgpack.encode(bytes(200_000))


class Recorder(OutgoingCall):
    """A call that remembers what became of it."""

    def __init__(self, conversation: Conversation, lane: int = INTERACTIVE) -> None:
        super().__init__(conversation, conversation.next_number(), lane)
        self.heard: list[Any] = []

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        self.heard.append(("answered", bytes(value)))

    def failed(self, code: int, body: bytes) -> None:
        self.heard.append(("failed", type(decode_error(code, body, {}))))

    def lost(self, error: GlowError) -> None:
        self.heard.append(("lost", error))

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self.heard.append(("items", [bytes(value) for value in values]))

    def credited(self) -> None:
        self.heard.append("credited")


class Served(IncomingCall):
    """A served call that waits for the test to answer it."""

    def __init__(self, conversation: Conversation, number: int, lane: int) -> None:
        super().__init__(conversation, number, lane)
        self.heard: list[Any] = []

    def cancelled(self) -> None:
        self.heard.append("cancelled")

    def ended(self, error: tuple[int, bytes] | None) -> None:
        self.heard.append(("ended", error))

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self.heard.append(("items", [bytes(value) for value in values]))


class Owner:
    """A dispatcher that remembers all it is asked; it serves calls later unless `answer` says how."""

    def __init__(self, answer: Callable[[Request], None] = lambda request: None) -> None:
        self.answer = answer
        self.calls: dict[int, Served] = {}
        self.requests: list[Request] = []
        self.notifications: list[Notify] = []
        self.statements: list[bytes] = []

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        self.requests.append(request)
        self.answer(request)
        call = self.calls[request.call] = Served(conversation, request.call, lane)
        return call

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        conversation.admit(notification.resource, sum(map(len, notification.arguments)))
        self.notifications.append(notification)

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None:
        self.statements += envelopes


class Pair:
    """Two conversations; what they say is carried when the test wants it."""

    def __init__(self, answer: Callable[[Request], None] = lambda request: None) -> None:
        self.now = 0.0
        self.woken: list[int] = []
        self.owner_side = Owner(answer)
        self.near = self._conversation(Owner(), odd=True)
        self.far = self._conversation(self.owner_side, odd=False)

    def _conversation(self, dispatcher: Owner, odd: bool) -> Conversation:
        return Conversation(
            dispatcher, odd=odd, wake=self.woken.append, now=lambda: self.now, round_trip=lambda: 1.0, peer="peer"
        )

    def carry(self) -> None:
        """Brings everything that waits to the other side, and what that causes back."""
        while any([self._carry(self.near, self.far), self._carry(self.far, self.near)]):
            pass

    @staticmethod
    def _carry(source: Conversation, target: Conversation) -> bool:
        records = [(lane, source.outbox.take(lane, 65_536)) for lane in (INTERACTIVE, BULK)]
        for lane, record in records:
            if record is not None:
                target.receive(lane, record)
        return any(record is not None for _, record in records)

    def call(self, arguments: bytes = b"\x90", lane: int = INTERACTIVE, **more: Any) -> tuple[Recorder, Served]:
        """An open call as both sides see it."""
        call = Recorder(self.near, lane)
        self.near.call(call, ID, 7, arguments, **more)
        self.carry()
        return call, self.owner_side.calls[call.number]


def says(conversation: Conversation, *messages: Any, lane: int = INTERACTIVE) -> None:
    """The peer says something that no honest one would."""
    conversation.receive(lane, encode(list(messages)))


def sent(conversation: Conversation, lane: int = INTERACTIVE) -> list[Any]:
    record = conversation.outbox.take(lane, 65_536)
    return [] if record is None else decode_record(record)


# --- calls


def test_a_call_is_answered() -> None:
    pair = Pair()
    call, served = pair.call(b"\x91\x05", deadline=1_000_000)
    assert pair.owner_side.requests == [Request(1, ID, 7, 1_000_000, None, Raw(b"\x91\x05"))]
    served.answer(b"\x06")
    pair.carry()
    assert call.heard == [("answered", b"\x06")]
    assert not pair.near.calls
    assert not pair.far.serving


def test_call_numbers_are_odd_on_one_side_and_even_on_the_other_and_never_used_again() -> None:
    pair = Pair()
    assert [pair.near.next_number() for _ in range(3)] == [1, 3, 5]
    assert [pair.far.next_number() for _ in range(3)] == [2, 4, 6]


@pytest.mark.parametrize("numbers", [[2], [0], [-1], [1, 1], [5, 3]])
def test_a_call_number_that_is_not_the_peers_or_used_again_ends_the_conversation(numbers: list[int]) -> None:
    pair = Pair()
    with pytest.raises(BadMessage, match="number"):
        says(pair.far, *(Request(number, ID, 7, None, None, NIL) for number in numbers))


def test_an_answered_call_number_is_not_used_again() -> None:
    pair = Pair()
    _, served = pair.call()
    served.answer(b"\xc0")
    with pytest.raises(BadMessage, match="number"):
        says(pair.far, Request(1, ID, 7, None, None, NIL))


def test_lanes_number_their_calls_on_their_own() -> None:
    pair = Pair()
    says(pair.far, Request(3, ID, 7, None, None, NIL), lane=BULK)
    says(pair.far, Request(1, ID, 7, None, None, NIL), lane=INTERACTIVE)
    assert set(pair.far.serving) == {1, 3}


def test_over_1024_open_calls_the_peer_is_told_to_wait() -> None:
    pair = Pair()
    says(pair.far, *(Request(2 * index + 1, ID, 7, None, None, NIL) for index in range(MAX_CALLS)))
    assert sent(pair.far) == []
    says(pair.far, Request(2 * MAX_CALLS + 1, ID, 7, None, None, NIL, [(OTHER, NODE)]))
    release, busy = sent(pair.far)
    error: Any = decode_error(busy.code, busy.body, {})
    assert (type(error).__name__, error.retry_after) == ("Busy", 1.0)
    assert release == Release(OTHER, 1)
    assert pair.far.counters["busy"] == 1
    pair.owner_side.calls[1].answer(b"\xc0")
    says(pair.far, Request(2 * MAX_CALLS + 3, ID, 7, None, None, NIL))
    assert len(pair.far.serving) == MAX_CALLS


def test_who_calls_on_without_taking_the_answers_loses_its_session() -> None:
    def refuse(request: Request) -> None:
        raise Denied("no")  # a last word for each, at once

    pair = Pair(refuse)
    for index in range(MAX_UNTAKEN):
        says(pair.far, Request(2 * index + 1, ID, 7, None, None, NIL))
    with pytest.raises(BadMessage, match="without taking the answers"):
        says(pair.far, Request(2 * MAX_UNTAKEN + 1, ID, 7, None, None, NIL))
    assert pair.far.outbox.count == MAX_UNTAKEN + 1
    pair = Pair(refuse)
    for index in range(2 * MAX_UNTAKEN):  # one that takes them may go on for ever
        says(pair.far, Request(2 * index + 1, ID, 7, None, None, NIL))
        while index % MAX_CALLS == 0 and sent(pair.far):
            pass


@pytest.mark.parametrize(
    "word",
    [
        Notify(OTHER, 7, [NIL]),  # to nobody: its room goes back at once
        Result(1, NIL, [(OTHER, NODE)] * 8),  # to no call: what it passes is released
        Item(1, RESULTS, [NIL], [(OTHER, NODE)] * 8),
    ],
)
def test_so_does_who_says_anything_else_that_is_answered(word: Any) -> None:
    pair = Pair()
    pair.owner_side.notified = (  # type: ignore[method-assign]
        lambda conversation, lane, notification: conversation.refused(notification)
    )
    said = 0
    with suppress(BadMessage):
        while said <= MAX_UNTAKEN:
            says(pair.far, word)
            said += 1
    assert MAX_UNTAKEN < pair.far.outbox.owed <= MAX_UNTAKEN + 8


def test_what_this_side_says_unasked_is_no_answer() -> None:
    """A path may be gone for long while a stream goes on in small pieces."""
    pair = Pair()
    call, served = pair.call()
    for _ in range(MAX_UNTAKEN + 1):
        served.send_item(b"\x07")
        pair.far.append(INTERACTIVE, Item(call.number, RESULTS, [NIL]), 1)
    says(pair.far, Request(3, ID, 7, None, None, NIL))
    assert 3 in pair.far.serving


def test_the_arguments_of_open_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rpc.MAX_KEPT == 2 * MAX_VALUE
    monkeypatch.setattr(rpc, "MAX_KEPT", 300_000)
    pair = Pair()
    for open_calls in (1, 2, 2):  # with less than that there, one more may come
        pair.near.call(Recorder(pair.near), ID, 7, BIG)
        pair.carry()
        assert len(pair.far.serving) == open_calls
    assert pair.far.counters["busy"] == 1
    for call in list(pair.owner_side.calls.values()):
        call.answer(b"\xc0")
    pair.near.call(Recorder(pair.near), ID, 7, BIG)
    pair.carry()
    assert len(pair.far.serving) == 1


def test_answers_that_wait_for_their_caller_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_KEPT", 300_000)
    pair = Pair()
    calls = [pair.call() for _ in range(4)]
    for _, served in calls:
        served.answer(BIG)
    assert pair.far.outbox.size < 2 * len(BIG) + 1000
    says(pair.far, Request(9, ID, 7, None, None, NIL))
    assert not pair.far.serving
    pair.carry()
    assert [call.heard for call, _ in calls[2:]] == [[("failed", Busy)]] * 2
    assert [call.heard[0][0] for call, _ in calls[:2]] == ["answered"] * 2


def test_a_caller_waits_before_that_and_is_called_when_there_is_room() -> None:
    pair, heard = Pair(), list[str]()
    calls = [pair.call() for _ in range(MAX_CALLS)]
    assert pair.near.full
    pair.near.when_room(lambda: heard.append("room"))
    calls[0][1].answer(b"\xc0")
    pair.carry()
    assert heard == ["room"]
    assert not pair.near.full


def test_a_lane_is_woken_only_when_it_was_idle() -> None:
    pair = Pair()
    for _ in range(3):
        pair.near.call(Recorder(pair.near), ID, 7, b"\x90")
    pair.near.call(Recorder(pair.near, BULK), ID, 7, b"\x90")
    assert pair.woken == [INTERACTIVE, BULK]


def test_an_error_of_the_dispatcher_answers_its_call_and_releases_what_it_passed() -> None:
    def refuse(request: Request) -> None:
        raise Denied("no")

    pair = Pair(refuse)
    call = Recorder(pair.near)
    server = object()
    passed = pair.near.export(server, lambda: OTHER)
    pair.near.call(call, ID, 7, b"\x90", None, [(passed, NODE)])
    pair.carry()
    assert call.heard == [("failed", Denied)]
    assert not pair.near.exports


def test_an_answer_to_a_call_that_is_unknown_is_dropped_and_what_it_passed_released() -> None:
    pair = Pair()
    says(pair.near, Result(9, NIL, [(OTHER, NODE)]), Error(9, 4, b""), Item(9, RESULTS, [NIL], [(ID, NODE)]))
    assert sent(pair.near) == [Release(OTHER, 1), Release(ID, 1)]
    assert pair.near.counters["dropped"] == 3


def test_an_answer_over_the_limit_becomes_too_large() -> None:
    pair = Pair()
    call, served = pair.call()
    served.answer(bytes(MAX_VALUE + 1))
    pair.carry()
    assert call.heard == [("failed", TooLarge)]


def test_an_error_over_the_limit_becomes_too_large() -> None:
    pair = Pair()
    call, served = pair.call()
    served.fail(0x1000, bytes(MAX_ERROR + 1))
    pair.carry()
    assert call.heard == [("failed", TooLarge)]


def test_arguments_over_the_limit_raise_at_the_caller() -> None:
    pair = Pair()
    with pytest.raises(TooLarge, match=str(MAX_VALUE)):
        pair.near.call(Recorder(pair.near), ID, 7, bytes(MAX_VALUE + 1))
    assert not pair.near.calls


def test_statements_reach_the_dispatcher_and_grants_are_not_used_yet() -> None:
    pair = Pair()
    says(pair.far, Signed([b"one", b"two"]), Grant(1, [b"chain"]))
    assert pair.owner_side.statements == [b"one", b"two"]


@pytest.mark.parametrize("message", [Request(1, b"short", 7, None, None, NIL), Notify(bytes(17), 7, [NIL])])
def test_a_resource_has_16_bytes(message: Any) -> None:
    with pytest.raises(BadMessage, match="16 bytes"):
        says(Pair().far, message)


# --- cancellation


def test_a_cancelled_call_tells_the_owner_and_drops_the_last_word() -> None:
    pair = Pair()
    call, served = pair.call()
    call.cancel()
    call.cancel()
    pair.carry()
    assert served.heard == ["cancelled"]
    assert list(pair.near.calls) == [call.number]
    pair.far.exports[OTHER] = exports.Export(object())
    served.answer(b"\xc0", [(OTHER, NODE)])
    pair.carry()
    assert call.heard == []
    assert not pair.near.calls
    assert not pair.far.exports


def test_items_after_a_cancellation_are_dropped_and_released() -> None:
    pair = Pair()
    call, served = pair.call()
    call.open_window()
    call.cancel()
    served.send_item(b"\x01", [(OTHER, NODE)])
    pair.carry()
    assert call.heard == []
    assert pair.near.budget.left == MAX_WINDOWS


def test_a_call_that_is_cancelled_before_its_arguments_came_still_gets_a_last_word() -> None:
    pair = Pair()
    call = Recorder(pair.near)
    pair.near.call(call, ID, 7, BIG)
    call.cancel()
    pair.carry()
    assert pair.owner_side.requests == []
    assert not pair.near.calls


def test_what_a_call_passed_that_was_cancelled_early_is_released() -> None:
    pair = Pair()
    call, passed = Recorder(pair.near), pair.near.export(object(), lambda: OTHER)
    pair.near.call(call, ID, 7, BIG, None, [(passed, NODE)])
    call.cancel()
    pair.carry()
    assert not pair.near.exports


def test_a_peer_cancels_only_its_own_calls() -> None:
    pair = Pair()
    pair.call()
    with pytest.raises(BadMessage, match="cancel"):
        says(pair.near, Cancel(1))
    says(pair.near, Cancel(2))


# --- big values


def test_big_values_travel_both_ways() -> None:
    pair = Pair()
    call, served = pair.call(BIG)
    assert bytes(pair.owner_side.requests[0].arguments) == BIG
    served.answer(BIG)
    pair.carry()
    assert call.heard == [("answered", BIG)]


def test_an_error_waits_for_the_big_item_before_it() -> None:
    pair = Pair()
    call, served = pair.call()
    call.open_window()
    served.send_item(BIG)
    served.fail(4, Denied("no").body())
    pair.carry()
    assert call.heard == [("items", [BIG]), ("failed", Denied)]


def test_the_end_of_arguments_waits_for_the_big_item_before_it() -> None:
    pair = Pair()
    call, served = pair.call()
    served.open_window()
    pair.carry()
    call.send_item(BIG)
    call.end((9, b"why"))
    pair.carry()
    assert served.heard == [("items", [BIG]), ("ended", (9, b"why"))]


def test_other_calls_pass_a_big_one() -> None:
    pair = Pair()
    big, small = Recorder(pair.near), Recorder(pair.near)
    pair.near.call(big, ID, 7, BIG)
    pair.near.call(small, ID, 7, b"\x90")
    pair._carry(pair.near, pair.far)
    assert list(pair.owner_side.calls) == [small.number]
    pair.carry()
    assert list(pair.owner_side.calls) == [small.number, big.number]


# --- streams


def test_results_stream_under_credit_that_is_renewed() -> None:
    pair = Pair()
    call, served = pair.call()
    call.open_window()
    item = msgspec.msgpack.encode(bytes(1000))
    sent_items = 0
    while served.credit > 0:
        served.send_item(item)
        sent_items += 1
    pair.carry()
    arrived = [value for heard in call.heard for value in heard[1]]
    assert len(arrived) == sent_items == -(-START // len(item))
    call.consumed(START // 2)
    pair.carry()
    assert served.credit > 0
    served.answer(b"\xc0")
    pair.carry()
    assert call.heard[-1] == ("answered", b"\xc0")


def test_arguments_stream_when_the_handler_wants_them() -> None:
    pair = Pair()
    call, served = pair.call()
    assert call.credit == 0
    served.open_window()
    pair.carry()
    assert call.heard == ["credited"]
    assert call.credit == START
    for item in (b"\x01", b"\x02"):
        call.send_item(item)
    call.end()
    pair.carry()
    assert served.heard == [("items", [b"\x01", b"\x02"]), ("ended", None)]


def test_items_before_the_handler_wants_them_are_dropped() -> None:
    pair = Pair()
    call, served = pair.call()
    says(pair.far, Item(call.number, ARGUMENTS, [NIL]))
    assert served.heard == []


@pytest.mark.parametrize("direction", [ARGUMENTS, RESULTS])
def test_a_stream_without_credit_ends_the_conversation(direction: int) -> None:
    pair = Pair()
    call, served = pair.call()
    receiver: Any = served if direction == ARGUMENTS else call
    receiver.open_window()
    item = Item(call.number, direction, [Raw(msgspec.msgpack.encode(bytes(60_000)))])
    for _ in range(START // 60_000 + 1):
        says(receiver.conversation, item)
    with pytest.raises(BadMessage, match="without credit"):
        says(receiver.conversation, item)


@pytest.mark.parametrize("size", [-1, 2**40 + 1])
def test_absurd_credit_ends_the_conversation(size: int) -> None:
    with pytest.raises(BadMessage, match="absurd"):
        says(Pair().far, Credit(ID, ARGUMENTS, size))


def test_credit_for_what_is_not_known_is_ignored() -> None:
    pair = Pair()
    says(pair.far, Credit(OTHER, ARGUMENTS, 5), Credit(77, ARGUMENTS, 5), Credit(77, RESULTS, 5))
    assert not pair.far.notices._allowances


@pytest.mark.parametrize("last_word", ["answer", "fail", "cancel"])
def test_a_stream_that_has_ended_gives_back_what_its_window_grew_by(last_word: str) -> None:
    pair = Pair()
    call, served = pair.call()
    served.open_window()
    call.open_window()
    for receiver in (served, call):
        assert receiver.window is not None
        receiver.window.received(START)
        receiver.consumed(START)
        assert receiver.conversation.budget.left < MAX_WINDOWS
    match last_word:
        case "answer":
            served.answer(b"\xc0")
        case "fail":
            served.fail(4, b"")
        case "cancel":
            call.cancel()
            pair.carry()
            served.fail(8, b"")
    pair.carry()
    call.consumed(10 * START)
    served.consumed(10 * START)
    assert pair.near.budget.left == pair.far.budget.left == MAX_WINDOWS
    assert (sent(pair.near), sent(pair.far)) == ([], [])


def test_big_items_that_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stream may have one value over its credit; all of them together no more than is said."""
    monkeypatch.setattr(rpc, "MAX_KEPT", 500_000)
    pair, big = Pair(), msgspec.msgpack.encode(bytes(START + 200_000))
    calls = [pair.call() for _ in range(4)]
    for call, served in calls:
        call.open_window()
        served.send_item(big)
        pair.carry()
    heard = [call.heard for call, _ in calls]
    assert heard == [[("items", [big])], [("items", [big])], [("failed", Busy)], [("failed", Busy)]]
    assert [served.heard for _, served in calls] == [[], [], ["cancelled"], ["cancelled"]]
    assert pair.near.counters["busy"] == 2
    calls[0][0].consumed(len(big))
    again, served = pair.call()
    again.open_window()
    served.send_item(big)
    pair.carry()
    assert again.heard == [("items", [big])]


def test_big_arguments_of_streams_that_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_KEPT", 500_000)
    pair, big = Pair(), msgspec.msgpack.encode(bytes(START + 200_000))
    calls = [pair.call() for _ in range(3)]
    for call, served in calls:
        served.open_window()
        pair.carry()
        call.send_item(big)
        pair.carry()
    assert [served.heard for _, served in calls] == [[("items", [big])], [("items", [big])], ["cancelled"]]
    assert calls[2][0].heard == ["credited", ("failed", Busy)]


# --- notifications


def test_big_notifications_that_nobody_takes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_KEPT", 700_000)
    pair, big = Pair(), msgspec.msgpack.encode(bytes(START + 200_000))
    resources = [bytes([number]) * 16 for number in range(4)]
    for resource in resources:
        pair.near.notify(INTERACTIVE, resource, 7, big)
        pair.carry()
    assert [notification.resource for notification in pair.owner_side.notifications] == resources[:2]
    assert pair.far.counters["dropped"] == 2
    assert [pair.near.notify_credit(resource) for resource in resources] == [False, False, True, True]


def test_notifications_arrive_in_order() -> None:
    pair = Pair()
    for number in range(100):
        pair.near.notify(INTERACTIVE, ID, 7, msgspec.msgpack.encode(number))
    pair.carry()
    values = [value for message in pair.owner_side.notifications for value in message.arguments]
    assert [msgspec.msgpack.decode(value) for value in values] == list(range(100))


def test_notifications_stop_without_credit_and_go_on_when_it_comes() -> None:
    pair, heard = Pair(), list[str]()
    argument, count = msgspec.msgpack.encode(bytes(1000)), 0
    while pair.near.notify_credit(ID):
        pair.near.notify(INTERACTIVE, ID, 7, argument)
        pair.carry()
        count += 1
    pair.near.when_credit(ID, lambda: heard.append("credit"))
    pair.far.consumed(ID, START // 2 - 1)
    pair.carry()
    assert heard == []
    pair.far.consumed(ID, 1)
    pair.carry()
    assert heard == ["credit"]
    assert pair.near.notify_credit(ID)
    assert count >= START // len(argument)
    assert pair.near.notify_credit(OTHER)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 200, 59_000, 70_000, 300_000])), max_size=60))
def test_whoever_looks_at_its_credit_never_overdraws(sizes: list[tuple[int, int]]) -> None:
    pair = Pair()
    for consumed, size in sizes:
        if pair.near.notify_credit(ID):
            capabilities = [(OTHER, NODE)] if consumed == 3 else None
            pair.near.notify(INTERACTIVE, ID, 7, msgspec.msgpack.encode(bytes(size)), capabilities)
        if consumed == 1:
            pair.carry()
            for notification in pair.owner_side.notifications:
                pair.far.consumed(ID, sum(map(len, notification.arguments)))
            pair.owner_side.notifications.clear()
    pair.carry()


def test_notifications_without_credit_end_the_conversation() -> None:
    pair = Pair()
    notification = Notify(ID, 7, [Raw(msgspec.msgpack.encode(bytes(60_000)))])
    for _ in range(START // 60_000 + 1):
        says(pair.far, notification)
    with pytest.raises(BadMessage, match="without credit"):
        says(pair.far, notification)


def test_refused_notifications_give_their_room_back_and_release_what_they_passed() -> None:
    pair = Pair()
    pair.far.refused(Notify(ID, 7, [Raw(b"\x01\x02")], [(OTHER, NODE)]))
    assert sent(pair.far) == [Release(OTHER, 1), Credit(ID, ARGUMENTS, 2)]


# --- objects


class Thing:
    """An object that can be passed."""

    def __init__(self) -> None:
        self.gone = 0

    def released(self) -> None:
        self.gone += 1


def ids() -> Callable[[], bytes]:
    numbers = iter(range(1, 10_000))
    return lambda: next(numbers).to_bytes(16, "big")


def test_an_object_has_one_id_and_goes_with_its_last_copy() -> None:
    pair, thing, new_id = Pair(), Thing(), ids()
    first = pair.far.export(thing, new_id)
    assert pair.far.export(thing, new_id) == first
    says(pair.far, Release(first, 1))
    assert thing.gone == 0
    says(pair.far, Release(first, 1), Release(first, 1))
    assert thing.gone == 1
    assert not pair.far.exports
    assert pair.far.export(thing, new_id) != first


def test_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_EXPORTS", 3)
    pair, new_id = Pair(), ids()
    things = [Thing() for _ in range(3)]
    for thing in things:
        pair.far.export(thing, new_id)
    with pytest.raises(GlowError, match="over 3 objects"):
        pair.far.export(Thing(), new_id)
    pair.far.export(things[0], new_id)


def test_what_the_notifications_to_an_object_held_goes_with_it() -> None:
    pair = Pair()
    resource = pair.far.export(Thing(), ids())
    pair.far.admit(resource, START)
    pair.far.consumed(resource, START)
    assert pair.far.budget.left < MAX_WINDOWS
    says(pair.far, Release(resource, 1))
    assert pair.far.budget.left == MAX_WINDOWS


# --- the end


def test_when_it_closes_calls_are_lost_handlers_cancelled_and_objects_released() -> None:
    pair, thing, heard = Pair(), Thing(), list[str]()
    call, served = pair.call()
    pair.far.export(thing, ids())
    pair.near.when_room(lambda: heard.append("room"))
    pair.near.when_credit(ID, lambda: heard.append("credit"))
    reason = Interrupted("gone")
    pair.near.close(reason)
    pair.far.close()
    assert call.heard == [("lost", reason)]
    assert served.heard == ["cancelled"]
    assert thing.gone == 1
    assert heard == ["room", "credit"]


def test_after_the_end_nothing_is_sent_or_taken() -> None:
    pair = Pair()
    call, served = pair.call()
    for side in (pair.near, pair.far):
        side.close(Interrupted("gone"))
        side.close(Denied("too late to say why"))
    served.answer(b"\xc0")
    call.cancel()
    call.end()
    says(pair.far, Request(3, ID, 7, None, None, NIL))
    assert (sent(pair.near), sent(pair.far)) == ([], [])
    assert len(pair.owner_side.requests) == 1
    with pytest.raises(Interrupted, match="gone"):
        pair.near.call(Recorder(pair.near), ID, 7, b"\x90")
    with pytest.raises(Interrupted, match="gone"):
        pair.near.notify(INTERACTIVE, ID, 7, b"\x90")


def test_a_run_that_was_open_at_the_end_takes_no_more() -> None:
    pair = Pair()
    run = pair.near.notify(INTERACTIVE, ID, 7, b"\x90")
    assert run is not None
    assert run.room > 0
    pair.near.close()
    assert run.room == 0


# --- what a peer may throw at it

EVERYTHING = [
    Request(3, ID, 7, 5, None, NIL, [(OTHER, NODE)]),
    Request(5, ID, 7, None, None, Raw(transfer_mark(1))),
    Item(1, RESULTS, [NIL]),
    Item(1, ARGUMENTS, [Raw(transfer_mark(2))]),
    Result(2, Raw(transfer_mark(3)), [(OTHER, NODE)]),
    Error(2, 4, b"\x90"),
    Notify(ID, 8, [NIL, NIL]),
    Notify(ID, 8, [NIL], [(OTHER, NODE)]),
    Cancel(1),
    End(1, ARGUMENTS, (4, b"\x90")),
    Credit(1, RESULTS, 5),
    Credit(ID, ARGUMENTS, 5),
    Fragment(1, 3, b"abc"),
    Fragment(2, 6, b"abc"),
    Release(OTHER, 1),
    Signed([b"x"]),
    Grant(1, [b"x"]),
]


@given(st.lists(garbage(encode(EVERYTHING)) | st.lists(st.sampled_from(EVERYTHING)).map(encode), max_size=4), st.data())
def test_whatever_comes_only_bad_message_is_raised(records: list[bytes], data: st.DataObject) -> None:
    pair = Pair()
    _, served = pair.call()
    served.open_window()
    pair.far.call(Recorder(pair.far), ID, 7, b"\x90")
    pair.far.export(Thing(), lambda: OTHER)
    with suppress(BadMessage):
        for record in records:
            pair.far.receive(data.draw(st.sampled_from([INTERACTIVE, BULK])), record)
    pair.far.close(CallCancelled("over"))


def test_every_so_many_answers_the_transport_is_asked_to_take_them() -> None:
    """So that the caller works on the first while the next are made."""
    asked: list[int] = []

    class Answering:
        network = None

        def request(self, conversation: Conversation, lane: int, request: Request) -> None:
            conversation.answer(lane, request.call, NIL)

        def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None: ...

        def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None: ...

    conversation = Conversation(
        Answering(),
        odd=False,
        wake=lambda lane: asked.append(conversation.outbox.count),
        now=lambda: 0.0,
        round_trip=lambda: 0.0,
    )
    numbers = range(1, 2 * (2 * BATCH + 5), 2)
    conversation.receive(INTERACTIVE, encode([Request(number, ID, 1, None, None, NIL, None) for number in numbers]))
    assert asked == [1, BATCH, 2 * BATCH]
