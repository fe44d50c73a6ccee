"""The owner's side: server stubs, and the dispatcher that brings requests to their methods.

A plain `def` handler runs inline, where its request was received, and its answer leaves with whatever else leaves; an
`async def` handler runs on a reused task in a cancel scope of its own.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, Union

import msgspec
import trio
from msgspec import Raw

from firefly.errors import (
    CallCancelled,
    DeadlineExceeded,
    Denied,
    GlowError,
    Internal,
    InvalidArgument,
    NoSuchMethod,
    NoSuchResource,
    decode_error,
    encode_error,
)
from firefly.messages import Capabilities, Notify, Request
from firefly.rpc import Conversation, IncomingCall
from firefly.runtime.method import NIL, Capability, Codec, Method
from firefly.runtime.network import Network, describe_passing, wait_for
from firefly.runtime.stub import binder, cut
from firefly.runtime.workers import Errand, Job, Workers

T = TypeVar("T")
Answer = Union[T, Awaitable[T]]  # noqa: UP007 (an alias with a type variable)
"""What a handler gives: a value, or (`async def`) the promise of one."""

log = logging.getLogger("firefly")
CLOSE_TIME = 5.0
"""Seconds that a stream of results may take to clean up after itself."""
_PLAIN = frozenset({bytes, str, int, bool, float, type(None), list, dict})
"""Types of results that are seen at a glance to be no awaitables."""
ADMIN, MEMBER = 1, 2


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: its node's Ed25519 key, the namespace it is certified in, its role there (core.Role)."""

    key: bytes
    namespace: bytes
    role: int
    address: bytes
    local: bool = False


class CurrentCall(msgspec.Struct, frozen=True, eq=False):
    """What a handler can know of the call that it serves."""

    caller: Caller
    method: Method
    conversation: Conversation


_current: ContextVar[CurrentCall] = ContextVar("current_call")


def current_call() -> CurrentCall:
    """The call that the running handler serves. Raises LookupError outside of one."""
    return _current.get()


def missing(method: Method) -> NoReturn:
    """The answer of a method that a process does not implement."""
    raise NoSuchMethod(f"{method.path} is not implemented here")


class Server(Capability):
    """Base of the generated servers. A subclass overrides the methods that it serves."""

    proto: ClassVar[str] = ""
    schema: ClassVar[bytes] = b""
    methods: ClassVar[tuple[Method, ...]] = ()


def describe(server: Server) -> Any:
    """The answer of `Resource.describe`, which every server has."""
    from firefly.interfaces.core import Description

    return Description(server.proto, server.schema)


class ArgumentStream(Generic[T]):
    """A stream of arguments as its handler sees it: an async iterator, with `batches` for all items at hand."""

    def __init__(self, call: ServedCall, method: Method) -> None:
        self._call = call
        self._codec = method.argument_item_codec
        self._batches: deque[tuple[list[Raw], Capabilities | None]] = deque()
        self._items: list[T] = []
        self._waiter: trio.Event | None = None
        self._opened = False
        self._ended = False
        self._error: GlowError | None = None

    def _arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self._batches.append((values, capabilities))
        self._wake()

    def _end(self, error: GlowError | None) -> None:
        self._ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if not self._items:
            self._items = await self._next()
            self._items.reverse()
        return self._items.pop()

    async def batches(self) -> AsyncIterator[list[T]]:
        while True:
            try:
                yield await self._next()
            except StopAsyncIteration:
                return

    async def _next(self) -> list[T]:
        """The next items. Raises StopAsyncIteration after the last; what the source raised."""
        if not self._opened:
            self._opened = True
            self._call.open_window()
        while not self._batches:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = trio.Event()
            await self._waiter.wait()
        values, listed = self._batches.popleft()
        items = [self._call.decode(self._codec, value, listed) for value in values]
        self._call.consumed(sum(map(len, values)))
        return items


class ServedCall(IncomingCall, Job):
    """A call on its way through an asynchronous handler, or through one that reads or gives a stream."""

    __slots__ = ("_cancelled", "_context", "_credit_event", "_deadline", "_host", "_scope", "result", "stream")

    def __init__(self, host: Host, context: CurrentCall, number: int, lane: int) -> None:
        super().__init__(context.conversation, number, lane)
        self._host = host
        self._context = context
        self._scope: trio.CancelScope | None = None
        self._cancelled = False
        self._deadline = math.inf
        self._credit_event: trio.Event | None = None
        self.result: Any = None
        self.stream: ArgumentStream[Any] | None = None

    def set_deadline(self, left: int | None) -> None:
        """`left`: µs until the caller stops waiting."""
        if left is not None:
            self._deadline = trio.current_time() + left / 1e6

    def cancelled(self) -> None:
        self._cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    def credited(self) -> None:
        if self._credit_event is not None:
            self._credit_event.set()
            self._credit_event = None

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        if self.stream is not None:
            self.stream._arrived(values, capabilities)

    def ended(self, error: tuple[int, bytes] | None) -> None:
        if self.stream is not None:
            self.stream._end(decode_error(*error, {}) if error is not None else None)

    def decode(self, codec: Codec, value: Raw, listed: Capabilities | None) -> Any:
        if not codec.passes:
            return codec.decode(value)
        return codec.decode_passing(value, binder(self._host.network, self.conversation, listed))

    async def run(self, scope: trio.CancelScope) -> None:
        """Runs the handler's awaitable or async iterator, `result`, to its last word."""
        _current.set(self._context)
        if self._cancelled:
            scope.cancel()
        if self._deadline < math.inf:
            scope.deadline = self._deadline
        self._scope = scope
        try:
            if self._context.method.result_stream is not None:
                await self._send_items(self.result)
                self._last_word(self.answer, NIL)
            else:
                await self._host.answer(self, self._context, await self.result)
        except Exception as error:
            self._last_word(self.fail, *self._host.describe_error(self._context.method, error))
        self._scope = None
        if self._deadline < math.inf:
            scope.deadline = math.inf

    def cut_off(self, own: bool) -> None:
        self._scope = None
        if not own:
            ended: GlowError = CallCancelled("the owner of the resource is stopping")
        elif not self._cancelled:
            ended = DeadlineExceeded("the deadline passed")
        else:
            ended = CallCancelled("the caller gave up")
        self._last_word(self.fail, *encode_error(ended))

    def _last_word(self, say: Callable[..., None], *words: Any) -> None:
        if self.number in self.conversation.serving:
            say(*words)

    async def _send_items(self, items: Any) -> None:
        method = self._context.method
        codec = method.result_item_codec
        if inspect.isawaitable(items):
            items = await items
        try:
            async for item in items:
                for piece in cut(item, method.result_stream):
                    if self.credit <= 0 or self.conversation.outbox.full:
                        await self._room()
                    await self._send_piece(codec, piece)
        finally:
            if hasattr(items, "aclose"):
                with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_TIME):
                    await items.aclose()

    async def _send_piece(self, codec: Codec, piece: Any) -> None:
        if not codec.passes:
            self.send_item(codec.encode(piece))
            return
        encoded, passing = codec.encode_passing(piece)
        self.send_item(encoded, await self._host.pass_on(self._context, passing))

    async def _room(self) -> None:
        while self.credit <= 0 or self.conversation.outbox.full:
            if self.credit <= 0:
                self._credit_event = trio.Event()
                await self._credit_event.wait()
            else:
                await wait_for(self.conversation.when_room)


class LocalResource:
    """A server of this OS process as an entry of the resource table. `access` is the lowest role that may call."""

    def __init__(self, host: Host, server: Server, access: int | None = None) -> None:
        self.host = host
        self.server = server
        self.access = access
        self.label = ""
        self.proto = server.proto
        self.methods = {method.selector: (method, *_handler(server, method)) for method in server.methods}
        self._notified: dict[Conversation, deque[tuple[Any, Notify]]] = {}

    def _find(self, selector: int) -> tuple[Method, Callable[..., Any], int | None]:
        found = self.methods.get(selector)
        if found is None:
            raise NoSuchMethod(
                f"{self.server.proto or 'the resource'} has no method {selector:#010x}",
                hint="the caller's interface may be newer; `glow idl describe` shows what the resource offers",
            )
        return found

    def request(self, conversation: Conversation, lane: int, request: Request, caller: Caller) -> IncomingCall | None:
        check_access(caller, self.access)
        method, handler, position = self._find(request.selector)
        codec = method.argument_codec
        if codec.passes:
            decoded = codec.decode_passing(
                request.arguments, binder(self.host.network, conversation, request.capabilities)
            )
        else:
            decoded = codec.decode(request.arguments)
        arguments = list(msgspec.structs.astuple(decoded))
        context = CurrentCall(caller, method, conversation)
        call: ServedCall | None = None
        if position is not None:
            call = self._served(context, lane, request)
            call.stream = ArgumentStream(call, method)
            arguments.insert(position, call.stream)
        token = _current.set(context)
        try:
            result = handler(*arguments)
        except Exception as error:
            conversation.fail(lane, request.call, *self.host.describe_error(method, error))
            return None
        finally:
            _current.reset(token)
        return self._answer(context, lane, request, result, call)

    def _served(self, context: CurrentCall, lane: int, request: Request) -> ServedCall:
        call = ServedCall(self.host, context, request.call, lane)
        call.set_deadline(request.deadline)
        return call

    def _answer(
        self, context: CurrentCall, lane: int, request: Request, result: Any, call: ServedCall | None
    ) -> ServedCall | None:
        method = context.method
        if method.result_stream is None and (type(result) in _PLAIN or not inspect.isawaitable(result)):
            if not method.result_codec.passes:
                try:
                    value = NIL if method.result is None else method.result_codec.encode(result)
                except Exception as error:
                    context.conversation.fail(lane, request.call, *self.host.describe_error(method, error, True))
                else:
                    context.conversation.answer(lane, request.call, value)
                return None
            result = _ready(result)
        call = call or self._served(context, lane, request)
        call.result = result
        self.host.workers.run(call)
        return call

    def notified(self, conversation: Conversation, lane: int, notification: Notify, caller: Caller) -> None:
        size = sum(map(len, notification.arguments))
        try:
            check_access(caller, self.access)
            method, handler, _ = self._find(notification.selector)
        except GlowError as error:
            log.info("dropped notifications: %s", error)
            conversation.refused(notification)
            return
        conversation.admit(notification.resource, size)
        waiting = self._notified.get(conversation)
        if waiting is not None:
            waiting.append((caller, notification))
            return
        token = _current.set(CurrentCall(caller, method, conversation))
        try:
            rest = self._run_notified(conversation, method, handler, notification)
        finally:
            _current.reset(token)
        if rest is None:
            conversation.consumed(notification.resource, size)
            return
        queue = self._notified[conversation] = deque()
        context = CurrentCall(caller, method, conversation)
        self.host.workers.run(Errand(lambda: self._drain(context, notification, size, rest, queue)))

    def _run_notified(
        self, conversation: Conversation, method: Method, handler: Callable[..., Any], notification: Notify
    ) -> tuple[Any, list[Raw]] | None:
        """Runs plain handlers inline; at the first awaitable returns it and the arguments that follow."""
        codec, values = method.argument_codec, notification.arguments
        names = method.arguments.__struct_fields__
        decode = codec.decode
        single = names[0] if len(names) == 1 and not codec.passes else None
        for index, value in enumerate(values):
            try:
                if single is not None:
                    result = handler(getattr(decode(value), single))
                else:
                    result = handler(*self._decode_notified(conversation, method, value, notification))
            except Exception as error:
                self.host.describe_error(method, error)
                continue
            if result is not None and inspect.isawaitable(result):
                return result, values[index + 1 :]
        return None

    def _decode_notified(
        self, conversation: Conversation, method: Method, value: Raw, notification: Notify
    ) -> list[Any]:
        codec = method.argument_codec
        if codec.passes:
            bind = binder(self.host.network, conversation, notification.capabilities)
            decoded = codec.decode_passing(value, bind)
        else:
            decoded = codec.decode(value)
        return [getattr(decoded, name) for name in decoded.__struct_fields__]

    async def _drain(
        self,
        context: CurrentCall,
        notification: Notify,
        size: int,
        rest: tuple[Any, list[Raw]] | None,
        queue: deque[tuple[Any, Notify]],
    ) -> None:
        """Runs asynchronous handlers of one peer's notifications one after another."""
        conversation = context.conversation
        try:
            while conversation.closed is None:
                method, handler, _ = self._find(notification.selector)
                _current.set(CurrentCall(context.caller, method, conversation))
                while rest is not None:
                    awaitable, values = rest
                    try:
                        await awaitable
                    except Exception as error:
                        self.host.describe_error(method, error)
                    following = Notify(notification.resource, notification.selector, values)
                    rest = self._run_notified(conversation, method, handler, following)
                conversation.consumed(notification.resource, size)
                if not queue:
                    return
                _, notification = queue.popleft()
                size = sum(map(len, notification.arguments))
                rest = self._run_notified(conversation, *self._find(notification.selector)[:2], notification)
        finally:
            self._notified.pop(conversation, None)


async def _ready(value: T) -> T:
    return value


def _handler(server: Server, method: Method) -> tuple[Callable[..., Any], int | None]:
    """The bound handler, and the position of its stream argument."""
    for base in reversed(type(server).__mro__):
        declared = next(filter(callable, map(base.__dict__.get, (method.name, method.name + "_"))), None)
        if declared is not None:
            break
    else:
        return lambda *_: missing(method), None
    handler = getattr(server, declared.__name__)
    if method.argument_stream is None:
        return handler, None
    names = [name for name in inspect.signature(declared).parameters if name != "self"]
    plain = set(method.arguments.__struct_fields__)
    return handler, next(index for index, name in enumerate(names) if name not in plain)


def check_access(caller: Caller, access: int | None) -> None:
    """Raises Denied if the caller's role is below `access` (core.Role: ADMIN 1, MEMBER 2)."""
    if access is not None and not caller.local and not 1 <= caller.role <= access:
        raise Denied(
            "the caller's role does not allow this call",
            cause=f"it needs {'an administrator' if access == ADMIN else 'a member'} of the namespace",
            hint="run it on a device of an administrator, or create the process with access for members",
        )


class Host:
    """The resource table of one OS process, and the dispatcher that answers from it.

    An entry is a LocalResource, or whatever else answers `request` and `notified` (an attached process).
    """

    def __init__(self, network: Network, workers: Workers) -> None:
        self.network = network
        self.workers = workers
        self.resources: dict[bytes, Any] = {}
        self.errors = 0

    def add(self, resource: bytes, server: Server, access: int | None = None) -> None:
        self.resources[resource] = LocalResource(self, server, access)

    def remove(self, resource: bytes) -> None:
        self.resources.pop(resource, None)

    def caller(self, conversation: Conversation, message: Any) -> Caller:
        """Who sent a message; an attachment is told by its node, message by message."""
        peer = conversation.peer
        if peer is not None:
            return peer  # type: ignore[no-any-return]
        key, namespace, role, address = message.peer
        return Caller(key, namespace, role, address)

    def find(self, conversation: Conversation, resource: bytes) -> Any:
        """The entry of a resource, None if there is none for this peer."""
        entry = self.resources.get(resource)
        if entry is None:
            export = conversation.exports.get(resource)
            if export is not None:
                entry = export.entry = export.entry or LocalResource(self, export.server)
        return entry

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        return self.request_from(self.caller(conversation, request), conversation, lane, request)

    def request_from(
        self, caller: Caller, conversation: Conversation, lane: int, request: Request
    ) -> IncomingCall | None:
        """The same for a caller that is known otherwise."""
        entry = self.find(conversation, request.resource)
        if entry is None:
            raise NoSuchResource("there is no such resource here", hint="`glow ls NODE` shows the resources of a node")
        return entry.request(conversation, lane, request, caller)  # type: ignore[no-any-return]

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        self.notified_from(self.caller(conversation, notification), conversation, lane, notification)

    def notified_from(self, caller: Caller, conversation: Conversation, lane: int, notification: Notify) -> None:
        """The same for a caller that is known otherwise."""
        entry = self.find(conversation, notification.resource)
        if entry is None:
            conversation.refused(notification)
            return
        entry.notified(conversation, lane, notification, caller)

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None:
        """Statements are the node's business; an OS process that only serves has no use for them."""

    async def pass_on(self, context: CurrentCall, passing: list[Capability]) -> Capabilities | None:
        if not passing:
            return None
        receiver = context.caller.address
        return await describe_passing(self.network, receiver, context.conversation, passing)

    async def answer(self, call: IncomingCall, context: CurrentCall, value: Any) -> None:
        method = context.method
        codec = method.result_codec
        try:
            if codec.passes:
                encoded, passing = codec.encode_passing(value)
                listed = await self.pass_on(context, passing)
            else:
                encoded, listed = (NIL if method.result is None else codec.encode(value)), None
        except InvalidArgument as error:
            call.fail(*self.describe_error(method, error, True))
        else:
            call.answer(encoded, listed)

    def describe_error(self, method: Method, error: Exception, ours: bool = False) -> tuple[int, bytes]:
        """What the caller is told of an exception: a declared or system error as it is, anything else by an id."""
        if isinstance(error, GlowError) and not ours:
            if error.code >= 256 and error.code not in method.errors:
                log.warning("%s raised %s, which it does not declare", method.path, type(error).__name__)
            return encode_error(error)
        self.errors += 1
        number = os.urandom(4).hex()
        log.error("error %s in %s", number, method.path, exc_info=error)
        return encode_error(
            Internal(
                f"{method.path} failed in a way it does not declare (error {number})",
                hint=f"look for {number} in the log of the resource's node",
            )
        )
