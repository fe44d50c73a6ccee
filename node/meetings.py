"""Direct links between nodes that reach each other over others: first make it work, then make it direct.

A node with which there is a session, and no link, is told how this one can be reached, over whatever way there is, and
tells the same. Both then dial the addresses; where none answers, the node with the lower address offers a WebRTC data
channel. The way over others stays: a direct link only joins it, and routing takes what is better. A node to which there
is no way at all, and which is sought, is told by way of a hub where both listen (rendezvous.py).

talked with, sought ── not linked ──> trying ── linked ──> done ── the link ended ──> trying
                                 └── nothing worked ──> waiting ── back-off over, or the network changed ──> trying
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import trio

from firefly.address import address_of
from firefly.errors import GlowError, InvalidArgument
from firefly.interfaces.core import Meeting
from firefly.interfaces.core import Node as NodeStub
from node.acquaintances import Acquaintance
from node.certificates import ADMIN, MEMBER
from node.hub_services import without_turn
from node.links import LinkError, is_for_others
from node.links.channels import BLOCKED, Server
from node.links.link import TRIED, Link
from node.links.race import Attempt, Won, race
from node.links.standing import reason_of
from node.links.webrtc import OPEN_TIME, DataChannel, DataChannels, is_installed
from node.trials import TRIAL, Trials

if TYPE_CHECKING:
    from node.node import Node

log = logging.getLogger("node")
MAX_URLS = 8
"""Addresses of a node that are told, and tried."""
DIAL_TIME = 3.0
"""Seconds that the addresses have before a data channel is tried."""
HEAD_START = 1.0
"""Seconds that the lower address has to dial before the higher one does, so that there are not two links."""
MEET_TIME = 20.0
"""Seconds that a node has to answer, with a description of its own."""
KNOCK_TIME = 5.0
"""Seconds that a node has to answer a knock that offers no data channel: it may sleep, and hubs do not know yet."""
UNRELAYED_TIME = 6.0
"""Seconds to find a way without TURN, before it is looked for with it."""
FIND_TIME = 15.0
"""Seconds that a call waits for a way to be found: for addresses, a data channel and TURN, one after the other."""
SOUGHT_TIME = 60.0
"""Seconds that a node is looked for after somebody has wanted it."""
MAX_SOUGHT = 64
"""Nodes that are looked for; one more, and the first is forgotten."""


class Meetings:
    """Looks for direct links to the nodes that this one talks with. `nursery` runs what it begins."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self.channels = DataChannels(nursery)
        self.servers: Callable[[], Awaitable[Sequence[Server]]] = _none
        """Asks the hubs for servers that help to find out how this node can be reached."""
        self._node = node
        self._nursery = nursery
        self.on = False
        self._known: dict[bytes, Acquaintance] = {}
        self._sought: dict[bytes, float] = {}
        self._trials = Trials(node, nursery)
        self._woken = trio.Event()

    def set(self, value: str) -> None:
        """Takes the setting `links.direct`."""
        self.on = value == "on"
        self._node.rendezvous.wake()
        self.wake()

    def wake(self) -> None:
        """Something changed: a session, a link."""
        self._woken.set()

    def network_changed(self) -> None:
        """What failed may work now, what works may be about to end, and the hubs may see this device elsewhere."""
        self._node.hub_services.forget()
        for known in self._known.values():
            known.begin_anew()
            known.stale = frozenset(link for link in self.links_to(known.address) if link.kind in TRIED)
        self.wake()

    async def run(self) -> None:
        """Tries whatever is due, until it is cancelled."""
        while True:
            now = trio.current_time()
            waiting = [known for known in self._wanted() if not known.trying]
            for known in waiting:
                if known.next_attempt <= now:
                    self._begin(known, None)
            later = [known.next_attempt for known in waiting if known.next_attempt > now]
            with trio.move_on_at(min(later, default=float("inf"))):
                await self._woken.wait()
            self._woken = trio.Event()

    def _wanted(self) -> list[Acquaintance]:
        """Nodes to which a direct link is looked for; others are forgotten."""
        now = trio.current_time()
        self._sought = {address: until for address, until in self._sought.items() if until > now}
        trying = [known.address for known in self._known.values() if known.trying]
        wanted = [*self._node.peers.talked_with(), *self._sought, *trying] if self.on else trying
        known = {address: self._known.get(address) or Acquaintance(address) for address in wanted}
        self._known = {address: known[address] for address in known if self.may_link(address)}
        return [known for known in self._known.values() if not self._done(known)]

    def _know(self, address: bytes) -> Acquaintance:
        return self._known.setdefault(address, Acquaintance(address))

    def may_link(self, address: bytes) -> bool:
        """Whether it is that of another node, a member or administrator of the namespace by its certificate."""
        entry = self._node.directory.entry(address) if self._node.directory is not None else None
        own = address == self._node.address
        return entry is not None and not own and self._node.caller_of(entry.key).role in (ADMIN, MEMBER)

    def links_to(self, address: bytes) -> list[Link]:
        """Those to the node itself that are up."""
        links: set[Link] = self._node.router.links
        return [link for link in links if link.peer_address == address and not link.reason]

    def linked(self, address: bytes) -> bool:
        return bool(self.links_to(address))

    def _done(self, known: Acquaintance) -> bool:
        """Whether there is a link that need not be replaced."""
        return not known.stale.issuperset(self.links_to(known.address))

    def outcome(self, address: bytes) -> str:
        """What came of the last attempt at a node, and when the next is made; empty if there is none to tell of."""
        known = self._known.get(address)
        return "" if known is None or self.linked(address) else known.outcome(trio.current_time())

    # --- nodes to which there is no way

    async def find(self, address: bytes) -> str:
        """Looks for a node to which no path leads, until one does, for FIND_TIME at most; returns what was tried.

        Where no hub is a rendezvous for the two it returns at once, and nothing.
        """
        if not self._node.rendezvous.hubs or not self.may_link(address):
            return ""
        known = self._seek(address)
        with trio.move_on_after(FIND_TIME):
            while not self._has_way(address) and (known.trying or known.answered or self.linked(address)):
                await self._woken.wait()
        return self.outcome(address)

    def woken_by(self, address: bytes) -> None:
        """A node of the namespace wants to be met, or a hub says so: it is believed once in SOUGHT_TIME."""
        if address not in self._sought and len(self._sought) < MAX_SOUGHT and not self.linked(address):
            self._seek(address)

    def hub_heard(self) -> None:
        """This node listens at a hub from now on: whoever it has lost is met there."""
        for address in self._lost():
            self._seek(address)

    def _lost(self) -> list[bytes]:
        """Nodes that are talked with, to which hubs may lead, but no path does any more; none is waited for."""
        talked = self._node.peers.talked_with() if self._node.rendezvous.hubs else []
        lost = [address for address in talked if not self._has_way(address) and self.may_link(address)]
        for address in lost:
            self._know(address).asking.cancel()
        return lost

    def _has_way(self, address: bytes) -> bool:
        return self._node.mesh.distance(address) is not None

    def _seek(self, address: bytes) -> Acquaintance:
        """Begins an attempt at once, if none goes on."""
        self._sought.pop(address, None)
        self._sought[address] = trio.current_time() + SOUGHT_TIME
        if len(self._sought) > MAX_SOUGHT:
            del self._sought[next(iter(self._sought))]
        known = self._know(address)
        if not known.trying and not self._done(known):
            self._begin(known, None)
        return known

    # --- an attempt

    def _begin(self, known: Acquaintance, urls: Sequence[str] | None) -> None:
        known.trying, known.answered = True, urls is not None
        self._nursery.start_soon(self._try, known, urls)

    async def _try(self, known: Acquaintance, urls: Sequence[str] | None) -> None:
        """Looks for a direct link, at `urls` if the other node has told them just now."""
        known.tried, known.behind = [], ("", "")
        try:
            if urls is None:
                urls = (await self._meet(known, Meeting(self._urls()))).urls
                known.answered = True
            await self._dial(known, urls)
            if not self._done(known) and self._node.address < known.address:
                await self._pierce(known)
        except GlowError as error:
            known.tried.append(reason_of(error))
        finally:
            known.trying = False
        if self._done(known):
            known.begin_anew()
        else:
            known.failed(trio.current_time())
        self.wake()

    async def _meet(self, known: Acquaintance, mine: Meeting) -> Meeting:
        """How the other node can be reached: it is asked over the path to it; where there is none any more, by hubs."""
        answer: Meeting
        if self._has_way(known.address) or not self._node.rendezvous.hubs:
            with trio.move_on_after(MEET_TIME) as known.asking:
                answer = await NodeStub(self._node.peers, known.address, known.address).meet(mine)
                return answer
            if trio.current_time() >= known.asking.deadline:
                raise LinkError("the other node was not heard of again")
        patience = MEET_TIME if mine.description else KNOCK_TIME
        answer = await self._node.rendezvous.meet(known.address, mine, patience)
        return answer

    def _urls(self) -> list[str]:
        """Where other devices may dial this node."""
        return [url for url in self._node.listening if is_for_others(url)][:MAX_URLS]

    async def _dial(self, known: Acquaintance, urls: Iterable[str]) -> None:
        """Dials the addresses, and says in `tried` why there is no link."""
        urls = [url for url in urls if is_for_others(url)][:MAX_URLS]
        if self._node.address > known.address:
            await self._wait_for_link(known, HEAD_START)
        if not urls or self._done(known):
            return
        over = trio.Event()
        attempts = [self._attempt(known, url, over) for url in urls]

        async def run() -> None:
            await race(attempts)
            over.set()

        self._nursery.start_soon(run)
        with trio.move_on_after(DIAL_TIME):
            await over.wait()
        if not over.is_set():
            known.tried.append(f"{' '.join(urls)}: no answer within {DIAL_TIME:.0f} s")

    def _attempt(self, known: Acquaintance, url: str, over: trio.Event) -> Attempt:
        async def attempt(won: Won) -> None:
            def made(link: Link) -> bool:
                if self._done(known) or not won():
                    return False
                over.set()
                return True

            try:
                await self._node.links.connect(url, self.key_of(known.address), made)
            except GlowError as error:
                if not over.is_set():
                    known.tried.append(f"{url}: {reason_of(error)}")

        return attempt

    async def _wait_for_link(self, known: Acquaintance, seconds: float) -> None:
        with trio.move_on_after(seconds):
            while not self._done(known):
                await self._woken.wait()

    def key_of(self, address: bytes) -> bytes:
        """Whose key must answer. Raises LinkError."""
        directory = self._node.directory
        entry = directory.entry(address) if directory is not None else None
        if entry is None:
            raise LinkError("the node is not of this namespace any more")
        return entry.key

    # --- data channels

    async def _pierce(self, known: Acquaintance) -> None:
        """Offers a data channel; returns when it carries a link. Raises GlowError."""
        if not is_installed():
            known.tried.append("no data channel: WebRTC is not installed on this device")
            return
        servers = await self.servers()
        unrelayed = without_turn(servers)
        await self._nursery.start(self._offer, known, unrelayed, True)
        if len(unrelayed) < len(servers) and not self._done(known) and BLOCKED not in known.behind:
            await self._nursery.start(self._offer, known, servers, False)

    async def _offer(
        self, known: Acquaintance, servers: Sequence[Server], unrelayed: bool, task_status: trio.TaskStatus[None]
    ) -> None:
        """Carries a link over a channel that this node offers, for as long as it lasts."""
        started = False

        def made(link: Link) -> bool:
            nonlocal started
            started = True
            task_status.started()
            return True

        try:
            async with self.channels.open() as channel:
                offer = await channel.offer(servers)
                mine = Meeting(self._urls(), offer, behind=channel.behind, unrelayed=unrelayed)
                answer = await self._meet(known, mine)
                known.behind = channel.behind, answer.behind
                if not answer.description:
                    raise LinkError("the other device answers no offer", cause=answer.reason)
                channel.accept(answer.description)
                patience = UNRELAYED_TIME if unrelayed else OPEN_TIME
                await self._carry(channel, known.address, made, initiator=True, patience=patience)
        except GlowError as error:
            if not started:
                what = "a data channel" if unrelayed else "a data channel through TURN"
                known.tried.append(f"{what}: {reason_of(error)}")
                task_status.started()

    async def met(self, caller: bytes, meeting: Meeting) -> Meeting:
        """Answers a node of the namespace that has told how it can be reached. Raises InvalidArgument."""
        address = address_of(caller)
        if not self.on:
            return Meeting([], reason="direct links are off there (the setting links.direct)")
        if not meeting.description:
            known = self._know(address)
            if not known.trying and not self._done(known):
                self._begin(known, meeting.urls)
            return Meeting(self._urls())
        if address >= self._node.address:
            raise InvalidArgument("only the node with the lower address offers a data channel")
        if not is_installed():
            return Meeting(self._urls(), reason="WebRTC is not installed there")
        try:
            answer: Meeting = await self._nursery.start(self._answer, address, meeting)
        except GlowError as error:
            return Meeting(self._urls(), reason=reason_of(error)[:512])
        return answer

    async def _answer(self, address: bytes, offer: Meeting, task_status: trio.TaskStatus[Meeting]) -> None:
        """Carries a link over a channel that the other node has offered, for as long as it lasts."""
        described = False
        known = self._know(address)
        try:
            async with self.channels.open() as channel:
                servers = await self.servers()
                servers = without_turn(servers) if offer.unrelayed else servers
                description = await channel.answer(offer.description, servers)
                known.behind = channel.behind, offer.behind
                described = True
                task_status.started(Meeting(self._urls(), description, behind=channel.behind))
                await self._carry(channel, address, lambda link: True, initiator=False, patience=OPEN_TIME)
        except GlowError as error:
            if not described:
                raise
            if not self.linked(address):
                known.tried = [f"a data channel: {reason_of(error)}"]

    async def _carry(
        self, channel: DataChannel, address: bytes, made: Callable[[Link], bool], *, initiator: bool, patience: float
    ) -> None:
        connection = await channel.connection(patience)
        try:
            await self._node.links.use(connection, self.key_of(address), made, initiator=initiator)
        finally:
            connection.close()

    # --- what the node tells

    def link_up(self, link: Link) -> None:
        if link.on_trial:
            self._trials.begin(link)
        self.wake()

    def ways_changed(self) -> None:
        self._trials.ways_changed()
        for address in self._lost():
            self.woken_by(address)
        if self._sought:
            self.wake()

    def link_down(self, link: Link) -> None:
        self._trials.link_down(link)
        known = self._known.get(link.peer_address)
        if known is not None and not link.on_trial and trio.current_time() - link.since > TRIAL:
            known.begin_anew()
        self.wake()


async def _none() -> Sequence[Server]:
    return ()
