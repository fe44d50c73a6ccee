"""Capabilities in messages: stubs for those that came, ids for those that go (docs/concepts/wire.md, 5 Messages).

A capability that came is a copy which its owner counts, until the stub made of it is released or collected.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import trio

from firefly.errors import InvalidArgument
from firefly.exports import tell_released
from firefly.messages import Capabilities
from firefly.rpc import Conversation
from firefly.runtime.method import Capability, Codec
from firefly.runtime.network import Network, Peer


def decode_with(
    codec: Codec, value: Any, network: Network, conversation: Conversation, listed: Capabilities | None
) -> Any:
    """The value of a message from `conversation` that passed the capabilities `listed`. Raises InvalidArgument.

    What is listed belongs to the value from here on; copies of which no stub was made are released.
    """
    unclaimed = dict(enumerate(listed or ()))

    def bind(stub: Any, index: int) -> None:
        resource, node = unclaimed.pop(index, (b"", b""))
        if not resource:
            raise InvalidArgument("a value names a capability twice, or one that its message does not pass")
        stub._bind(network, node, resource, conversation)

    try:
        return codec.decode_passing(value, bind)
    finally:
        for resource, node in unclaimed.values():
            release_passed(network, conversation, resource, node)


def release_passed(network: Network, conversation: Conversation, resource: bytes, node: bytes) -> None:
    """Lets a copy go that came through `conversation`: told to whoever counts it.

    That is the peer, or for what it handed on the owner; an attached program tells its own node in any case.
    """
    passer = conversation.peer
    if passer is None or passer.address == node:
        conversation.release(resource)
    else:
        release_copy(network, node, resource)


def release_copy(network: Network, node: bytes, resource: bytes) -> None:
    """Tells the owner of an object that was handed on to us. With no session it has forgotten the object anyway."""
    owner = network.peer(node)
    if owner is not None:
        owner.conversation.release(resource)


async def describe_passing(
    network: Network, receiver: bytes, peer: Peer | Conversation, passing: list[Capability]
) -> Capabilities | None:
    """The list that ends a message: for each capability in it an id that the node `receiver` can use.

    Raises what the owner of a handed-on object answers, Busy if too many objects are passed already, and the closing
    error of the conversation.
    """
    if not passing:
        return None
    conversation = peer.conversation
    listed: Capabilities = []
    exported: list[bytes] = []
    try:
        for thing in passing:
            if thing.is_stub:
                listed.append(await _hand_on(network, receiver, thing))
            else:
                exported.append(conversation.export(thing, _new_id))
                listed.append((exported[-1], network.address))
    except BaseException:
        for resource in exported:
            conversation.let_go(resource)
        for thing in passing[len(listed) :]:
            if not thing.is_stub:
                tell_released(thing)
        raise
    return listed


async def _hand_on(network: Network, receiver: bytes, stub: Any) -> tuple[bytes, bytes]:
    if stub._node == receiver or stub._network is None:
        return stub._resource, stub._node
    return await network.introduce(stub._node, stub._resource, receiver), stub._node


def _new_id() -> bytes:
    return os.urandom(16)


def run_later(token: trio.lowlevel.TrioToken, work: Callable[..., object], *arguments: object) -> None:
    """For `__del__`, which may run in any thread and in the middle of anything: runs `work` in a turn of its own."""
    try:
        token.run_sync_soon(work, *arguments)
    except trio.RunFinishedError:
        return  # with the run every conversation has ended: nobody is left to be told
