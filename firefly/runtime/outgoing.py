"""Open calls as their caller waits for them, and the streams of arguments that go with them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, TypeVar

import outcome
import trio
from msgspec import Raw

from firefly.calls import OutgoingCall
from firefly.credit import START, Window
from firefly.errors import GlowError, InvalidArgument, decode_error, encode_error
from firefly.messages import Capabilities
from firefly.runtime.capabilities import describe_passing
from firefly.runtime.method import Method
from firefly.runtime.network import Network, Peer, wait_for

T = TypeVar("T")
Source = AsyncIterable[T] | Iterable[T]
"""What a stream argument is read from."""

ITEM_SIZE = 64_000
"""Bytes of one item of a stream of bytes, so that it fits one packet."""
CLOSE_TIME = 5.0
"""Seconds that the generator behind a stream may take to clean up after itself."""


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

    @property
    def open(self) -> bool:
        """True until the last word has come."""
        return self._outcome is None

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

    def credited(self) -> None:
        if self._credit_event is not None:
            self._credit_event.set()
            self._credit_event = None

    async def room(self) -> None:
        """Waits until an item may be sent; for ever if the call has had its last word."""
        while self.credit <= 0 or self.conversation.outbox.full or not self.open:
            if not self.open:
                await trio.sleep_forever()
            elif self.credit <= 0:
                self._credit_event = trio.Event()
                await self._credit_event.wait()
            else:
                await wait_for(self.conversation.when_room)


class StreamCall(PendingCall):
    """A call that is answered by a stream: batches of encoded items as they came."""

    __slots__ = ("_batches", "_waiter")

    def __init__(self, peer: Peer, method: Method) -> None:
        super().__init__(peer, method)
        self.window = Window(self.conversation.budget, self.conversation.now(), START)
        self._batches: deque[tuple[list[Raw], Capabilities | None]] = deque()
        self._waiter: trio.Event | None = None

    def arrived(self, values: list[Raw], capabilities: Capabilities | None) -> None:
        self._batches.append((values, capabilities))
        self._wake()

    def _finish(self, result: Any) -> None:
        super()._finish(result)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None

    async def next_batch(self) -> tuple[list[Raw], Capabilities | None] | None:
        """The next items, None after the last. Raises, once, what ended the stream."""
        while not self._batches:
            if self._outcome is not None:
                self._outcome.unwrap()
                return None
            self._waiter = trio.Event()
            await self._waiter.wait()
        return self._batches.popleft()

    def abandon(self) -> None:
        """Nobody reads any more: what was not read is dropped, and what it passed released."""
        for _, capabilities in self._batches:
            self.conversation.release_all(capabilities)
        self._batches.clear()
        if self.open:
            self.cancel()


class ArgumentSource:
    """Sends a stream of arguments; `failure` is what its source raised."""

    def __init__(self, network: Network, node: bytes, method: Method, source: Source[Any]) -> None:
        self._network = network
        self._node = node
        self._method = method
        self._source = source
        self.failure: Exception | None = None

    async def send_with(self, call: PendingCall) -> Raw:
        """Sends to `call` until that is answered. Raises what the source raised before what the owner answered."""
        answered: Raw | GlowError
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.send, call)
            try:
                answered = await call.wait()
            except GlowError as error:
                answered = error
            nursery.cancel_scope.cancel()
        if self.failure is not None:
            raise self.failure
        if isinstance(answered, GlowError):
            raise answered
        return answered

    def send_nothing(self, call: PendingCall) -> bool:
        """Whether it is known that there is nothing to send; then the end is sent at once, together with the call."""
        empty = isinstance(self._source, list | tuple) and not self._source
        if empty:
            call.end()
        return empty

    async def send(self, call: PendingCall) -> None:
        """Sends every item, then the end, which tells the owner if the source failed. A generator is closed."""
        try:
            await self._send_all(call)
        except Exception as error:
            self.failure = error
            reported = error if isinstance(error, GlowError) else InvalidArgument("the source of a stream failed")
            call.end(encode_error(reported))
        else:
            call.end()

    async def _send_all(self, call: PendingCall) -> None:
        source = self._source
        if not isinstance(source, AsyncIterable):
            for item in source:
                await self._send_item(call, item)
                await trio.lowlevel.checkpoint()
            return
        try:
            async for item in source:
                await self._send_item(call, item)
        finally:
            if isinstance(source, AsyncGenerator):
                await close(source)

    async def _send_item(self, call: PendingCall, item: Any) -> None:
        codec = self._method.argument_item_codec
        for piece in cut(item, self._method.argument_stream):
            await call.room()
            if codec.passes:
                encoded, passing = codec.encode_passing(piece)
                listed = await describe_passing(self._network, self._node, call.conversation, passing)
                call.send_item(encoded, listed)
            else:
                call.send_item(codec.encode(piece))


async def close(generator: AsyncGenerator[Any, None]) -> None:
    """Lets a generator clean up after itself, for at most CLOSE_TIME even if the task is cancelled."""
    with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_TIME):
        await generator.aclose()


def cut(item: Any, kind: Any) -> Iterable[Any]:
    """Bytes in pieces that fit a packet; anything else as it is."""
    if kind is bytes and len(item) > ITEM_SIZE:
        view = memoryview(item)
        return [bytes(view[start : start + ITEM_SIZE]) for start in range(0, len(view), ITEM_SIZE)]
    return (item,)
