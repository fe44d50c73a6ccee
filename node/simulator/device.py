"""A node's real parts, wired as `node/node.py` wires them, over wires instead of sockets."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from msgspec import Raw

from firefly.calls import IncomingCall, OutgoingCall
from firefly.errors import GlowError, Interrupted
from firefly.keys import NodeKey
from firefly.messages import Capabilities, Notify, Request
from firefly.packet import INTERACTIVE
from firefly.rpc import Conversation
from firefly.runtime.network import RETRIES
from firefly.sessions import Sessions
from node.routing import MeshEvents, Relay, Standing, TopologyFlow
from node.simulator.behaviour import Behaviour, Routing, Switch
from node.simulator.events import Events
from node.simulator.trails import Trails
from node.simulator.wire import End

NAMESPACE = bytes(range(32))
ECHO, SINK = 1, 2
"""Selectors of the methods there are: one answers with what it got, one with nothing."""
NOTHING = b"\xc0"
PAYLOAD = b"\xc4\x40" + bytes(64)


class Ping(OutgoingCall):
    """One call of an idempotent method. `done` hears when its result comes, `again` when its session was lost first."""

    __slots__ = ("again", "done")

    def __init__(self, conversation: Conversation, done: Callable[[], None], again: Callable[[], None]) -> None:
        self.done = done
        self.again = again
        self.conversation = conversation
        self.number = conversation.next_number()
        self.lane = INTERACTIVE
        self.credit = 0
        self.window = None

    def answered(self, value: Raw, capabilities: Capabilities | None) -> None:
        self.done()

    def lost(self, error: GlowError) -> None:
        self.again()


class Device:
    """One node. `changed` is called when its next hops are others; `number` gives it its place in every set."""

    network: Any = None

    def __init__(
        self, name: str, number: int, events: Events, random: Random, trails: Trails, changed: Callable[[], None]
    ) -> None:
        self.name = name
        self.number = number
        self.key = NodeKey(random.randbytes(32))
        self.alive = True
        self.trails = trails
        self.router = Switch(self.key.address, lambda: events.now)
        events_of_mesh = MeshEvents(
            ready=self._topology_ready,
            changed=partial(self._routes_changed, changed),
            broken=lambda destinations: self.sessions.ways_broken(destinations, self._events.now),
            restarted=lambda address, instance, now: self.sessions.peer_restarted(address, instance, now),
        )
        instance = random.randbytes(8)
        self.mesh = Routing(self.key, instance, lambda *_: Standing.CERTIFIED, events_of_mesh, random.random)
        self.sessions = Sessions(self.key, instance, self, ready=self.router.ready, random=random.randbytes)
        self.sessions.earlier = self._arm_at
        self.sessions.moved, self.sessions.find_way = self.router.moved, self.mesh.way
        self.router.mesh, self.router.sessions = self.mesh, self.sessions
        self.mesh.join(NAMESPACE, 1 + int(events.now * 1000), events.now)
        self._events = events
        self._due = math.inf
        self._conversations: dict[Any, Conversation] = {}
        self._open: dict[bytes, Conversation] = {}
        self._waiting: dict[bytes, list[Callable[[], None]]] = {}

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other

    def start(self) -> None:
        self.settle()

    def set_relay(self, relay: Relay) -> None:
        self.mesh.set_relay(relay, self._events.now)
        self.settle()

    def behave(self, behaviour: Behaviour | None) -> None:
        """From now on; None: as it should."""
        self.router.drops, self.mesh.lies = behaviour == "drops", behaviour == "lies"
        self.mesh.claim(self._events.now)
        self.settle()

    # --- links

    def link_up(self, end: End) -> None:
        self.router.links.add(end)
        self.mesh.link_up(end, end.peer_key, [NAMESPACE], self._events.now)
        end.begin()
        self.settle()

    def link_down(self, end: End) -> None:
        """The link is known to be gone; harmless if it was before."""
        if end.up:
            end.up = False
            now = self._events.now
            self.mesh.link_down(end, now)
            self.sessions.link_lost(end, now)
            self.router.link_gone(end)
            self.settle()

    def receive(self, end: End, bundle: bytes, now: float) -> None:
        self.router.begin()
        try:
            self.router.receive(end, bundle, now)
        finally:
            self.router.end()
        self.settle()

    def settle(self) -> None:
        """Lets go what an event has caused, and asks for the next one."""
        self.router.flush()
        self._arm_at(self.mesh.next_deadline())

    def _topology_ready(self, end: Any) -> None:
        end.queue.ready(end.topology_flow(lambda: TopologyFlow(self.mesh, end, self.key.address, end.peer_address)))
        self.router.touch(end)

    def _routes_changed(self, changed: Callable[[], None]) -> None:
        self.router.routes_changed()
        self.sessions.routes_changed(self.mesh.next_hop, self._events.now)
        changed()

    # --- time

    def _arm_at(self, due: float) -> None:
        if due < self._due:
            self._due = due
            self._events.at(due, partial(self._wake, due))

    def _wake(self, due: float) -> None:
        if due != self._due or not self.alive:
            return  # an earlier one came in between
        self._due = math.inf
        now = self._events.now
        for timed in (self.mesh, self.sessions):
            if timed.next_deadline() <= now:
                timed.on_timer(now)
        self._arm_at(self.sessions.next_deadline())
        self.settle()

    # --- calls

    def ping(self, peer: bytes, done: Callable[[], None], tries: int = 1 + RETRIES) -> None:
        """Calls a node; `done` hears when it has answered. It is called again if its session is lost."""
        if not tries or not self.alive:
            return
        conversation = self._open.get(peer)
        again = partial(self.ping, peer, done, tries - 1)
        if conversation is None:
            self._waiting.setdefault(peer, []).append(again)
            self.sessions.session(peer, self._events.now)
        elif not conversation.full:
            later = partial(self._events.at, self._events.now, again)
            conversation.call(Ping(conversation, done, later), self.key.address, ECHO, PAYLOAD)
        self.settle()

    def converse(self, peer: bytes, use: Callable[[Conversation], None]) -> None:
        """`use` gets the conversation with a node, as soon as there is one."""
        conversation = self._open.get(peer)
        if conversation is None:
            self._waiting.setdefault(peer, []).append(lambda: use(self._open[peer]))
            self.sessions.session(peer, self._events.now)
        else:
            use(conversation)
        self.settle()

    # --- firefly.sessions.Owner

    def opened(self, session: Any) -> Any:
        def wake(lane: int) -> None:
            session.send_waiting(lane, self._events.now)
            self.router.flush()

        conversation = Conversation(
            self,
            odd=session.initiator,
            wake=wake,
            now=lambda: self._events.now,
            round_trip=lambda: session.srtt or 1e-3,
            peer=session.peer_address,
        )
        self._conversations[session] = self._open[session.peer_address] = conversation
        for ask in self._waiting.pop(session.peer_address, ()):
            self._events.at(self._events.now, ask)  # not before the session knows what it is to send
        return conversation.outbox

    def received(self, session: Any, lane: int, plaintext: bytes) -> None:
        self._conversations[session].receive(lane, plaintext)

    def busy(self, session: Any) -> bool:
        conversation = self._conversations.get(session)
        return conversation is not None and bool(conversation.calls or conversation.serving)

    def closed(self, session: Any, error: GlowError | None) -> None:
        conversation = self._conversations.pop(session, None)
        if conversation is not None:
            if self._open.get(session.peer_address) is conversation:
                del self._open[session.peer_address]
            conversation.close(error or Interrupted("the session was closed"))

    # --- firefly.rpc.Dispatcher

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        conversation.answer(lane, request.call, bytes(request.arguments) if request.selector == ECHO else NOTHING)
        return None

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        conversation.refused(notification)

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None:
        """Everyone is certified here."""
