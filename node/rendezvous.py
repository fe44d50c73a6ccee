"""Nodes that no path connects meet at their hubs: each listens there, and they pass their offers by knocks.

A hub that only signals, or forwards for nobody at the moment, can do that for the nodes of its namespaces. It can lie
about everything: what a knock holds is sealed for the one it is for (node/knocks.py), and who sent it must be a member.

not there ── a hub can be reached ──> listening ── the stream ended ──> waiting ── back-off over ──> listening
"""

from __future__ import annotations

import logging
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from firefly.address import address_of
from firefly.errors import BadMessage, Denied, GlowError, NoSuchMethod, NoSuchResource
from firefly.interfaces import signaling
from firefly.interfaces.core import Meeting
from node.certificates import ADMIN, MEMBER
from node.knocks import ANSWER, ASK, Message, seal, unseal
from node.links import LinkError
from node.links.standing import reason_of
from signaling import RESOURCE

if TYPE_CHECKING:
    from node.node import Node

log = logging.getLogger("node")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a hub is asked again after the first time, and at most, each time four times as long; less up to a
half by chance, as a hub that restarts is missed by all at once."""
SELDOM = 300.0
"""Seconds between two questions, at most, to a relay that runs no signaling process."""
STABLE = 10.0
"""Seconds after which a stream that ends counts as the first one that does."""
PACE = 0.01
"""Seconds between two knocks of a hub that are looked at: a flood of them costs a hundredth of a core."""
MAX_ASKS = 16
"""Questions that are answered at a time; one of each node."""
REPLY_TIME = 5.0
"""Seconds that the hubs have to take an answer."""
MAX_SENDERS = 4096
"""Nodes whose last question is known."""
MAX_REASON = 512
"""Characters of a reason in a Meeting."""


@dataclass(eq=False)
class _Asked:
    """A question to a node, by way of hubs of which `left` may still bring the answer.

    With an `offer` of a data channel only an answer to that will do; else any word of how the node can be reached.
    """

    address: bytes
    offer: bool
    left: set[bytes]
    failures: list[str] = field(default_factory=list)
    answer: Meeting | None = None
    over: trio.Event = field(default_factory=trio.Event)

    def answered(self, answer: Meeting) -> None:
        self.answer = answer
        self.over.set()

    def failed(self, hub: bytes, why: str) -> None:
        self.left.discard(hub)
        self.failures.append(why)
        if not self.left:
            self.over.set()


class Rendezvous:
    """Listens at the hubs, asks by way of them, and answers. `nursery` runs what it begins."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self._node = node
        self._nursery = nursery
        self._woken = trio.Event()
        self._tasks: dict[bytes, trio.CancelScope] = {}
        self._listening: set[bytes] = set()
        self._open: dict[int, _Asked] = {}
        self._number = 0
        self._last: dict[bytes, int] = {}
        self._answering: set[bytes] = set()
        self._served = 0

    def wake(self) -> None:
        """A hub has come or gone, or the setting `links.direct` has changed."""
        self._woken.set()

    @property
    def hubs(self) -> list[bytes]:
        """Those at which this node listens, and which can be reached."""
        return [hub for hub in self._wanted() if hub in self._listening]

    def _wanted(self) -> list[bytes]:
        listens = self._node.meetings.on and self._node.role in (ADMIN, MEMBER)
        return self._node.hub_services.hubs() if listens else []

    # --- listening

    async def run(self) -> None:
        """Listens at each hub that can be reached, until it is cancelled."""
        while True:
            self._woken = trio.Event()
            wanted = self._wanted()
            for gone in [hub for hub in self._tasks if hub not in wanted and self._is_over(hub)]:
                self._tasks.pop(gone).cancel()
            for hub in [hub for hub in wanted if hub not in self._tasks]:
                self._tasks[hub] = trio.CancelScope()
                self._nursery.start_soon(self._keep_listening, hub, self._tasks[hub])
            await self._woken.wait()

    def _is_over(self, hub: bytes) -> bool:
        """Whether nothing is lost by not listening there: a stream outlives a moment without a path."""
        lost = self._node.mesh.distance(hub) is None
        return not (lost and hub in self._listening and self._node.meetings.on)

    async def _keep_listening(self, hub: bytes, scope: trio.CancelScope) -> None:
        pause = FIRST_PAUSE
        with scope:
            while True:
                listened, longest = await self._listen(hub, scope)
                if listened > STABLE:
                    pause = FIRST_PAUSE
                await trio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(4 * pause, longest)

    async def _listen(self, hub: bytes, scope: trio.CancelScope) -> tuple[float, float]:
        """Takes what is left here until that ends; returns how long it did, and the longest pause now, in seconds."""
        since, longest = math.inf, LONGEST_PAUSE
        try:
            await self._node.peers.reach(hub)  # so that what is asked by way of the hub comes after the call to listen
            self._listening.add(hub)
            since = trio.current_time()
            self._node.meetings.hub_heard()
            async with self._at(hub).listen() as knocks:
                async for knock in knocks:
                    self._take(knock)
                    await trio.sleep(PACE)
        except (NoSuchResource, NoSuchMethod, Denied) as error:  # such a relay is no worse a relay
            longest = SELDOM
            log.debug("the relay %s is no rendezvous: %s", self._node.name_of(hub), error)
        except GlowError as error:
            log.debug("the rendezvous at %s has ended: %s", self._node.name_of(hub), error)
        finally:
            if self._tasks.get(hub) in (scope, None):  # else another task listens there by now
                self._listening.discard(hub)
            self.wake()
        return max(trio.current_time() - since, 0.0), longest

    def _at(self, hub: bytes) -> signaling.Rendezvous:
        return signaling.Rendezvous(self._node.peers, hub, RESOURCE)

    def _take(self, knock: signaling.Knock) -> None:
        """Does what a knock is for; what the hub has made up is counted and dropped."""
        sender = address_of(knock.sender)
        if not self._node.meetings.may_link(sender):
            self._count("knocks_of_strangers")
        elif not knock.content:
            self._node.meetings.woken_by(sender)
        else:
            try:
                message = unseal(self._node.key, knock.sender, knock.content)
            except BadMessage:
                self._count("knocks_malformed")
                return
            take = self._take_ask if message.step == ASK else self._take_answer
            take(knock.sender, message)

    def _count(self, what: str) -> None:
        self._node.router.counters[what] += 1

    # --- asking

    async def meet(self, address: bytes, mine: Meeting, patience: float) -> Meeting:
        """What a node answers, which has `patience` seconds. All hubs carry the question; the first answer counts.

        Raises LinkError, which says what became of it at each hub; TooLarge.
        """
        asked = _Asked(address, bool(mine.description), set(self.hubs))
        if not asked.left:
            raise LinkError("a rendezvous", cause="this device listens at no hub")
        number = self._next_number()
        content = seal(self._node.key, self._node.meetings.key_of(address), Message(ASK, number, mine))
        self._open[number] = asked
        try:
            with trio.move_on_after(patience):
                async with trio.open_nursery() as nursery:
                    for hub in asked.left:
                        nursery.start_soon(self._ask, hub, asked, content)
                    await asked.over.wait()
                    nursery.cancel_scope.cancel()
        finally:
            del self._open[number]
        if asked.answer is None:
            silent = [f"no answer by way of {self._node.name_of(hub)} within {patience:.0f} s" for hub in asked.left]
            raise LinkError("a rendezvous", cause="; ".join(asked.failures + silent))
        return asked.answer

    def _next_number(self) -> int:
        """Above all that this node has used, in earlier runs too, as the sequence of its records is."""
        assert self._node.namespace is not None
        self._number = max(self._number + 1, self._node.mesh.sequence(self._node.namespace))
        return self._number

    async def _ask(self, hub: bytes, asked: _Asked, content: bytes) -> None:
        failure = await self._knock(hub, asked.address, content)
        if failure:
            asked.failed(hub, failure)

    def _take_answer(self, sender: bytes, answer: Message) -> None:
        asked = self._open.get(answer.number)
        if asked is None or asked.address != address_of(sender):
            self._count("knocks_unasked")
            return
        asked.answered(answer.meeting)

    async def _knock(self, hub: bytes, address: bytes, content: bytes) -> str:
        """Hands something to a node by way of a hub; returns why that is not possible, empty if it is."""
        name = self._node.name_of(hub)
        try:
            await self._at(hub).knock(address, content)
        except signaling.NotAttached:
            return f"the other device does not listen at {name}"
        except GlowError as error:
            return f"{name}: {reason_of(error)}"
        return ""

    # --- answering

    def _take_ask(self, sender: bytes, ask: Message) -> None:
        """Answers what is newer than the sender's last question: that comes by way of each hub, or is a replay."""
        if ask.number <= self._last.get(sender, 0):
            self._count("knocks_repeated")
        elif sender in self._answering or self._served >= MAX_ASKS:
            self._count("knocks_dropped")
        else:
            self._note(sender, ask.number)
            for asked in self._open.values():  # who asks has no need to answer the same question as well
                if asked.address == address_of(sender) and not asked.offer:
                    asked.answered(ask.meeting)
            self._answering.add(sender)
            self._served += 1
            self._nursery.start_soon(self._serve, sender, ask)

    def _note(self, sender: bytes, number: int) -> None:
        self._last.pop(sender, None)
        self._last[sender] = number
        if len(self._last) > MAX_SENDERS:
            del self._last[next(iter(self._last))]

    async def _serve(self, sender: bytes, ask: Message) -> None:
        """The sender may ask on while a hub is slow to take the answer."""
        try:
            try:
                content = await self._answer_to(sender, ask)
            finally:
                self._answering.discard(sender)
            with trio.move_on_after(REPLY_TIME):
                async with trio.open_nursery() as nursery:
                    for hub in self.hubs:
                        nursery.start_soon(self._reply, hub, address_of(sender), content)
        finally:
            self._served -= 1

    async def _answer_to(self, sender: bytes, ask: Message) -> bytes:
        try:
            meeting = await self._node.meetings.met(sender, ask.meeting)
            return seal(self._node.key, sender, Message(ANSWER, ask.number, meeting))
        except GlowError as error:
            meeting = Meeting([], reason=reason_of(error)[:MAX_REASON])
            return seal(self._node.key, sender, Message(ANSWER, ask.number, meeting))

    async def _reply(self, hub: bytes, address: bytes, content: bytes) -> None:
        if failure := await self._knock(hub, address, content):
            log.debug("an answer to %s was not taken: %s", self._node.name_of(address), failure)
