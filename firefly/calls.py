"""Calls as their two ends hold them: who makes one subclasses OutgoingCall, who serves one IncomingCall
(docs/concepts/wire.md, 5 Messages). The conversation tells them what happens, and says what they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from msgspec import Raw

from firefly.credit import START, Window
from firefly.errors import GlowError
from firefly.messages import ARGUMENTS, RESULTS, Capabilities, End, Item, join

if TYPE_CHECKING:
    from firefly.rpc import Conversation


class Call:
    """What both ends of a call share: items out under the peer's credit, items in under ours."""

    __slots__ = ("conversation", "credit", "lane", "number", "window")
    sends = ARGUMENTS

    def __init__(self, conversation: Conversation, number: int, lane: int) -> None:
        self.conversation = conversation
        self.number = number
        self.lane = lane
        self.credit = 0
        self.window: Window | None = None

    # what happens to it; the subclass says what follows
    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        """Items came."""

    def credited(self) -> None:
        """The peer has room for more items."""

    # what its owner does
    def send_item(self, value: bytes, capabilities: Capabilities | None = None) -> None:
        """Sends one item. The caller has checked that `credit` is positive."""
        self.credit -= len(value)
        self.conversation.send_item(self, value, capabilities)

    def send_items(self, values: Sequence[Raw], size: int) -> None:
        """Sends items that fit one message and have `size` bytes. The same has been checked."""
        self.credit -= size
        self.conversation.append(self.lane, Item(self.number, self.sends, cast(list[Raw], join(values))), size)

    def open_window(self, start: int = START) -> None:
        """Gives room for items from the peer. A stream of results starts with room, one of arguments without."""
        conversation = self.conversation
        self.window = Window(conversation.budget, conversation.now(), start)
        if self.sends == RESULTS:
            conversation.send_credit(self.number, ARGUMENTS, start, self.lane)

    def close_window(self) -> None:
        """No more items are wanted: what the window grew by goes to other streams."""
        if self.window is not None:
            self.window.close()
            self.window = None

    def consumed(self, size: int) -> None:
        """The reader is done with `size` bytes of items."""
        if self.window is not None:
            conversation = self.conversation
            credit = self.window.consumed(size, conversation.now(), conversation.round_trip())
            if credit:
                conversation.send_credit(self.number, 1 - self.sends, credit, self.lane)


class OutgoingCall(Call):
    """A call that this side made."""

    __slots__ = ()

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        """The last word: it succeeded."""

    def failed(self, code: int, body: bytes) -> None:
        """The last word: it failed."""

    def lost(self, error: GlowError) -> None:
        """The last word never comes: the conversation ended."""

    def end(self, error: tuple[int, bytes] | None = None) -> None:
        """No more arguments follow."""
        self.conversation.append(self.lane, End(self.number, ARGUMENTS, error), 0)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self.conversation.cancel(self)


class IncomingCall(Call):
    """A call that this side serves."""

    __slots__ = ()
    sends = RESULTS

    def __init__(self, conversation: Conversation, number: int, lane: int) -> None:
        super().__init__(conversation, number, lane)
        self.credit = START

    def cancelled(self) -> None:
        """The caller gave up, or is gone."""

    def ended(self, error: tuple[int, bytes] | None) -> None:
        """The caller sent its last item."""

    def answer(self, value: bytes | Raw, capabilities: Capabilities | None = None) -> None:
        self.conversation.answer(self.lane, self.number, value, capabilities)

    def fail(self, code: int, body: bytes) -> None:
        self.conversation.fail(self.lane, self.number, code, body)


class Forgotten(OutgoingCall):
    """A cancelled call: what still comes is dropped, capabilities in it are released."""

    __slots__ = ()

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self.conversation.release_all(capabilities)

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        self.conversation.release_all(capabilities)
