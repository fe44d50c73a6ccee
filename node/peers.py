"""The conversations of a node: one per session, one with itself, and the network that its own code sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from firefly.errors import GlowError, Interrupted, ProtocolError, Unreachable
from firefly.keys import NodeKey
from firefly.loopback import Loopback
from firefly.outbox import BATCH
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import Conversation
from firefly.runtime import Caller, Host, Workers
from firefly.sessions import Sessions
from node.router import Router
from node.totals import Totals

REACH_TIME = 1.0
"""Seconds after which a call to a node with neither session nor route fails."""
LOCAL_PROGRAM = 2


class Peers:
    """Owner of the sessions, and the `Network` of everything that runs inside the node.

    `caller_of(key)` tells what the certificates say of a node; `resources_changed` is called when the table changed.
    """

    def __init__(
        self,
        key: NodeKey,
        router: Router,
        workers: Workers,
        caller_of: Callable[[bytes], Caller],
        instance: bytes,
    ) -> None:
        self.key = key
        self.address = key.address
        self.router = router
        self.host = Host(self, workers)
        self.counters: Counter[str] = Counter()
        self.totals = Totals()
        self.caller_of = caller_of
        self.offer: Callable[[str, Any], Awaitable[bytes]]
        self.resources_changed: Callable[[], None] = lambda: None
        self.sessions_changed: Callable[[], None] = lambda: None
        self.no_path: Callable[[bytes], str] = lambda address: "no path leads to it from here"
        """Why there is no path to a node."""
        self.find: Callable[[bytes], Awaitable[str]] = _nothing
        """Looks for a way to a node to which there is none; returns what was tried, nothing if nothing could be."""
        self.on_signed: Callable[[Conversation, list[bytes]], None] = lambda conversation, envelopes: None
        self.sessions = Sessions(key, instance, self, ready=router.ready)
        self._open: dict[bytes, Conversation] = {}
        self._conversations: dict[Any, Conversation] = {}
        self._waiting: dict[bytes, trio.Event] = {}
        own = self.local_caller(False)
        self._loopback = Loopback(self.host, self.host, trio.current_time, caller_is=own, owner_is=own)

    def count(self, what: str) -> None:
        self.counters[what] += 1

    def local_caller(self, program: bool) -> Caller:
        """Who calls from this device: the person, or a program, which has a member's rights only."""
        own = self.caller_of(self.key.public)
        role = LOCAL_PROGRAM if program else own.role
        return Caller(own.key, own.namespace, role, self.address, local=not program)

    def written_to(self, writer: Any, alone: Callable[[], bool]) -> None:
        """A socket of an attachment has something to write."""
        self.router.touch(writer)
        self.router.flush(alone())

    def forget_roles(self, key: bytes | None) -> None:
        """Certificates changed: what the peer with a key, or all if it is None, may do is looked up again."""
        for session, conversation in self._conversations.items():
            if key in (None, session.peer_key):
                conversation.peer = self.caller_of(session.peer_key)

    # --- firefly.sessions.Owner

    def opened(self, session: Any) -> Any:
        def wake(lane: int) -> None:
            session.send_waiting(lane, trio.current_time())
            if conversation.outbox.count >= BATCH:
                self.router.hurry(session.peer_address)
            self.router.flush(len(conversation.calls) + len(conversation.serving) == 1)

        conversation = Conversation(
            self.host,
            odd=session.initiator,
            wake=wake,
            now=trio.current_time,
            round_trip=lambda: session.srtt or 1e-3,
            peer=self.caller_of(session.peer_key),
        )
        self._conversations[session] = conversation
        self._open[session.peer_address] = conversation
        waiting = self._waiting.pop(session.peer_address, None)
        if waiting is not None:
            waiting.set()
        self.sessions_changed()
        return conversation.outbox

    def received(self, session: Any, lane: int, plaintext: bytes) -> None:
        conversation = self._conversations[session]
        try:
            conversation.receive(lane, plaintext)
        except ProtocolError as error:
            self.count("message_errors")
            session.close(error.message, trio.current_time())
            self._close(session, Interrupted("the peer broke the rules of the wire", cause=error.message))

    def closed(self, session: Any, error: GlowError | None) -> None:
        self._close(session, error or Interrupted("the session was closed", hint="call again"))

    def _close(self, session: Any, error: GlowError) -> None:
        conversation = self._conversations.pop(session, None)
        if conversation is None:
            return
        self.totals.session_ended(session, conversation.counters)
        if self._open.get(session.peer_address) is conversation:
            del self._open[session.peer_address]
        conversation.close(error)

    def talked_with(self) -> list[bytes]:
        """The nodes with which there is a session."""
        return list(self._open)

    def busy(self, session: Any) -> bool:
        conversation = self._conversations.get(session)
        return conversation is not None and bool(conversation.calls or conversation.serving or conversation.exports)

    def count_calls(self) -> Counter[str]:
        """What the conversations with other nodes count, those that have ended among them."""
        counted = Counter(self.totals.calls)
        for conversation in self._conversations.values():
            counted.update(conversation.counters)
        return counted

    def stuck(self) -> bool:
        """Whether something for a node with a session waits for a path to it."""
        return any(
            self.router.mesh.next_hop(session.peer_address, None) is None
            and (session.window.used or any(map(conversation.outbox.waiting, (INTERACTIVE, BULK))))
            for session, conversation in self._conversations.items()
        )

    # --- runtime.Network

    def peer(self, node: bytes) -> Conversation | None:
        if node == self.address:
            return self._loopback.caller
        return self._open.get(node)

    async def reach(self, node: bytes) -> Conversation:
        """The conversation with `node`, once its session is open.

        Raises Unreachable without a route: after 1 s, or, where one can be looked for, after that came to nothing.
        """
        found = self.peer(node)
        while found is None:
            tried = "" if self._has_route(node) else await self.find(node)
            found = self.peer(node) or await self._open_session(node)
            if found is None and not self._has_route(node):
                raise Unreachable(
                    "the node cannot be reached",
                    cause=f"{self.no_path(node)}{tried and f'; {tried}'}",
                    hint="`glow status` shows which nodes are linked; is it switched on?",
                )
            if found is None and not self._waiting_for_handshake(node):
                raise Unreachable("the node does not answer", hint="`glow status` shows how it is linked")
        return found

    async def _open_session(self, node: bytes) -> Conversation | None:
        """Begins a handshake, and waits for a while until one has opened a session."""
        event = self._waiting.setdefault(node, trio.Event())
        self.sessions.session(node, trio.current_time())
        self.router.flush()
        with trio.move_on_after(REACH_TIME):
            await event.wait()
        return self.peer(node)

    def _has_route(self, node: bytes) -> bool:
        return self.router.mesh.next_hop(node, None) is not None

    def _waiting_for_handshake(self, node: bytes) -> bool:
        return self.sessions.find(node) is not None

    async def introduce(self, node: bytes, resource: bytes, receiver: bytes) -> bytes:
        from firefly.interfaces.core import Node

        peer = await self.reach(receiver)
        key: bytes = peer.peer.key
        introduced: bytes = await Node(self, node, node).introduce(resource, key)
        return introduced

    def close(self) -> None:
        """Tells the peers, as far as the links take it at once, and ends every conversation."""
        for session in list(self._conversations):
            self._close(session, Interrupted("this node is stopping"))
            session.close("the node is stopping", trio.current_time())
        self._loopback.close()
        self.router.flush(True)


async def _nothing(node: bytes) -> str:
    return ""
