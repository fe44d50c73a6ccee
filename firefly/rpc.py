"""Calls, notifications and streams with one peer (docs/concepts/wire.md, 5 Messages). Sans-I/O.

A `Conversation` stands on a session or on an attachment. What it has to say waits in its outbox until the transport
pulls; what arrives is given to `receive`, whole records in order per lane. Who makes a call subclasses `OutgoingCall`,
who serves one subclasses `IncomingCall`; a `Dispatcher` finds the server of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from msgspec import Raw

from firefly.calls import Call, Forgotten, IncomingCall, OutgoingCall
from firefly.credit import Budget
from firefly.errors import BadMessage, Busy, CallCancelled, GlowError, Interrupted, TooLarge, encode_error
from firefly.exports import Exports
from firefly.fragments import Fragments, key_of
from firefly.messages import (
    ARGUMENTS,
    INLINE_LIMIT,
    MARK_SIZE,
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
    check_capabilities,
    decode_record,
)
from firefly.notices import Notices
from firefly.outbox import BATCH, Outbox, Run
from firefly.packet import BULK, INTERACTIVE
from firefly.room import Shelf

MAX_CALLS = 1024
"""Open calls per conversation and direction; the peer answers Busy beyond."""
MAX_UNTAKEN = 8 * MAX_CALLS
"""Answers, credit and releases that may wait for a peer which goes on all the same: an honest one has at most MAX_CALLS
calls open and 4,096 objects passed."""
MAX_KEPT = 128 * 2**20
"""Bytes of the arguments of a peer's open calls, and of all that waits for it: with less, one more value may come. What
came beyond credit has as many at most."""
NIL = Raw(b"\xc0")
RESOURCE_SIZE = 16
CAPABILITY_SIZE = 36
"""Bytes that one passed capability takes in a message."""
FITS = 60_000
"""Bytes of a value that surely fits its message; a bigger one is looked at more closely."""


class Dispatcher(Protocol):
    """Who answers what a peer asks for. `network` is how it reaches others (firefly/runtime/network.py)."""

    network: Any

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        """Serves a call: None if it is answered already. May raise any GlowError."""

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        """Serves notifications; afterwards or later `conversation.consumed` gives their room back."""

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None: ...


class Conversation:
    """All calls with one peer, both ways.

    `odd` says whose call numbers are odd (the session's initiator, the attached side). `wake(lane)` is called when a
    lane that had nothing to send has something. `peer` is whatever the dispatcher knows the other side by.
    """

    __slots__ = (
        "_allowance",
        "_arguments",
        "_decode",
        "_fragments",
        "_highest",
        "_next_call",
        "_peer_parity",
        "_waiters",
        "_wake",
        "admit",
        "budget",
        "calls",
        "closed",
        "consumed",
        "counters",
        "dispatcher",
        "exports",
        "let_go",
        "notices",
        "notify_credit",
        "now",
        "outbox",
        "peer",
        "round_trip",
        "serving",
        "spend",
        "when_credit",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        odd: bool,
        wake: Callable[[int], None],
        now: Callable[[], float],
        round_trip: Callable[[], float],
        peer: Any = None,
        decode: Callable[[bytes], list[Any]] = decode_record,
    ) -> None:
        self.dispatcher = dispatcher
        self.peer = peer
        self.now = now
        self.round_trip = round_trip
        self.closed: GlowError | None = None
        self.outbox = Outbox(self._room_again)
        self.calls: dict[int, OutgoingCall] = {}
        self.serving: dict[int, IncomingCall] = {}
        self.budget = Budget()
        self.notices = notices = Notices(self.budget, now, round_trip, self._give_room)
        self.spend, self.notify_credit, self.when_credit = notices.spend, notices.may_send, notices.when_room
        self.admit, self.consumed, self._allowance = notices.admit, notices.consumed, notices.allowance
        self.exports = Exports(notices.forget)
        self.let_go = self.exports.let_go
        self.counters = {"dropped": 0, "busy": 0}
        self._wake = wake
        self._decode = decode
        self._fragments = Fragments()
        self._arguments = Shelf(MAX_KEPT)
        self._next_call = 1 if odd else 2
        self._peer_parity = 0 if odd else 1
        self._highest = [0, 0, 0]  # by lane
        self._waiters: list[Callable[[], None]] = []

    @property
    def conversation(self) -> Conversation:
        """Itself: what an attached program sees of a node has another answer (runtime.network.Peer)."""
        return self

    # --- sending

    def append(self, lane: int, message: Any, size: int) -> None:
        if self.closed is None and self.outbox.append(lane, message, size) == 1:
            self._wake(lane)

    @property
    def full(self) -> bool:
        """True while the caller has to wait (`when_room`) before it calls or notifies."""
        return self.outbox.full or len(self.calls) >= MAX_CALLS

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once, when there is room or the conversation has ended."""
        self._waiters.append(callback)

    def call(
        self,
        call: OutgoingCall,
        resource: bytes,
        selector: int,
        arguments: bytes,
        deadline: int | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        """Sends a request; `call` hears what becomes of it. Raises TooLarge; the closing error if it has ended."""
        if self.closed is not None:
            raise self.closed
        size = len(arguments)
        value = arguments if size < FITS else self.stow(arguments)
        number, lane = call.number, call.lane
        self.calls[number] = call
        need = len(value) if capabilities is None else len(value) + CAPABILITY_SIZE * len(capabilities)
        request = Request(number, resource, selector, deadline, None, Raw(value), capabilities)
        if self.outbox.append(lane, request, need) == 1:
            self._wake(lane)

    def call_with(self, call: OutgoingCall, request: Request, size: int) -> None:
        """The same with a request that is made already."""
        if self.closed is not None:
            raise self.closed
        self.calls[call.number] = call
        self.append(call.lane, request, size + CAPABILITY_SIZE * len(request.capabilities or ()))

    def next_number(self) -> int:
        number = self._next_call
        self._next_call += 2
        return number

    def notify(
        self, lane: int, resource: bytes, selector: int, arguments: bytes, capabilities: Capabilities | None = None
    ) -> Run | None:
        """Sends a notification. The caller has checked `full` and `notify_credit`."""
        return self.notify_with(Notify, lane, resource, selector, arguments, capabilities)

    def notify_with(
        self,
        kind: Callable[..., Notify],
        lane: int,
        resource: bytes,
        selector: int,
        arguments: bytes,
        capabilities: Capabilities | None,
    ) -> Run | None:
        """Returns the run that took the notification, to which more of its kind may be added directly."""
        if self.closed is not None:
            raise self.closed
        value = self.stow(arguments)
        if capabilities is None and value is arguments:
            outbox = self.outbox
            idle = not outbox.waiting(lane)
            run = outbox.append_to_run(lane, kind, resource, selector, value, self._allowance(resource))
            if idle:
                self._wake(lane)
            return run
        self.spend(resource, len(arguments))
        need = len(value) + CAPABILITY_SIZE * len(capabilities or ())
        self.append(lane, kind(resource, selector, [Raw(value)], capabilities), need)
        return None

    def send_item(self, call: Call, value: bytes, capabilities: Capabilities | None) -> None:
        stowed = self.stow(value)
        if capabilities is None and stowed is value and self.closed is None:
            idle = not self.outbox.waiting(call.lane)
            self.outbox.append_to_run(call.lane, Item, call.number, call.sends, value)
            if idle:
                self._wake(call.lane)
        else:
            need = len(stowed) + CAPABILITY_SIZE * len(capabilities or ())
            self.append(call.lane, Item(call.number, call.sends, [Raw(stowed)], capabilities), need)

    def send_credit(self, target: int | bytes, direction: int, size: int, lane: int = INTERACTIVE) -> None:
        self.append(lane, Credit(target, direction, size), 0)

    def answer(self, lane: int, number: int, value: bytes | Raw, capabilities: Capabilities | None = None) -> None:
        """Sends the last word of a call that succeeded; TooLarge in its place if the value is over the limit."""
        self._served(number)
        size = len(value)
        if size > MAX_VALUE:
            code, body = encode_error(TooLarge(f"the result has {size} bytes, over {MAX_VALUE}"))
            return self.fail(lane, number, code, body)
        if size >= FITS and self.outbox.size >= MAX_KEPT:
            busy = self._busy("the call was run, but too much waits already for its caller to send the result")
            return self.fail(lane, number, *encode_error(busy))
        stowed = value if size < FITS else self.stow(bytes(value))
        raw = stowed if isinstance(stowed, Raw) else Raw(stowed)
        need = len(raw) if capabilities is None else len(raw) + CAPABILITY_SIZE * len(capabilities)
        if self.closed is None:
            waiting = self.outbox.append(lane, Result(number, raw, capabilities), need)
            if waiting == 1 or not waiting % BATCH:
                self._wake(lane)
        return None

    def _served(self, number: int) -> None:
        call = self.serving.pop(number, None)
        if self._arguments.used:
            self._arguments.take(number)
        if call is not None and call.window is not None:
            call.close_window()

    def fail(self, lane: int, number: int, code: int, body: bytes) -> None:
        """Sends the last word of a call that failed. A body over MAX_ERROR gives way to TooLarge."""
        self._served(number)
        if len(body) > MAX_ERROR:
            code, body = encode_error(TooLarge(f"the error {code:#010x} has {len(body)} bytes, over {MAX_ERROR}"))
        self.append(lane, Error(number, code, body), len(body))

    def cancel(self, call: OutgoingCall) -> None:
        if self.calls.get(call.number) is call:
            call.close_window()
            forgotten = Forgotten(self, call.number, call.lane)
            self.calls[call.number] = forgotten
            self.append(call.lane, Cancel(call.number), 0)

    def stow(self, value: bytes) -> bytes:
        """`value`, or the mark of the transfer that brings it. Raises TooLarge."""
        size = len(value)
        if size < FITS:
            return value
        if size > MAX_VALUE:
            raise TooLarge(f"a value of {size} bytes is over the limit of {MAX_VALUE}", hint="use a stream")
        idle = not self.outbox.waiting(BULK)
        stowed = self.outbox.stow(value)
        if idle and stowed is not value:
            self._wake(BULK)
        return stowed

    # --- objects passed to the peer

    def export(self, server: Any, new_id: Callable[[], bytes]) -> bytes:
        """The id under which the peer may use `server`; each time counts as one more copy.

        Raises Busy if there are too many, and the closing error.
        """
        if self.closed is not None:
            raise self.closed
        return self.exports.add(server, new_id)

    def release(self, resource: bytes, copies: int = 1) -> None:
        """Tells the peer that this side has no more use for an object of its."""
        self.append(INTERACTIVE, Release(resource, copies), 0)

    def release_all(self, capabilities: Capabilities | None) -> None:
        for resource, _ in capabilities or ():
            self.release(resource)

    # --- receiving

    def receive(self, lane: int, record: bytes) -> None:
        """Takes one record. Raises BadMessage, if the peer broke the rules: who called then closes the conversation."""
        if self.closed is not None:
            return
        handlers = self._handlers
        for message in self._decode(record):
            handlers[type(message)](self, lane, message)
        if self.outbox.owed > MAX_UNTAKEN:
            raise BadMessage("the peer goes on and on without taking the answers")

    def _dispatch(self, lane: int, message: Any) -> None:
        """What a finished transfer let go on."""
        self._complete[type(message)](self, lane, message)

    def _request(self, lane: int, request: Request) -> None:
        number = request.call
        if number <= self._highest[lane] or number & 1 != self._peer_parity or number in self.serving:
            raise BadMessage(f"call number {number} is used twice or not the peer's to give")
        if len(request.resource) != RESOURCE_SIZE:
            raise BadMessage("a resource's id has 16 bytes")
        self._highest[lane] = number
        fragments = self._fragments
        if (not fragments.active and len(request.arguments) != MARK_SIZE) or not fragments.hold(lane, request):
            self._serve(lane, request)

    def _serve(self, lane: int, request: Request) -> None:
        if request.capabilities:
            check_capabilities(request)
        try:
            if len(self.serving) >= MAX_CALLS:
                raise self._busy(f"over {MAX_CALLS} calls are open")
            size = len(request.arguments)
            if size > FITS and not self._arguments.put(request.call, size):
                raise self._busy(f"open calls have over {MAX_KEPT} bytes of arguments")
            if self.outbox.size >= MAX_KEPT:
                raise self._busy(f"over {MAX_KEPT} bytes wait to be sent")
            call = self.dispatcher.request(self, lane, request)
        except GlowError as error:
            if isinstance(error, BadMessage):
                raise
            self.release_all(request.capabilities)
            self.fail(lane, request.call, *encode_error(error))
        else:
            if call is not None:
                self.serving[request.call] = call

    def _busy(self, why: str) -> Busy:
        self.counters["busy"] += 1
        return Busy(why, hint="wait for answers before calling more")

    def _result(self, lane: int, result: Result) -> None:
        if (not self._fragments.active and len(result.value) != MARK_SIZE) or not self._fragments.hold(lane, result):
            self._finish(lane, result)

    def _finish(self, lane: int, result: Result) -> None:
        if result.capabilities:
            check_capabilities(result)
        call = self._ended(result.call)
        if call is None:
            self.release_all(result.capabilities)
        else:
            call.answered(result.value, result.capabilities)

    def _error(self, lane: int, error: Error) -> None:
        if not self._fragments.active or not self._fragments.hold(lane, error):
            self._fail(lane, error)

    def _fail(self, lane: int, error: Error) -> None:
        call = self._ended(error.call)
        if call is not None:
            call.failed(error.code, error.body)

    def _ended(self, number: int) -> OutgoingCall | None:
        call = self.calls.pop(number, None)
        if call is None:
            self.counters["dropped"] += 1
        elif call.window is not None:
            call.close_window()
        if self._waiters and not self.full:
            self._room_again()
        return call

    def _notified(self, lane: int, notification: Notify) -> None:
        if len(notification.resource) != RESOURCE_SIZE:
            raise BadMessage("a resource's id has 16 bytes")
        if not self._fragments.hold(lane, notification):
            self._deliver(lane, notification)

    def _deliver(self, lane: int, notification: Notify) -> None:
        if notification.capabilities:
            check_capabilities(notification)
        size = sum(map(len, notification.arguments))
        if size > INLINE_LIMIT and self._overdrawn() + size > MAX_KEPT:
            return self.refused(notification)
        return self.dispatcher.notified(self, lane, notification)

    def _give_room(self, resource: bytes, size: int) -> None:
        self.send_credit(resource, ARGUMENTS, size)

    def refused(self, notification: Notify) -> None:
        """Notifications that nobody here takes: their room goes back at once, nothing is kept of them."""
        self.counters["dropped"] += 1
        self.release_all(notification.capabilities)
        self.send_credit(notification.resource, ARGUMENTS, sum(map(len, notification.arguments)))

    def _cancel(self, lane: int, message: Cancel) -> None:
        if message.call & 1 != self._peer_parity:
            raise BadMessage(f"call {message.call} is not the peer's to cancel")
        for dropped in self._fragments.drop(key_of(message)):
            self._drop(lane, dropped)
        call = self.serving.get(message.call)
        if call is not None:
            call.cancelled()

    def _drop(self, lane: int, message: Any) -> None:
        """The caller gave up before this had arrived as a whole; a request still gets its last word."""
        self.counters["dropped"] += 1
        self.release_all(getattr(message, "capabilities", None))
        if isinstance(message, Request):
            self.fail(lane, message.call, *encode_error(CallCancelled("the caller gave up")))

    def _item(self, lane: int, item: Item) -> None:
        if not self._fragments.hold(lane, item):
            self._deliver_items(lane, item)

    def _deliver_items(self, lane: int, item: Item) -> None:
        if item.capabilities:
            check_capabilities(item)
        call: Call | None = (self.calls if item.direction == RESULTS else self.serving).get(item.call)
        if call is None or call.window is None:
            self.counters["dropped"] += 1
            return self.release_all(item.capabilities)
        size = sum(map(len, item.values))
        if not call.window.received(size):
            raise BadMessage(f"items of call {item.call} came without credit")
        if size > INLINE_LIMIT and self._overdrawn() > MAX_KEPT:
            return self._break_off(lane, call, item)
        return call.arrived(item.values, item.capabilities)

    def _overdrawn(self) -> int:
        """Bytes that came beyond the credit of their streams and resources, each by one value, and are not read yet."""
        windows = [call.window for calls in (self.calls, self.serving) for call in calls.values()]
        return sum(max(-window.room, 0) for window in windows if window is not None) + self.notices.overdrawn()

    def _break_off(self, lane: int, call: Call, item: Item) -> None:
        """Ends a stream whose big value finds no room; the others go on."""
        self.release_all(item.capabilities)
        error = encode_error(self._busy(f"over {MAX_KEPT} bytes of big values wait to be read"))
        if isinstance(call, OutgoingCall):
            self.cancel(call)
            call.failed(*error)
        elif isinstance(call, IncomingCall):
            self.fail(lane, call.number, *error)
            call.cancelled()

    def _end(self, lane: int, end: End) -> None:
        if not self._fragments.active or not self._fragments.hold(lane, end):
            self._finish_arguments(lane, end)

    def _finish_arguments(self, lane: int, end: End) -> None:
        call = self.serving.get(end.call)
        if call is not None:
            call.ended(end.error)

    def _credit(self, lane: int, credit: Credit) -> None:
        if credit.size < 0 or credit.size > 2**40:
            raise BadMessage("absurd credit")
        target = credit.target
        if isinstance(target, bytes):
            return self.notices.credited(target, credit.size)
        call: Call | None = (self.serving if credit.direction == RESULTS else self.calls).get(target)
        if call is not None:
            call.credit += credit.size
            call.credited()
        return None

    def _fragment(self, lane: int, fragment: Fragment) -> None:
        for kept_lane, message in self._fragments.receive(fragment):
            self._dispatch(kept_lane, message)

    def _release(self, lane: int, release: Release) -> None:
        self.let_go(release.resource, release.copies)

    def _signed(self, lane: int, signed: Signed) -> None:
        self.dispatcher.signed(self, signed.envelopes)

    def _ignored(self, lane: int, message: Any) -> None:
        self.counters["dropped"] += 1

    _handlers: ClassVar[dict[type, Callable[[Any, int, Any], None]]] = {
        Request: _request,
        Result: _result,
        Error: _error,
        Notify: _notified,
        Cancel: _cancel,
        Item: _item,
        End: _end,
        Credit: _credit,
        Fragment: _fragment,
        Grant: _ignored,
        Release: _release,
        Signed: _signed,
    }
    """What takes a message of each kind."""
    _complete: ClassVar[dict[type, Callable[[Any, int, Any], None]]] = {
        Request: _serve,
        Result: _finish,
        Notify: _deliver,
        Item: _deliver_items,
        Error: _fail,
        End: _finish_arguments,
    }
    """What takes it when a transfer, its own or one before it, has held it back."""

    # --- the end

    def _room_again(self) -> None:
        waiters, self._waiters = self._waiters, []
        for callback in waiters:
            callback()

    def close(self, error: GlowError | None = None) -> None:
        """The peer is gone: calls end with `error` (may have run), handlers are cancelled, objects released."""
        if self.closed is not None:
            return
        self.closed = error or Interrupted("the conversation has ended", hint="call again")
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.lost(self.closed)
        for incoming in list(self.serving.values()):
            incoming.cancelled()
        self.serving.clear()
        self._arguments.clear()
        self.exports.let_all_go()
        self.outbox.close()
        self._room_again()
        self.notices.close()
