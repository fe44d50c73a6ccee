"""Calls that pass through this node between an attached program and a session, or between two attached programs.

Numbers are mapped, credit runs through from end to end, arguments and values are passed on unparsed
(docs/concepts/wire.md, 6 Local attachment). What one end may still send is what the other end gave room for, so a
bridge holds nothing itself.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Raw

from firefly.attachment import AttachedNotify, AttachedRequest
from firefly.credit import START, Window
from firefly.errors import Busy, GlowError, encode_error
from firefly.messages import ARGUMENTS, INLINE_LIMIT, RESULTS, Cancel, Capabilities, Item, Notify, Request
from firefly.rpc import CAPABILITY_SIZE, Call, Conversation, Export, IncomingCall, OutgoingCall


class BridgedOutgoing(OutgoingCall):
    """The call as made to its owner; everything that comes back goes to `near`."""

    __slots__ = ("near",)

    def __init__(self, conversation: Conversation, lane: int, near: BridgedIncoming) -> None:
        super().__init__(conversation, conversation.next_number(), lane)
        self.near = near
        self.window = Window(conversation.budget, conversation.now(), START)

    def cancel(self) -> None:
        """Passed on; the owner's last word still goes to the caller, unless that is gone."""
        if self.near.conversation.closed is None:
            self.conversation.append(self.lane, Cancel(self.number), 0)
        else:
            super().cancel()

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        near = self.near
        near.answer(value, pass_capabilities(self.conversation, near.conversation, capabilities))

    def failed(self, code: int, body: bytes) -> None:
        self.near.fail(code, body)

    def lost(self, error: GlowError) -> None:
        if self.near.conversation.serving.get(self.near.number) is self.near:
            self.near.fail(*encode_error(error))

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        pass_items(self, self.near, RESULTS, values, capabilities)

    def credited(self) -> None:
        size, self.credit = self.credit, 0
        near = self.near
        if near.window is None:
            near.window = Window(near.conversation.budget, near.conversation.now(), 0)
        near.window.room += size
        near.conversation.send_credit(near.number, ARGUMENTS, size, near.lane)


class BridgedIncoming(IncomingCall):
    """The call as its caller made it; everything that follows goes to `far`."""

    __slots__ = ("early_end", "far", "gone")

    def __init__(self, conversation: Conversation, number: int, lane: int) -> None:
        super().__init__(conversation, number, lane)
        self.credit = 0
        self.far: BridgedOutgoing | None = None
        self.gone = False
        self.early_end: tuple[tuple[int, bytes] | None] | None = None

    def cancelled(self) -> None:
        self.gone = True
        if self.far is not None:
            self.far.cancel()

    def ended(self, error: tuple[int, bytes] | None) -> None:
        if self.far is not None:
            self.far.end(error)
        else:
            self.early_end = (error,)

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        if self.far is not None:
            pass_items(self, self.far, ARGUMENTS, values, capabilities)

    def credited(self) -> None:
        size, self.credit = self.credit, 0
        far = self.far
        if far is not None:
            if far.window is not None:
                far.window.room += size
            far.conversation.send_credit(far.number, RESULTS, size, far.lane)


def bridge(
    near: BridgedIncoming, far: Conversation, request: Request, *, attached_caller: Any = None
) -> BridgedIncoming:
    """Sends `request` on to `far`; with `attached_caller` to an attached program, which is told who calls.

    Raises what ended `far`; Busy if it is a program that does not read what waits for it.
    """
    if attached_caller is not None and far.outbox.full:
        raise Busy("the program that owns the resource does not keep up", hint="call again in a while")
    call = near.far = BridgedOutgoing(far, near.lane, near)
    listed = pass_capabilities(near.conversation, far, request.capabilities)
    arguments = _fit(far, request.arguments)
    if attached_caller is None:
        onward = Request(call.number, request.resource, request.selector, request.deadline, None, arguments, listed)
    else:
        onward = AttachedRequest(
            call.number,
            request.resource,
            request.selector,
            request.deadline,
            None,
            arguments,
            listed,
            attached_caller,
            near.lane,
        )
    far.call_with(call, onward, len(arguments))
    if near.early_end is not None:
        call.end(*near.early_end)
    return near


def pass_items(
    source: Call, target: Call, direction: int, values: list[Raw], capabilities: Capabilities | None
) -> None:
    conversation = target.conversation
    listed = pass_capabilities(source.conversation, conversation, capabilities)
    size = sum(map(len, values))
    if len(values) == 1:
        values = [_fit(conversation, values[0])]
    conversation.append(target.lane, Item(target.number, direction, values, listed), min(size, INLINE_LIMIT))


def _fit(conversation: Conversation, value: Raw) -> Raw:
    if len(value) <= INLINE_LIMIT:
        return value
    return Raw(conversation.stow(bytes(value)))


class Notifications:
    """Notifications on their way from several conversations to resources behind one; kept while they have no credit.

    What waits is bounded by the room that each sender was given.
    """

    def __init__(self, far: Conversation) -> None:
        self.far = far
        self._waiting: dict[bytes, deque[tuple[Conversation, int, Notify, Any]]] = {}

    def forward(self, near: Conversation, lane: int, notification: Notify, attached_caller: Any) -> None:
        resource = notification.resource
        waiting = self._waiting.get(resource)
        if waiting is None and self.far.notify_credit(resource) and not self.far.outbox.full:
            size = self._send(near, lane, notification, attached_caller)
            near.consumed(resource, size)
            return
        near.admit(resource, sum(map(len, notification.arguments)))
        if waiting is None:
            self._waiting[resource] = deque()
            self._wait(resource)
        self._waiting[resource].append((near, lane, notification, attached_caller))

    def _wait(self, resource: bytes) -> None:
        if self.far.notify_credit(resource):
            self.far.when_room(lambda: self._drain(resource))
        else:
            self.far.when_credit(resource, lambda: self._drain(resource))

    def _drain(self, resource: bytes) -> None:
        waiting = self._waiting[resource]
        while waiting and self.far.closed is None:
            if not self.far.notify_credit(resource) or self.far.outbox.full:
                self._wait(resource)
                return
            near, lane, notification, attached_caller = waiting.popleft()
            size = self._send(near, lane, notification, attached_caller)
            near.consumed(resource, size)
        del self._waiting[resource]

    def _send(self, near: Conversation, lane: int, notification: Notify, attached_caller: Any) -> int:
        far, values = self.far, notification.arguments
        size = sum(map(len, values))
        if len(values) == 1:
            values = [_fit(far, values[0])]
        listed = pass_capabilities(near, far, notification.capabilities)
        resource, selector = notification.resource, notification.selector
        if attached_caller is None:
            onward = Notify(resource, selector, values, listed)
        else:
            onward = AttachedNotify(resource, selector, values, listed, attached_caller, lane)
        far.spend(resource, size)
        far.append(lane, onward, min(size, INLINE_LIMIT) + CAPABILITY_SIZE * len(listed or ()))
        return size


class PassedObject:
    """An object of one conversation as another conversation's peer holds it; released there, it is released here."""

    def __init__(self, source: Conversation, resource: bytes) -> None:
        self._source = source
        self._resource = resource
        self.copies = 0

    def released(self) -> None:
        if self._source.closed is None:
            self._source.release(self._resource, self.copies)


def pass_capabilities(source: Conversation, target: Conversation, listed: Capabilities | None) -> Capabilities | None:
    """Makes what `source` passed reachable for the peer of `target`, and sees to its release."""
    for resource, _ in listed or ():
        export = target.exports.get(resource)
        if export is None:
            export = target.exports[resource] = Export(PassedObject(source, resource))
            export.entry = ForwardedObject(source)
        export.copies += 1
        export.server.copies += 1
    return listed


class ForwardedObject:
    """The entry of an object that lives behind another conversation."""

    access: int | None = None

    def __init__(self, far: Conversation) -> None:
        self._far = far
        self._notifications = Notifications(far)

    def request(self, conversation: Conversation, lane: int, request: Request, caller: Any) -> IncomingCall | None:
        near = BridgedIncoming(conversation, request.call, lane)
        return bridge(near, self._far, request, attached_caller=caller_wire(self._far, caller))

    def notified(self, conversation: Conversation, lane: int, notification: Notify, caller: Any) -> None:
        self._notifications.forward(conversation, lane, notification, caller_wire(self._far, caller))


def caller_wire(far: Conversation, caller: Any) -> Any:
    """How an attached program is told who calls; None towards a session, whose end knows its peer."""
    return [caller.key, caller.namespace, caller.role, caller.address] if far.peer is None else None
