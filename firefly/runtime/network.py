"""What calls need of the world: a way to the peer that owns a resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from firefly.calls import OutgoingCall
from firefly.errors import GlowError
from firefly.messages import Capabilities
from firefly.outbox import Run
from firefly.rpc import Conversation

RETRIES = 3
"""How often a call of an `@idempotent` method is made again after its session was lost."""


class Peer(Protocol):
    """The conversation with one node, or that node as seen through an attachment."""

    @property
    def closed(self) -> GlowError | None: ...
    @property
    def full(self) -> bool: ...
    @property
    def conversation(self) -> Conversation: ...
    def when_room(self, callback: Callable[[], None]) -> None: ...
    def next_number(self) -> int: ...
    def call(
        self,
        call: OutgoingCall,
        resource: bytes,
        selector: int,
        arguments: bytes,
        deadline: int | None,
        capabilities: Capabilities | None,
    ) -> None: ...
    def notify(
        self, lane: int, resource: bytes, selector: int, arguments: bytes, capabilities: Capabilities | None
    ) -> Run | None: ...
    def notify_credit(self, resource: bytes) -> bool: ...
    def when_credit(self, resource: bytes, callback: Callable[[], None]) -> None: ...


class Network(Protocol):
    """Finds peers. `address` is the own node's."""

    address: bytes

    def peer(self, node: bytes) -> Peer | None:
        """The peer, if it can be talked to right now."""

    async def reach(self, node: bytes) -> Peer:
        """The peer, once it can be talked to. Raises Unreachable."""

    async def introduce(self, node: bytes, resource: bytes, receiver: bytes) -> bytes:
        """Asks the owner of a resource for an id under which the node `receiver` may use it."""


async def wait_for(register: Callable[[Callable[[], None]], None]) -> None:
    """Waits until the callback given to `register` is called."""
    event = trio.Event()
    register(event.set)
    await event.wait()
