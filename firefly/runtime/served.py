"""Calls on their way through their handlers, to their last word."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from msgspec import Raw

from firefly.calls import IncomingCall
from firefly.errors import CallCancelled, DeadlineExceeded, GlowError, InvalidArgument, decode_error, encode_error
from firefly.messages import Capabilities
from firefly.outbox import RUN_LIMIT, VALUE_OVERHEAD
from firefly.runtime.batches import Encoded
from firefly.runtime.capabilities import describe_passing
from firefly.runtime.context import CurrentCall, announce_deadline, current
from firefly.runtime.method import NIL, Codec, Method
from firefly.runtime.network import wait_for
from firefly.runtime.outgoing import close, cut
from firefly.runtime.server import FAULTS
from firefly.runtime.streams import ArgumentStream
from firefly.runtime.workers import Job

if TYPE_CHECKING:
    from firefly.runtime.host import Host

T = TypeVar("T")


class ServedCall(IncomingCall, Job):
    """A call on its way through an asynchronous handler, or through one that reads or gives a stream.

    `result` is what the handler gave: an awaitable or an async iterator, which `run` follows to the last word.
    `stream` are the arguments that are still to come.
    """

    __slots__ = ("_cancelled", "_context", "_credit_event", "_deadline", "_host", "_scope", "result", "stream")

    def __init__(self, host: Host, context: CurrentCall, number: int, lane: int, left: int | None) -> None:
        """`left`: µs until the caller stops waiting; None if it does not."""
        super().__init__(context.conversation, number, lane)
        self._host = host
        self._context = context
        self._scope: trio.CancelScope | None = None
        self._cancelled = False
        self._deadline = math.inf if left is None else trio.current_time() + left / 1e6
        self._credit_event: trio.Event | None = None
        self.result: Any = None
        self.stream: ArgumentStream[Any] | None = None

    # --- what the caller does

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
            self.stream.arrived(values, capabilities)

    def ended(self, error: tuple[int, bytes] | None) -> None:
        if self.stream is not None:
            declared = self._context.method.errors
            self.stream.end(decode_error(*error, declared) if error is not None else None)

    # --- what the handler does

    async def run(self, scope: trio.CancelScope) -> None:
        current.set(self._context)
        if self._cancelled:
            scope.cancel()
        if self._deadline < math.inf:
            scope.deadline = self._deadline
            announce_deadline(self._deadline)
        self._scope = scope
        try:
            if self._context.method.result_stream is not None:
                await self._send_items(self.result)
                self._last_word(self.answer, NIL)
            else:
                await self._answer(await self.result)
        except FAULTS as error:
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
        if self.conversation.serving.get(self.number) is self:
            say(*words)

    async def _answer(self, value: Any) -> None:
        codec = self._context.method.result_codec
        if codec.passes:
            self._last_word(self.answer, *await self._encode_passing(codec, value))
        else:
            self._last_word(self.answer, encode_result(self._context.method, value))

    async def _send_items(self, items: Any) -> None:
        method = self._context.method
        codec = method.result_item_codec
        if inspect.isawaitable(items):
            items = await items
        if not hasattr(items, "__aiter__"):
            items = _inline(items)
        try:
            async for item in items:
                if type(item) is Encoded:
                    await self._send_encoded(item)
                    continue
                for piece in cut(item, method.result_stream):
                    if self.credit <= 0 or self.conversation.outbox.full:
                        await self._room()
                    if codec.passes:
                        self.send_item(*await self._encode_passing(codec, piece))
                    else:
                        self.send_item(_checked(codec.encode, method, piece))
        finally:
            if hasattr(items, "aclose"):
                await close(items)

    async def _send_encoded(self, batch: Encoded) -> None:
        """All at once where they fit a record, else one by one."""
        if batch.size + VALUE_OVERHEAD * len(batch.values) <= RUN_LIMIT:
            await self._room()
            self.send_items(batch.values, batch.size)
            return
        for value in batch.values:
            await self._room()
            self.send_item(bytes(value))

    async def _encode_passing(self, codec: Codec, value: Any) -> tuple[bytes, Capabilities | None]:
        context = self._context
        encoded, passing = _checked(codec.encode_passing, context.method, value)
        receiver = context.caller.address
        return encoded, await describe_passing(self._host.network, receiver, self.conversation, passing)

    async def _room(self) -> None:
        while self.credit <= 0 or self.conversation.outbox.full:
            if self.credit <= 0:
                self._credit_event = trio.Event()
                await self._credit_event.wait()
            else:
                await wait_for(self.conversation.when_room)


async def _inline(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


def encode_result(method: Method, value: Any) -> bytes:
    """What a handler returned, encoded. Raises TypeError if it is not of the declared type."""
    return NIL if method.result is None else _checked(method.result_codec.encode, method, value)


def _checked(encode: Callable[[Any], T], method: Method, value: Any) -> T:
    """A value of the wrong type is the handler's fault: its caller must not hear of an InvalidArgument."""
    try:
        return encode(value)
    except InvalidArgument as error:
        raise TypeError(f"{method.path} gave a value that is not of its declared type: {error.cause}") from error
