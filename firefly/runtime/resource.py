"""A server as an entry of the resource table: finds the handlers of what it is asked, and runs them.

A plain `def` handler runs inline, where its request was received, and its answer leaves with whatever else leaves; an
`async def` handler runs on a reused task in a cancel scope of its own, and so does one that runs in a thread.
Notifications of one peer run one after another.
"""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import trio
from msgspec import Raw

from firefly.errors import GlowError, NoSuchMethod
from firefly.messages import Capabilities, Notify, Request
from firefly.rpc import Conversation
from firefly.runtime.batches import taker_of
from firefly.runtime.capabilities import decode_with
from firefly.runtime.context import Caller, CurrentCall, current
from firefly.runtime.method import Method
from firefly.runtime.served import ServedCall, encode_result
from firefly.runtime.server import FAULTS, Server, check_access, missing
from firefly.runtime.streams import ArgumentStream
from firefly.runtime.thread import in_thread, is_plain
from firefly.runtime.workers import Job

if TYPE_CHECKING:
    from firefly.runtime.host import Host

log = logging.getLogger("firefly")
_PLAIN = frozenset({bytes, str, int, bool, float, type(None), list, dict})
"""Types of results that are seen at a glance to be no awaitables."""


class Handler(NamedTuple):
    """The bound method that serves `method`, the position of its stream argument, and what takes whole batches."""

    method: Method
    run: Callable[..., Any]
    position: int | None = None
    take: Callable[[list[Raw]], None] | None = None


class LocalResource:
    """A server of this OS process as an entry of the resource table. `access` is the lowest role that may call."""

    def __init__(self, host: Host, server: Server, access: int | None = None) -> None:
        self.host = host
        self.server = server
        self.access = access
        self.label = ""
        self.proto = server.proto
        self.handlers = {method.selector: _handler(server, method) for method in server.methods}
        self.inboxes: dict[Conversation, Inbox] = {}

    def _find(self, selector: int) -> Handler:
        found = self.handlers.get(selector)
        if found is None:
            raise NoSuchMethod(
                f"{self.server.proto or 'the resource'} has no method {selector:#010x}",
                hint="the caller's interface may be newer; `glow idl describe` shows what the resource offers",
            )
        return found

    def decode(
        self, method: Method, value: Raw, conversation: Conversation, listed: Capabilities | None
    ) -> tuple[Any, ...]:
        """The arguments of a message that may pass capabilities. Raises InvalidArgument."""
        decoded = decode_with(method.argument_codec, value, self.host.network, conversation, listed)
        return msgspec.structs.astuple(decoded)

    # --- calls

    def request(self, conversation: Conversation, lane: int, request: Request, caller: Caller) -> ServedCall | None:
        """Runs the handler: returns its call, or None if that is answered. Raises GlowError if there is none."""
        check_access(caller, self.access)
        method, handler, position, _ = self._find(request.selector)
        if request.capabilities or method.argument_codec.passes:
            listed, request.capabilities = request.capabilities, None
            arguments = self.decode(method, request.arguments, conversation, listed)
        else:
            arguments = msgspec.structs.astuple(method.argument_codec.decode(request.arguments))
        context = CurrentCall(caller, method, conversation, self)
        call: ServedCall | None = None
        if position is not None:
            call = ServedCall(self.host, context, request.call, lane, request.deadline)
            call.stream = ArgumentStream(call, method, self.host.network)
            arguments = (*arguments[:position], call.stream, *arguments[position:])
        token = current.set(context)
        try:
            result = handler(*arguments)
        except FAULTS as error:
            conversation.fail(lane, request.call, *self.host.describe_error(method, error))
            return None
        finally:
            current.reset(token)
        return self._answer(context, lane, request, result, call)

    def _answer(
        self, context: CurrentCall, lane: int, request: Request, result: Any, call: ServedCall | None
    ) -> ServedCall | None:
        """A plain result is answered at once; everything else is left to a worker."""
        method = context.method
        if method.result_stream is None and (type(result) in _PLAIN or not inspect.isawaitable(result)):
            if not method.result_codec.passes:
                try:
                    value = encode_result(method, result)
                except FAULTS as error:
                    context.conversation.fail(lane, request.call, *self.host.describe_error(method, error))
                else:
                    context.conversation.answer(lane, request.call, value)
                return None
            result = _ready(result)
        call = call or ServedCall(self.host, context, request.call, lane, request.deadline)
        call.result = result
        self.host.workers.run(call)
        return call

    # --- notifications

    def notified(self, conversation: Conversation, lane: int, notification: Notify, caller: Caller) -> None:
        """Runs the handler, or queues for it. What cannot be served is dropped: nobody waits for an answer."""
        try:
            check_access(caller, self.access)
            handler = self._find(notification.selector)
        except GlowError as error:
            log.debug("dropped notifications: %s", error)  # a peer could fill the log with these
            conversation.refused(notification)
            return
        size = sum(map(len, notification.arguments))
        conversation.admit(notification.resource, size)
        context = CurrentCall(caller, handler.method, conversation, self)
        inbox = self.inboxes.get(conversation)
        if inbox is not None:
            inbox.waiting.append(Received(context, handler, notification, size))
            return
        token = current.set(context)
        try:
            left = self.run_inline(context, handler, notification.arguments, notification.capabilities)
        finally:
            current.reset(token)
        if left is None:
            conversation.consumed(notification.resource, size)
        else:
            inbox = Inbox(self, Received(context, handler, notification, size), left)
            self.inboxes[conversation] = inbox
            self.host.workers.run(inbox)

    def run_inline(
        self, context: CurrentCall, handler: Handler, values: list[Raw], listed: Capabilities | None
    ) -> Left | None:
        """Runs plain handlers for each of `values`; at the first awaitable returns it and the values that follow."""
        method, run = handler.method, handler.run
        if handler.take is not None and not listed:
            try:
                handler.take(values)
            except Exception as error:
                self.host.describe_error(method, error)
            return None
        codec, names = method.argument_codec, method.arguments.__struct_fields__
        decode = codec.decode
        single = names[0] if len(names) == 1 and not codec.passes and not listed else None
        for index, value in enumerate(values):
            try:
                if single is not None:
                    result = run(getattr(decode(value), single))
                else:
                    result = run(*self.decode(method, value, context.conversation, listed))
            except FAULTS as error:
                self.host.describe_error(method, error)
                continue
            if result is not None and inspect.isawaitable(result):
                return Left(result, values[index + 1 :])
        return None


class Received(NamedTuple):
    """Notifications of one message, and who serves them."""

    context: CurrentCall
    handler: Handler
    notification: Notify
    size: int


class Left(NamedTuple):
    """What is left of a message at its first asynchronous handler."""

    awaitable: Awaitable[Any]
    values: list[Raw]


class Inbox(Job):
    """Notifications of one peer to one resource, from the first asynchronous handler until nothing waits."""

    __slots__ = ("_first", "_left", "_resource", "waiting")

    def __init__(self, resource: LocalResource, first: Received, left: Left) -> None:
        self._resource = resource
        self._first = first
        self._left = left
        self.waiting: deque[Received] = deque()

    async def run(self, scope: trio.CancelScope) -> None:
        conversation = self._first.context.conversation
        try:
            await self._finish(self._first, self._left)
            while self.waiting and conversation.closed is None:
                received = self.waiting.popleft()
                await self._finish(received, self._run(received, received.notification.arguments))
        finally:
            del self._resource.inboxes[conversation]

    def _run(self, received: Received, values: list[Raw]) -> Left | None:
        current.set(received.context)
        listed = received.notification.capabilities
        return self._resource.run_inline(received.context, received.handler, values, listed)

    async def _finish(self, received: Received, left: Left | None) -> None:
        context = received.context
        current.set(context)
        while left is not None:
            try:
                await left.awaitable
            except FAULTS as error:
                self._resource.host.describe_error(context.method, error)
            if context.conversation.closed is not None:
                return
            left = self._run(received, left.values)
        context.conversation.consumed(received.notification.resource, received.size)


async def _ready(value: Any) -> Any:
    return value


def _handler(server: Server, method: Method) -> Handler:
    """Finds the method of `server` by the name under which the generated base declares it."""
    for base in reversed(type(server).__mro__):
        declared = base.__dict__.get(method.name) or base.__dict__.get(method.name + "_")
        if declared is not None:
            break
    else:
        return Handler(method, lambda *_: missing(method))
    handler = getattr(server, declared.__name__)
    given = getattr(type(server), declared.__name__)
    if server.thread is not None and given is not declared and is_plain(given):
        stream = method.result_stream is not None
        handler = in_thread(server.thread, method.name, handler, notify=method.notify, stream=stream)
    elif method.notify:
        return Handler(method, handler, take=taker_of(server, method.name))
    if method.argument_stream is None:
        return Handler(method, handler)
    names = [name for name in inspect.signature(declared).parameters if name != "self"]
    plain = set(method.arguments.__struct_fields__)
    return Handler(method, handler, next(index for index, name in enumerate(names) if name not in plain))
