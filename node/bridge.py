"""Calls that pass through this node between an attached program and a session, or between two attached programs.

Numbers are mapped, credit runs through from end to end, arguments and values are passed on unparsed
(docs/concepts/wire.md, 6 Local attachment). What one end may still send is what the other end gave room for, so a
bridge holds nothing itself.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, NamedTuple

from msgspec import Raw

from firefly.attachment import AttachedNotify, AttachedRequest
from firefly.calls import Call, IncomingCall, OutgoingCall
from firefly.credit import START, Window
from firefly.errors import BadMessage, Busy, GlowError, encode_error
from firefly.exports import MAX_EXPORTS, Export
from firefly.messages import ARGUMENTS, INLINE_LIMIT, RESULTS, Cancel, Capabilities, Item, Notify, Request
from firefly.rpc import CAPABILITY_SIZE, Conversation
from firefly.runtime.capabilities import release_copy


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
    near: BridgedIncoming, far: Conversation, request: Request, resource: bytes, *, attached_caller: Any = None
) -> BridgedIncoming | None:
    """Sends `request` on to `resource` at `far`; with `attached_caller` to a program, which is told who calls.

    Returns `near`, None if it is answered already. Raises what ended `far`; Busy if it is a program that does not read
    what waits for it.
    """
    if far.closed is not None:
        raise far.closed
    if attached_caller is not None and far.outbox.full:
        raise Busy("the program that owns the resource does not keep up", hint="call again in a while")
    call = near.far = BridgedOutgoing(far, near.lane, near)
    listed = pass_capabilities(near.conversation, far, request.capabilities)
    arguments = _fit(far, request.arguments)
    if attached_caller is None:
        onward = Request(call.number, resource, request.selector, request.deadline, None, arguments, listed)
    else:
        onward = AttachedRequest(
            call.number,
            resource,
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
    return near if far.calls.get(call.number) is call else None


def pass_items(
    source: Call, target: Call, direction: int, values: list[Raw], capabilities: Capabilities | None
) -> None:
    conversation = target.conversation
    size = check_values(values)
    listed = pass_capabilities(source.conversation, conversation, capabilities)
    if len(values) == 1:
        values = [_fit(conversation, values[0])]
    need = min(size, INLINE_LIMIT) + CAPABILITY_SIZE * len(listed or ())
    conversation.append(target.lane, Item(target.number, direction, values, listed), need)


def check_values(values: list[Raw]) -> int:
    """The bytes of a message's values. Raises BadMessage for several that do not fit one packet together."""
    size = sum(map(len, values))
    if size > INLINE_LIMIT and len(values) > 1:
        raise BadMessage(f"a message has {len(values)} values of {size} bytes, over {INLINE_LIMIT}")
    return size


def _fit(conversation: Conversation, value: Raw) -> Raw:
    if len(value) <= INLINE_LIMIT:
        return value
    return Raw(conversation.stow(bytes(value)))


class Waiting(NamedTuple):
    """Notifications that were admitted, and wait for the credit of `resource`, which is their owner's id for it."""

    near: Conversation
    lane: int
    notification: Notify
    caller: Any
    resource: bytes


class Notifications:
    """Notifications on their way from several conversations to resources behind one; kept while they have no credit.

    What waits is bounded by the room that each sender was given.
    """

    def __init__(self, far: Conversation) -> None:
        self.far = far
        self._waiting: dict[bytes, deque[Waiting]] = {}

    def forward(self, received: Waiting) -> None:
        """Sends notifications on, or keeps them; with a `caller` to an attached program, which is told who calls."""
        received.near.admit(received.notification.resource, check_values(received.notification.arguments))
        self.forward_admitted(received)

    def forward_admitted(self, received: Waiting) -> None:
        resource = received.resource
        waiting = self._waiting.get(resource)
        if waiting is not None:
            waiting.append(received)
        elif self._may_send(resource):
            self._send(received)
        else:
            self._waiting[resource] = deque([received])
            self._wait(resource)

    def _may_send(self, resource: bytes) -> bool:
        far = self.far
        return far.closed is not None or (far.notify_credit(resource) and not far.outbox.full)

    def _wait(self, resource: bytes) -> None:
        if self.far.notify_credit(resource):
            self.far.when_room(partial(self._drain, resource))
        else:
            self.far.when_credit(resource, partial(self._drain, resource))

    def _drain(self, resource: bytes) -> None:
        waiting = self._waiting[resource]
        while waiting and self._may_send(resource):
            self._send(waiting.popleft())
        if waiting:
            self._wait(resource)
        else:
            del self._waiting[resource]

    def _send(self, received: Waiting) -> None:
        """Sends, or loses if the owner is gone: either way the sender has its room back."""
        near, lane, notification, caller, resource = received
        far, values = self.far, notification.arguments
        size = sum(map(len, values))
        if far.closed is None:
            listed = pass_capabilities(near, far, notification.capabilities)
            if len(values) == 1:
                values = [_fit(far, values[0])]
            far.spend(resource, size)
            need = min(size, INLINE_LIMIT) + CAPABILITY_SIZE * len(listed or ())
            far.append(lane, _onward(resource, notification.selector, values, listed, caller, lane), need)
        else:
            near.release_all(notification.capabilities)
        near.consumed(notification.resource, size)


def _onward(
    resource: bytes, selector: int, values: list[Raw], listed: Capabilities | None, caller: Any, lane: int
) -> Notify | AttachedNotify:
    if caller is None:
        return Notify(resource, selector, values, listed)
    return AttachedNotify(resource, selector, values, listed, caller, lane)


class PassedObject:
    """An object of one conversation as another conversation's peer holds it; released there, it is released here."""

    def __init__(self, source: Conversation, resource: bytes) -> None:
        self._source = source
        self._resource = resource
        self.copies = 0

    def comes_from(self, source: Conversation) -> bool:
        return self._source is source

    def released(self) -> None:
        if self._source.closed is None:
            self._source.release(self._resource, self.copies)


class HandedOnObject:
    """An object of a third node that was handed on to an attached program; released there, its owner hears of it."""

    def __init__(self, network: Any, node: bytes, resource: bytes) -> None:
        self._network = network
        self._node = node
        self._resource = resource

    def released(self) -> None:
        release_copy(self._network, self._node, self._resource)


def pass_capabilities(source: Conversation, target: Conversation, listed: Capabilities | None) -> Capabilities | None:
    """Makes what `source` passed reachable for the peer of `target`, and sees to its release."""
    for resource, node in listed or ():
        if node != _home_of(source):
            _hand_on(target, node, resource)
            continue
        export = target.exports.get(resource)
        if export is None and len(target.exports) < MAX_EXPORTS:
            export = target.exports[resource] = Export(PassedObject(source, resource))
            export.entry = ForwardedObject(source, resource)
        if export is None or not isinstance(export.server, PassedObject) or not export.server.comes_from(source):
            source.release(resource)  # no room, or an id that is another object's: it leads nowhere
            continue
        export.copies += 1
        export.server.copies += 1
    return listed


def _home_of(conversation: Conversation) -> bytes:
    """The node whose objects the peer passes as its own; those of any other were introduced by their owner."""
    if conversation.peer is not None:
        return conversation.peer.address  # type: ignore[no-any-return]
    return conversation.dispatcher.network.address  # type: ignore[no-any-return]


def _hand_on(target: Conversation, node: bytes, resource: bytes) -> None:
    """A node tells the owner itself when it has done with the object; an attached program tells only this node."""
    if target.peer is None and len(target.exports) < MAX_EXPORTS:
        handed_on = HandedOnObject(target.dispatcher.network, node, resource)
        export = target.exports.setdefault(resource, Export(handed_on))
        if isinstance(export.server, HandedOnObject):
            export.copies += 1


class ForwardedObject:
    """The entry of an object that lives behind another conversation, where its id is `resource`."""

    access: int | None = None

    def __init__(self, far: Conversation, resource: bytes) -> None:
        self._far = far
        self._resource = resource
        self._notifications = Notifications(far)

    def request(self, conversation: Conversation, lane: int, request: Request, caller: Any) -> IncomingCall | None:
        near = BridgedIncoming(conversation, request.call, lane)
        return bridge(near, self._far, request, self._resource, attached_caller=caller_wire(self._far, caller))

    def notified(self, conversation: Conversation, lane: int, notification: Notify, caller: Any) -> None:
        told = caller_wire(self._far, caller)
        self._notifications.forward(Waiting(conversation, lane, notification, told, self._resource))


def caller_wire(far: Conversation, caller: Any) -> Any:
    """How an attached program is told who calls; None towards a session, whose end knows its peer."""
    return [caller.key, caller.namespace, caller.role, caller.address] if far.peer is None else None
