"""The caller's side: client stubs, calls as awaitables, streams of results."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Generator, Iterable
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

import outcome
import trio
from msgspec import Raw

from firefly.credit import START, Window
from firefly.errors import (
    DeadlineExceeded,
    GlowError,
    Interrupted,
    InvalidArgument,
    decode_error,
    encode_error,
)
from firefly.messages import Capabilities
from firefly.outbox import VALUE_OVERHEAD, Run
from firefly.rpc import Conversation, OutgoingCall
from firefly.runtime.method import Capability, Codec, Method
from firefly.runtime.network import Network, Peer, describe_passing, wait_for

T = TypeVar("T")
Source = AsyncIterable[T] | Iterable[T]
"""What a stream argument is read from."""

ITEM_SIZE = 64_000
"""Bytes of one item of a stream of bytes, so that it fits one packet."""
RETRIES = 3


class _Sent:
    """An awaitable that is done: a notification that found room."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_SENT: Awaitable[None] = _Sent()


class Stub(Capability):
    """Base of the generated clients: a resource of some node, and the right to use it.

    A stub that came out of a call holds its object alive at the owner; `release` or garbage collection lets it go.
    """

    is_stub = True
    proto: ClassVar[str] = ""
    schema: ClassVar[bytes] = b""

    def __init__(self, network: Network | None, node: bytes, resource: bytes) -> None:
        self._bind(network, node, resource, None)

    def _bind(self, network: Network | None, node: bytes, resource: bytes, held: Conversation | None) -> None:
        self._network = network
        self._node = node
        self._resource = resource
        self._held = held
        self._peer: Peer | None = None
        self._run: Run | None = None
        self._run_method: Method | None = None

    def release(self) -> None:
        """Lets the object at the owner go; the stub is of no more use."""
        held, self._held = self._held, None
        if held is not None:
            held.release(self._resource)

    def __del__(self) -> None:
        if getattr(self, "_held", None) is not None:
            self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._resource.hex()} at {self._node.hex()}>"

    async def _reach(self) -> Peer:
        peer = self._peer
        if peer is None or peer.closed is not None:
            if self._network is None:
                raise InvalidArgument("this capability was made by hand and leads nowhere")
            if self._held is not None:
                raise Interrupted("the object went with the session that passed it")
            peer = self._peer = self._network.peer(self._node) or await self._network.reach(self._node)
        while peer.full:
            await wait_for(peer.when_room)
            if peer.closed is not None:
                return await self._reach()
        return peer

    async def _call(self, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None = None) -> Any:
        codec = method.argument_codec
        encoded, passing = codec.encode_passing(arguments) if codec.passes else (codec.encode(arguments), ())
        attempts = RETRIES if method.idempotent and source is None else 0
        while True:
            peer = self._peer
            if peer is None or peer.closed is not None or peer.full:
                peer = await self._reach()
            try:
                capabilities = await describe_passing(self._net, self._node, peer, list(passing)) if passing else None
                call = PendingCall(peer, method)
                peer.call(call, self._resource, method.selector, encoded, _time_left(), capabilities)
                if source is not None:
                    return self._result(method, call, await _call_with_source(call, method, source))
                value = await call.wait()
                codec = method.result_codec
                return self._result(method, call, value) if codec.passes else codec.decode(value)
            except Interrupted:
                attempts -= 1
                if attempts < 0 or peer.closed is None or self._held is not None:
                    raise

    @property
    def _net(self) -> Network:
        assert self._network is not None
        return self._network

    def _result(self, method: Method, call: PendingCall, value: Raw) -> Any:
        codec = method.result_codec
        return self._decode(codec, value, call.capabilities, call.conversation)

    def _decode(self, codec: Codec, value: Raw, listed: Capabilities | None, conversation: Conversation) -> Any:
        if not codec.passes:
            return codec.decode(value)
        return codec.decode_passing(value, binder(self._net, conversation, listed))

    def _notify(self, method: Method, arguments: tuple[Any, ...]) -> Awaitable[None]:
        if self._run_method is method:
            encoded = method.argument_codec.encode(arguments)
            need = len(encoded) + VALUE_OVERHEAD
            run = self._run
            if run is not None and need <= run.room:
                run.values.append(encoded)
                run.room -= need
                return _SENT
            return self._notify_encoded(method, encoded)
        if method.argument_codec.passes:
            return self._notify_later(method, *method.argument_codec.encode_passing(arguments))
        return self._notify_encoded(method, method.argument_codec.encode(arguments))

    def _notify_encoded(self, method: Method, encoded: bytes) -> Awaitable[None]:
        peer = self._peer
        if peer is None or peer.closed is not None or peer.full or not peer.notify_credit(self._resource):
            return self._notify_later(method, encoded, [])
        self._run = peer.notify(method.lane, self._resource, method.selector, encoded, None)
        self._run_method = method
        return _SENT

    async def _notify_later(self, method: Method, encoded: bytes, passing: list[Capability]) -> None:
        peer = await self._reach()
        while not peer.notify_credit(self._resource):
            await wait_for(partial(peer.when_credit, self._resource))
            if peer.closed is not None or peer.full:
                peer = await self._reach()
        capabilities = await describe_passing(self._net, self._node, peer, passing) if passing else None
        peer.notify(method.lane, self._resource, method.selector, encoded, capabilities)

    def _stream(self, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None = None) -> Any:
        return ResultStream(self, method, arguments, source)


def binder(network: Network, conversation: Conversation, listed: Capabilities | None) -> Any:
    """Gives decoded stubs their place from the list at the end of their message. Raises InvalidArgument."""

    def bind(stub: Any, index: int) -> None:
        if listed is None or index >= len(listed):
            stub._bind(None, b"", b"", None)
            raise InvalidArgument("a value names a capability that its message does not pass")
        resource, node = listed[index]
        stub._bind(network, node, resource, conversation if node != network.address else None)
        if stub._held is not None:
            stub._peer = network.peer(node)

    return bind


_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def _time_left() -> int | None:
    """µs until the end of the innermost `deadline` block."""
    end = _deadline.get()
    return None if end == math.inf else max(0, int((end - trio.current_time()) * 1e6))


class PendingCall(OutgoingCall):
    """A call whose caller waits for the one answer."""

    __slots__ = ("_credit_event", "_method", "_outcome", "_task", "capabilities")

    def __init__(self, peer: Peer, method: Method) -> None:
        conversation = peer.conversation
        self.conversation = conversation
        self.number = conversation.next_number()
        self.lane = method.lane
        self.credit = 0
        self.window = None
        self._method = method
        self._task: trio.lowlevel.Task | None = None
        self._outcome: Any = None
        self._credit_event: trio.Event | None = None
        self.capabilities: Capabilities | None = None

    async def wait(self) -> Raw:
        """The encoded result. Raises what the owner answered, Interrupted if the session ended."""
        if self._outcome is not None:
            await trio.lowlevel.checkpoint()
            return self._outcome.unwrap()  # type: ignore[no-any-return]
        self._task = trio.lowlevel.current_task()
        return await trio.lowlevel.wait_task_rescheduled(self._abort)  # type: ignore[no-any-return]

    def _abort(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        self.cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    def _finish(self, result: Any) -> None:
        if self._outcome is None:
            self._outcome = result
            if self._task is not None:
                trio.lowlevel.reschedule(self._task, result)
                self._task = None

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        self.capabilities = capabilities
        task = self._task
        if task is not None and self._outcome is None:
            self._task = None
            self._outcome = result = outcome.Value(value)
            trio.lowlevel.reschedule(task, result)
        else:
            self._finish(outcome.Value(value))

    def failed(self, code: int, body: bytes) -> None:
        self._finish(outcome.Error(decode_error(code, body, self._method.errors)))

    def lost(self, error: GlowError) -> None:
        self._finish(outcome.Error(type(error)(error.message, error.cause, error.hint)))
        self.credited()

    def credited(self) -> None:
        if self._credit_event is not None:
            self._credit_event.set()
            self._credit_event = None

    async def room(self) -> None:
        """Waits until an item may be sent."""
        while self.credit <= 0 or self.conversation.outbox.full:
            if self._outcome is not None:
                await trio.sleep_forever()
            if self.credit <= 0:
                self._credit_event = trio.Event()
                await self._credit_event.wait()
            else:
                await wait_for(self.conversation.when_room)


async def _call_with_source(call: PendingCall, method: Method, source: Source[Any]) -> Raw:
    failure: list[BaseException] = []
    value = Raw()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_items, call, method, source, failure)
        try:
            value = await call.wait()
        except GlowError as error:
            failure.insert(0, error)
        nursery.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return value


async def _send_items(call: PendingCall, method: Method, source: Source[Any], failure: list[BaseException]) -> None:
    """Sends a stream of arguments; an error of the source ends the stream with it and is raised to the caller."""
    codec = method.argument_item_codec
    try:
        async for item in iterate(source):
            for piece in cut(item, method.argument_stream):
                await call.room()
                call.send_item(codec.encode(piece))
    except Exception as error:
        failure.append(error)
        reported = error if isinstance(error, GlowError) else InvalidArgument("the source of a stream failed")
        call.end(encode_error(reported))
    else:
        call.end()


async def iterate(source: Source[T]) -> AsyncIterator[T]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
            await trio.lowlevel.checkpoint()


def cut(item: Any, kind: Any) -> Iterable[Any]:
    """Bytes in pieces that fit a packet; anything else as it is."""
    if kind is bytes and len(item) > ITEM_SIZE:
        view = memoryview(item)
        return [bytes(view[start : start + ITEM_SIZE]) for start in range(0, len(view), ITEM_SIZE)]
    return (item,)


class StreamCall(PendingCall):
    """A call that is answered by a stream: batches of encoded items as they came."""

    __slots__ = ("batches", "waiter")

    def __init__(self, peer: Peer, method: Method) -> None:
        super().__init__(peer, method)
        self.window = Window(self.conversation.budget, self.conversation.now(), START)
        self.batches: deque[tuple[list[Raw], Capabilities | None]] = deque()
        self.waiter: trio.Event | None = None

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self.batches.append((values, capabilities))
        self._wake()

    def _finish(self, result: Any) -> None:
        super()._finish(result)
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None:
            self.waiter.set()
            self.waiter = None

    async def next_batch(self) -> tuple[list[Raw], Capabilities | None] | None:
        """The next items, None after the last. Raises what ended the stream."""
        while not self.batches:
            if self._outcome is not None:
                self._outcome.unwrap()
                return None
            self.waiter = trio.Event()
            await self.waiter.wait()
        return self.batches.popleft()


class ResultStream(Generic[T]):
    """A stream of results: `async for item in stream`, or `async for items in stream.batches()`, which is faster.

    The call is made when the first item is asked for, and ended by `aclose`, by leaving `async with`, or when the
    last item was read. Iterating takes no checkpoint while items are at hand.
    """

    def __init__(self, stub: Stub, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None) -> None:
        self._stub = stub
        self._method = method
        self._arguments = arguments
        self._source = source
        self._call: StreamCall | None = None
        self._items: list[T] = []
        self._ended = False
        self._pump: trio.CancelScope | None = None
        self._failure: list[BaseException] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the call; what was not read is lost."""
        self._end()
        await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._items = []
        if self._pump is not None:
            self._pump.cancel()
        if self._call is not None and self._call._outcome is None:
            self._call.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._items:
            self._items = await self._next()
            self._items.reverse()
        return self._items.pop()

    async def batches(self) -> AsyncIterator[list[T]]:
        """All items at hand, at least one, each time; the same items as by `async for`."""
        if self._items:
            yield self._items[::-1]
            self._items = []
        while True:
            try:
                yield await self._next()
            except StopAsyncIteration:
                return

    async def _next(self) -> list[T]:
        if self._ended:
            raise StopAsyncIteration
        if self._call is None:
            self._call = await self._begin()
        batch = await self._call.next_batch()
        if batch is None:
            self._end()
            raise StopAsyncIteration
        values, listed = batch
        codec = self._method.result_item_codec
        if codec.passes:
            items = [self._stub._decode(codec, value, listed, self._call.conversation) for value in values]
        else:
            items = [codec.decode(value) for value in values]
        self._call.consumed(sum(map(len, values)))
        return items

    async def _begin(self) -> StreamCall:
        stub, method = self._stub, self._method
        codec = method.argument_codec
        encoded, passing = (
            codec.encode_passing(self._arguments) if codec.passes else (codec.encode(self._arguments), [])
        )
        peer = await stub._reach()
        listed = await describe_passing(stub._net, stub._node, peer, passing) if passing else None
        call = StreamCall(peer, method)
        peer.call(call, stub._resource, method.selector, encoded, _time_left(), listed)
        if self._source is not None:
            trio.lowlevel.spawn_system_task(self._feed, call, self._source)
        return call

    async def _feed(self, call: StreamCall, source: Source[Any]) -> None:
        with trio.CancelScope() as self._pump:
            await _send_items(call, self._method, source, self._failure)


class deadline:
    """`with deadline(5):` calls inside it fail with DeadlineExceeded after 5 seconds, here and at the owner."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = trio.CancelScope()

    def __enter__(self) -> trio.CancelScope:
        self._scope.deadline = min(trio.current_time() + self._seconds, _deadline.get())
        self._token = _deadline.set(self._scope.deadline)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        _deadline.reset(self._token)
        suppressed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise DeadlineExceeded(f"no answer within {self._seconds:g} s")
        return suppressed
