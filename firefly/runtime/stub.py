"""The caller's side: client stubs, calls as awaitables."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any, ClassVar

import trio

from firefly.calls import OutgoingCall
from firefly.errors import Interrupted, InvalidArgument
from firefly.outbox import VALUE_OVERHEAD, Run
from firefly.rpc import Conversation
from firefly.runtime.capabilities import decode_with, describe_passing, release_passed, run_later
from firefly.runtime.context import time_left
from firefly.runtime.method import Capability, Method
from firefly.runtime.network import RETRIES, Network, Peer, wait_for
from firefly.runtime.outgoing import ArgumentSource, PendingCall, Source
from firefly.runtime.streams import ResultStream


class _Sent:
    """An awaitable that is done: a notification that found room."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_SENT: Awaitable[None] = _Sent()


class Stub(Capability):
    """Base of the generated clients: a resource of some node, and the right to use it.

    A stub that came out of a call holds its object alive at the owner; `release` or garbage collection lets it go.
    Generated methods pass what they were called with to `_call`, `_notify` or `_stream`; a value that does not fit
    raises InvalidArgument before anything is sent.
    """

    is_stub = True
    proto: ClassVar[str] = ""
    schema: ClassVar[bytes] = b""

    def __init__(self, network: Network | None, node: bytes, resource: bytes) -> None:
        self._bind(network, node, resource, None)

    def _bind(self, network: Network | None, node: bytes, resource: bytes, held: Conversation | None) -> None:
        """`held` is the conversation that passed the object, and to which it is released."""
        self._network = network
        self._node = node
        self._resource = resource
        self._held = held
        self._peer: Peer | None = None
        self._run: Run | None = None
        self._run_method: Method | None = None
        if held is not None and network is not None:
            self._token = trio.lowlevel.current_trio_token()
            of_peer = held.peer is not None and held.peer.address == node
            self._peer = held if of_peer else network.peer(node)

    def release(self) -> None:
        """Lets the object at the owner go; the stub is of no more use."""
        held, self._held = self._held, None
        if held is not None and self._network is not None:
            release_passed(self._network, held, self._resource, self._node)

    def __del__(self) -> None:
        held = getattr(self, "_held", None)  # a stub whose making failed has none
        if held is not None:
            run_later(self._token, release_passed, self._network, held, self._resource, self._node)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._resource.hex()} at {self._node.hex()}>"

    async def _reach(self) -> Peer:
        peer = self._peer
        while peer is None or peer.closed is not None or peer.full:
            if peer is not None and peer.closed is None:
                await wait_for(peer.when_room)
                continue
            if self._network is None:
                raise InvalidArgument("this capability was made by hand and leads nowhere")
            if peer is not None and self._held is not None:
                raise Interrupted("the object went with the session that passed it")
            peer = self._peer = self._network.peer(self._node) or await self._network.reach(self._node)
            if peer.closed is not None:
                raise peer.closed
        return peer

    async def _call(self, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None = None) -> Any:
        codec = method.argument_codec
        encoded, passing = codec.encode_passing(arguments) if codec.passes else (codec.encode(arguments), None)
        retries = RETRIES if method.idempotent and source is None else 0
        while True:
            peer = self._peer
            if peer is None or peer.closed is not None or peer.full:
                peer = await self._reach()
            listed = await describe_passing(self._net, self._node, peer, passing) if passing else None
            call = PendingCall(peer, method)
            try:
                peer.call(call, self._resource, method.selector, encoded, time_left(), listed)
                if source is not None:
                    value = await ArgumentSource(self._net, self._node, method, source).send_with(call)
                else:
                    value = await call.wait()
                break
            except Interrupted:
                if not retries or not self._may_retry(call):
                    raise
                retries -= 1
        codec = method.result_codec
        if codec.passes or call.capabilities:
            return decode_with(codec, value, self._net, call.conversation, call.capabilities)
        return codec.decode(value)

    def _may_retry(self, call: OutgoingCall) -> bool:
        """Whether another conversation may lead there: not to an object that went with its own.

        Behind an attachment it is the node's session that ended, while the conversation with the node goes on.
        """
        return self._held is None

    @property
    def _net(self) -> Network:
        if self._network is None:
            raise InvalidArgument("this capability was made by hand and leads nowhere")
        return self._network

    def _notify(self, method: Method, arguments: tuple[Any, ...]) -> Awaitable[None]:
        """Sends at once if there is room; awaiting the result waits for it if there is none."""
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
            return self._notify_passing(method, *method.argument_codec.encode_passing(arguments))
        return self._notify_encoded(method, method.argument_codec.encode(arguments))

    def _notify_encoded(self, method: Method, encoded: bytes) -> Awaitable[None]:
        peer = self._peer
        if peer is None or peer.closed is not None or peer.full or not peer.notify_credit(self._resource):
            return self._notify_passing(method, encoded, [])
        self._run = peer.notify(method.lane, self._resource, method.selector, encoded, None)
        self._run_method = method
        return _SENT

    async def _notify_passing(self, method: Method, encoded: bytes, passing: list[Capability]) -> None:
        while True:
            peer = await self._reach()
            listed = await describe_passing(self._net, self._node, peer, passing)
            while peer.closed is None and (peer.full or not peer.notify_credit(self._resource)):
                await wait_for(peer.when_room if peer.full else partial(peer.when_credit, self._resource))
            if peer.closed is None:
                break
        peer.notify(method.lane, self._resource, method.selector, encoded, listed)

    def _stream(self, method: Method, arguments: tuple[Any, ...], source: Source[Any] | None = None) -> Any:
        return ResultStream(self, method, arguments, source)
