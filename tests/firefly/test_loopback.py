"""Two ends in memory hear each other at once, in order, without recursion."""

import sys
from typing import Any

import pytest
from msgspec import Raw

from firefly.calls import OutgoingCall
from firefly.errors import BadMessage, Interrupted
from firefly.loopback import Loopback
from firefly.messages import Notify, Request
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import Conversation

ID = bytes(16)


class Echo:
    """A dispatcher that answers at once, and notifies back."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.notified_with: list[int] = []

    def request(self, conversation: Conversation, lane: int, request: Request) -> None:
        conversation.answer(lane, request.call, request.arguments)

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        size = sum(map(len, notification.arguments))
        conversation.admit(notification.resource, size)
        conversation.consumed(notification.resource, size)
        self.notified_with.append(len(notification.arguments))
        if len(self.notified_with) < self.depth:
            conversation.notify(lane, ID, 1, b"\x90")

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None: ...


class Heard(OutgoingCall):
    def __init__(self, conversation: Conversation, lane: int) -> None:
        super().__init__(conversation, conversation.next_number(), lane)
        self.value: Any = None

    def answered(self, value: Raw, capabilities: Any) -> None:
        self.value = bytes(value)

    def lost(self, error: Any) -> None:
        self.value = error


def joined(depth: int = 0) -> Loopback:
    return Loopback(Echo(depth), Echo(depth), lambda: 0.0, caller_is="the caller", owner_is="the owner")


@pytest.mark.parametrize("lane", [INTERACTIVE, BULK])
@pytest.mark.parametrize("size", [1, 200_000])
def test_a_call_is_answered_before_it_returns(lane: int, size: int) -> None:
    pair = joined()
    for end in (pair.caller, pair.owner):
        call = Heard(end, lane)
        end.call(call, ID, 1, bytes(size))
        assert call.value == bytes(size)
    assert pair.caller.peer == "the owner"
    assert pair.owner.peer == "the caller"


def test_a_long_exchange_is_no_deep_one() -> None:
    depth = 3 * sys.getrecursionlimit()
    pair = joined(depth)
    pair.caller.notify(INTERACTIVE, ID, 1, b"\x90")
    heard = [end.dispatcher.notified_with for end in (pair.caller, pair.owner)]  # type: ignore[attr-defined]
    assert depth <= sum(map(len, heard)) <= 2 * depth


def test_the_ends_number_their_calls_apart() -> None:
    pair = joined()
    assert pair.caller.next_number() % 2 == 1
    assert pair.owner.next_number() % 2 == 0


def test_when_it_closes_both_ends_do() -> None:
    pair = joined()
    pair.close()
    for end in (pair.caller, pair.owner):
        with pytest.raises(Interrupted):
            end.call(Heard(end, INTERACTIVE), ID, 1, b"\x90")


def test_what_breaks_the_rules_is_raised_where_it_was_said_and_the_next_words_are_heard() -> None:
    pair = joined()
    with pytest.raises(BadMessage):
        pair.caller.call(Heard(pair.caller, INTERACTIVE), b"no id", 1, b"\x90")
    call = Heard(pair.caller, INTERACTIVE)
    pair.caller.call(call, ID, 1, b"\x90")
    assert call.value == b"\x90"
