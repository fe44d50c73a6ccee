"""Streams as their readers see them: of results at the caller, of arguments at the handler."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import trio
from msgspec import Raw

from firefly.errors import GlowError, Interrupted
from firefly.messages import Capabilities
from firefly.runtime.capabilities import decode_with, describe_passing, run_later
from firefly.runtime.context import time_left
from firefly.runtime.method import Method
from firefly.runtime.network import RETRIES, Network
from firefly.runtime.outgoing import ArgumentSource, PendingCall, Source, StreamCall
from firefly.runtime.thread import wait

if TYPE_CHECKING:
    from firefly.calls import IncomingCall
    from firefly.runtime.stub import Stub

T = TypeVar("T")


class _Items(Generic[T]):
    """A stream by items or by batches; `_next` gives the next batch."""

    def __init__(self) -> None:
        self._items: list[T] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._items:
            self._items = await self._next()
            self._items.reverse()
        return self._items.pop()

    def batches(self) -> AsyncIterator[list[T]]:
        """All items at hand, at least one, each time; the same items as by `async for`."""
        return _Batches(self)

    async def next_batch(self) -> list[T]:
        """What is at hand, else what comes next. Raises StopAsyncIteration after the last."""
        if self._items:
            at_hand, self._items = self._items[::-1], []
            return at_hand
        return await self._next()

    async def _next(self) -> list[T]:
        """Raises StopAsyncIteration after the last item."""
        raise NotImplementedError


class _Batches(Generic[T]):
    """A stream by batches. No generator: one that is left in the middle would have to be closed."""

    def __init__(self, items: _Items[T]) -> None:
        self._items = items

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T]:
        return await self._items.next_batch()


class ResultStream(_Items[T]):
    """A stream of results: `async for item in stream`, or `async for items in stream.batches()`, which is faster.

    The call is made when the first item is asked for. It ends with the last item, with an error, by `aclose`, by
    leaving `async with`, or when nobody holds the stream any more. Iterating takes no checkpoint while items are at
    hand. An `@idempotent` method without a stream of arguments is called again, at most 3 times, if its session is
    lost before the first item.
    """

    def __init__(self, stub: Stub, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None) -> None:
        super().__init__()
        self._call: StreamCall | None = None
        self._ended = False
        self._stub = stub
        self._method = method
        self._arguments = arguments
        self._source = None if source is None else ArgumentSource(stub._net, stub._node, method, source)
        self._sending = trio.CancelScope()
        self._retries = RETRIES if method.idempotent and source is None else 0

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
        if self._call is not None and not self._ended:
            run_later(self._token, _end, self._call, self._sending)

    def _end(self) -> None:
        if self._call is not None and not self._ended:
            _end(self._call, self._sending)
        self._ended = True
        self._items = []

    async def _next(self) -> list[T]:
        if self._ended:
            raise StopAsyncIteration
        batch = await self._next_batch()
        if batch is None:
            self._end()
            raise StopAsyncIteration
        assert self._call is not None
        self._retries = 0
        values, listed = batch
        codec, call = self._method.result_item_codec, self._call
        if codec.passes or listed:
            items = [decode_with(codec, value, self._stub._net, call.conversation, listed) for value in values]
        else:
            items = [codec.decode(value) for value in values]
        call.consumed(sum(map(len, values)))
        return items

    async def _next_batch(self) -> tuple[list[Raw], Capabilities | None] | None:
        while True:
            if self._call is None:
                self._call = await self._begin()
            try:
                return await self._call.next_batch()
            except Interrupted:
                if not self._retries or not self._stub._may_retry(self._call):
                    self._end()
                    raise
                self._retries -= 1
                self._call = None
            except GlowError as error:
                self._end()
                failure = None if self._source is None else self._source.failure
                raise failure or error from None

    async def _begin(self) -> StreamCall:
        stub, method = self._stub, self._method
        codec = method.argument_codec
        encoded, passing = (
            codec.encode_passing(self._arguments) if codec.passes else (codec.encode(self._arguments), [])
        )
        peer = await stub._reach()
        listed = await describe_passing(stub._net, stub._node, peer, passing)
        call = StreamCall(peer, method)
        peer.call(call, stub._resource, method.selector, encoded, time_left(), listed)
        self._token = trio.lowlevel.current_trio_token()
        if self._source is not None and not self._source.send_nothing(call):
            trio.lowlevel.spawn_system_task(_send, self._source, call, self._sending, context=copy_context())
        return call


async def _send(source: ArgumentSource, call: PendingCall, scope: trio.CancelScope) -> None:
    """Sends arguments while results are read. It holds no stream, so that one which is forgotten ends it."""
    with scope:
        await source.send(call)


def _end(call: StreamCall, sending: trio.CancelScope) -> None:
    sending.cancel()
    call.abandon()


class ArgumentStream(_Items[T]):
    """A stream of arguments as its handler sees it: an async iterator, with `batches` for all items at hand.

    A blocking handler reads it with a plain `for`.
    """

    def __init__(self, call: IncomingCall, method: Method, network: Network) -> None:
        super().__init__()
        self._call = call
        self._network = network
        self._method = method
        self._batches: deque[tuple[list[Raw], Capabilities | None]] = deque()
        self._waiter: trio.Event | None = None
        self._opened = False
        self._ended = False
        self._error: GlowError | None = None

    def __iter__(self) -> Iterator[T]:
        """For the handlers of a thread. Raises CallCancelled, too, if nobody waits for the handler any more."""
        while batch := wait(self._batch):
            yield from batch

    async def _batch(self) -> list[T]:
        """The next items, none after the last."""
        try:
            return await self.next_batch()
        except StopAsyncIteration:
            return []

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        """The runtime's: items came."""
        self._batches.append((values, capabilities))
        self._wake()

    def end(self, error: GlowError | None) -> None:
        """The runtime's: no more come."""
        self._ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None

    @property
    def exhausted(self) -> bool:
        """Whether it has come to its end already, without an error; so nothing needs to be made ready for its items."""
        return self._ended and self._error is None and not self._batches and not self._items

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
        codec, conversation = self._method.argument_item_codec, self._call.conversation
        if codec.passes or listed:
            items = [decode_with(codec, value, self._network, conversation, listed) for value in values]
        else:
            items = [codec.decode(value) for value in values]
        self._call.consumed(sum(map(len, values)))
        return items
