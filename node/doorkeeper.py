"""Lets devices in: invites, what becomes of them, and joining elsewhere (docs/concepts/security.md, Pairing)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import trio

from firefly.errors import BadMessage, Busy, GlowError, InvalidArgument, Unreachable
from node.certificates import ADMIN, RELAY
from node.identity import check_label, keep, suggest_label
from node.link_book import widened
from node.links import SHAREABLE, scheme_of
from node.links.link import Link
from node.node import Node
from node.pairing import (
    ASK,
    GRANT,
    LIFETIME,
    REFUSE,
    Invite,
    InviteRefusedError,
    Joined,
    PairingFailed,
    decode_ask,
    find_invite,
    format_link,
    make_ask,
    make_grant,
    make_refusal,
    new_invite,
    parse_link,
    take_answer,
)
from node.store import Store

ANSWER_TIME = 630.0
"""Seconds that a joiner waits: the inviter's person has 10 minutes."""
CALL_TIME = 60.0
"""Seconds that an inviter which cannot be dialled has to dial this node."""
MAX_INVITES = 64
TRY_AGAIN = "is its node still running? Then `glow join LINK` once more: the invite is not used up"
IN_ANOTHER = (
    "the device belongs to another namespace: it can only be a relay of this one, by an invite of "
    "`glow invite --role relay`"
)


@dataclass
class Asked:
    """A device with a right proof that waits for a person."""

    invite: Invite
    link: Link
    label: str


@dataclass
class Happened:
    """What became of an invite: asked, joined or refused."""

    what: str
    invite: bytes
    label: str = ""
    address: bytes = b""
    detail: str = ""


class Doorkeeper:
    """The invites of a node, and the devices at its door."""

    def __init__(self, node: Node) -> None:
        self.lifetime = LIFETIME
        self._node = node
        self._invites: dict[bytes, Invite] = {}
        self._asked: dict[bytes, Asked] = {}
        self._listeners: set[trio.MemorySendChannel[Happened]] = set()
        self._answers: dict[Link, Callable[[int, bytes], None]] = {}
        self._at: set[str] = set()
        node.pair = self._pair
        node.waits_at_door = self._waits

    def load(self) -> None:
        """Takes up the invites that are still valid (blocking)."""
        for packed in self._node.store.invites():
            invite = msgspec.msgpack.decode(packed, type=Invite)
            if invite.expires > time.time():
                self._invites[invite.id] = invite
            else:
                self._node.store.remove_invite(invite.id)

    def _waits(self, link: Link) -> bool:
        """Whether a person may be about to pair over a link: it was dialled for that, or this node belongs nowhere.

        A hub that serves only nodes which its owner lists keeps no others waiting: they are told so, and dial again.
        """
        alone = self._node.namespace is None and not self._node.admission.lists
        return alone or (link.url in self._at and bool(self._invites))

    # --- inviting

    async def invite(
        self, name: str, role: int, lifetime: float, accept: bool, at: Sequence[str] = ()
    ) -> tuple[Invite, str]:
        """A new invite, on disk when this returns, and its link; a lifetime of 0 s is the usual one, `self.lifetime`.

        `at` are addresses where this node dials the other, which need not be able to dial this one then.

        Raises Denied's kin if this node cannot invite.
        """
        if name:
            check_label(name)
        if role == ADMIN:
            raise InvalidArgument("a new administrator needs the user key", hint="invite it as a member")
        if len(self._invites) >= MAX_INVITES:
            raise InvalidArgument(f"over {MAX_INVITES} invites are open", hint="wait until some have expired")
        addresses = [url for url in self._node.listening if scheme_of(url) in SHAREABLE]
        if not addresses and not at:
            raise InvalidArgument(
                "an invite would lead nowhere",
                cause="this node listens at no address that another device could dial",
                hint="start it so that it does: glow node --listen tcp://0.0.0.0:4747; "
                "or dial the other: glow invite --at tcp://HOST:PORT",
            )
        self._at.update(at)
        invite = new_invite(name, role, accept, time.time(), min(max(lifetime or self.lifetime, 1.0), 30 * 86400.0))
        packed = msgspec.msgpack.encode(invite)
        await self._node.store.run(lambda store: store.add_invite(invite.id, packed))
        self._invites[invite.id] = invite
        return invite, format_link(self._node.key.public, invite.secret, addresses)

    async def events(self, invite: bytes) -> AsyncIterator[Happened]:
        """What becomes of one invite, from now on."""
        send, receive = trio.open_memory_channel[Happened](64)
        self._listeners.add(send)
        try:
            async for happened in receive:
                if happened.invite == invite:
                    yield happened
        finally:
            self._listeners.discard(send)

    def _tell(self, happened: Happened) -> None:
        for listener in list(self._listeners):
            try:
                listener.send_nowait(happened)
            except trio.WouldBlock:
                self._listeners.discard(listener)
                listener.close()

    def _pair(self, link: Link, step: int, body: bytes) -> None:
        if step == ASK:
            self._ask(link, body)
        elif step in (GRANT, REFUSE):
            answer = self._answers.pop(link, None)
            if answer is None:
                raise BadMessage("an answer to a pairing that was not begun")
            answer(step, body)
        else:
            raise BadMessage(f"there is no step {step} of pairing")

    def _ask(self, link: Link, body: bytes) -> None:
        ask = decode_ask(body)
        invite = find_invite(list(self._invites.values()), ask, link.hash, time.time())
        if invite is None:
            self._refuse(link, "the invite is not valid (any more)")
        elif ask.relay and self._node.caller_of(link.peer_key).role:
            self._refuse(link, "the device belongs to this namespace already")
        elif ask.relay and invite.role != RELAY:
            self._refuse(link, IN_ANOTHER)
        elif not self._node.links.begin_pairing(link):
            self._refuse(link, "too many devices wait at the door; try again in a while")
        else:
            asked = Asked(invite, link, invite.name or suggest_label(ask.label))
            if invite.accept:
                self._node.start_soon(self._admit, asked)
            else:
                self._asked[invite.id] = asked
                self._tell(Happened("asked", invite.id, asked.label, link.peer_address, link.url))

    async def confirm(self, invite: bytes, accept: bool) -> None:
        """The person's answer. Raises InvalidArgument if nobody waits."""
        asked = self._asked.pop(invite, None)
        if asked is None:
            raise InvalidArgument("no device waits with this invite", hint="it may have given up; try again")
        if accept:
            await self._admit(asked)
        else:
            self._refuse(asked.link, "the person at the other device said no")
            self._tell(Happened("refused", invite, detail="you said no"))

    async def _admit(self, asked: Asked) -> None:
        """Uses the invite up and certifies the device; both are on disk before it hears of it."""
        node, invite, link = self._node, asked.invite, asked.link
        if self._invites.pop(invite.id, None) is None:
            self._refuse(link, "the invite is used up")
            return
        await node.store.run(lambda store: store.remove_invite(invite.id))
        directory = node.directory
        if directory is None or directory.secret is None or node.role != ADMIN:
            self._refuse(link, "this device may not invite")
            return
        label = self._free_label(asked.label, link.peer_key)
        chain = node.book.chain(directory.namespace, node.key.public)
        grant, statements = make_grant(
            node.key, directory.namespace, chain, directory.secret, invite, link.peer_key, label, link.hash, time.time()
        )
        namespace = directory.namespace

        def write(store: Store) -> None:
            for statement in statements:
                keep(store, namespace, statement, link.peer_key)

        await node.store.run(write)
        node.mesh.flooding.send_pair(link, GRANT, grant)
        node.router.flush()
        for statement in statements:
            node.publish(statement)
        self._tell(Happened("joined", invite.id, label, link.peer_address))

    def _free_label(self, wished: str, key: bytes) -> str:
        """The wished label, or one like it if another node has it."""
        directory = self._node.directory
        taken = {entry.label for entry in directory.entries() if entry.key != key} if directory is not None else set()
        label, number = wished, 2
        while label in taken:
            label, number = f"{wished[:58]}-{number}", number + 1
        return label

    def _refuse(self, link: Link, reason: str) -> None:
        self._node.mesh.flooding.send_pair(link, REFUSE, make_refusal(reason))
        self._node.router.flush()

    # --- joining

    async def join(self, text: str, label: str) -> None:
        """Joins by an invite link; returns when this node is certified and its standing links are kept.

        A node that is in a namespace already can be a relay in others, if their administrators invite it as one.

        Raises BadInvite, InviteRefusedError, Unreachable, and what the pairing finds wrong.
        """
        inviter, secret, addresses = parse_link(text)
        if label:
            check_label(label)
        link = await self._dial(addresses, inviter)
        if link in self._answers:
            raise Busy("this device is joining that one already", hint="wait for the other `glow join`, or stop it")
        try:
            joined = await self._pair_over(link, secret, label)
            await self._settle(joined, addresses, inviter)
        except BaseException:
            link.close("the pairing came to nothing")
            raise
        self._node.after_joining(link)

    async def _dial(self, addresses: list[str], inviter: bytes) -> Link:
        """A link to the inviter: one that it has made already, or one to its addresses; or else one that it makes."""
        reasons = []
        link = self._made_by(inviter)
        if link is not None:
            return link
        for address in addresses:
            try:
                link = await self._node.links.dial(address, inviter)
            except (GlowError, OSError) as error:
                reasons.append(f"{address}: {getattr(error, 'message', error)}")
            else:
                self._node.links.pairing.add(link)
                return link
        with trio.move_on_after(CALL_TIME if not addresses else 0.0):
            while True:
                await self._node.links.linked.wait()
                if (link := self._made_by(inviter)) is not None:
                    return link
        raise Unreachable(
            "the inviting device cannot be reached",
            cause="; ".join(reasons) or f"it has not dialled this one within {CALL_TIME:.0f} s, and names no address",
            hint="is it switched on, and on the same network? `glow link ls` there says what it dials",
        )

    def _made_by(self, inviter: bytes) -> Link | None:
        """A link that the inviter has made, over which this node can ask."""
        found = [link for link in self._node.router.links if link.peer_key == inviter and not link.reason]
        if found:
            self._node.links.pairing.add(found[0])
        return found[0] if found else None

    async def _pair_over(self, link: Link, secret: bytes, label: str) -> Joined:
        node = self._node
        send, receive = trio.open_memory_channel[tuple[int, bytes]](1)
        self._answers[link] = lambda step, body: send.send_nowait((step, body))
        try:
            await link.up.wait()
            node.mesh.flooding.send_pair(link, ASK, make_ask(secret, link.hash, label, node.namespace is not None))
            node.router.flush()
            with trio.move_on_after(ANSWER_TIME):
                answer = await _answer(link, send, receive)
                if answer is None:
                    raise Unreachable("the inviting device ended the pairing", cause=link.reason, hint=TRY_AGAIN)
                joined = take_answer(*answer, node.key, secret, link.hash, time.time())
                if node.namespace is not None and joined.certificate.role != RELAY:
                    raise PairingFailed("the other device made more than a relay of a node that is in a namespace")
                return joined
        finally:
            self._answers.pop(link, None)
        raise InviteRefusedError("nobody answered at the inviting device within ten minutes")

    async def _settle(self, joined: Joined, addresses: list[str], inviter: bytes) -> None:
        """Writes what was won, then enters the namespace."""
        node, namespace = self._node, joined.certificate.namespace

        def write(store: Store) -> None:
            for data in joined.certificates[:-1]:
                keep(store, namespace, data, inviter)
            keep(store, namespace, joined.certificates[-1], node.key.public)
            keep(store, namespace, joined.name, node.key.public)
            if addresses:
                store.set_links(widened(store.links(), addresses, inviter))
            if node.namespace is None:
                if joined.secret:
                    store.set("namespace-key", joined.secret)
                store.set("namespace", namespace)
            elif namespace not in node.serving(store):
                store.set("served", (store.get("served") or b"") + namespace)

        await node.store.run(write)


async def _answer(
    link: Link, send: trio.MemorySendChannel[tuple[int, bytes]], receive: trio.MemoryReceiveChannel[tuple[int, bytes]]
) -> tuple[int, bytes] | None:
    """What the inviter says in the end; None if the link ends before."""
    answer = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_until_down, link, send)
        with suppress(trio.EndOfChannel):
            answer = await receive.receive()
        nursery.cancel_scope.cancel()
    return answer


async def _until_down(link: Link, send: trio.MemorySendChannel[tuple[int, bytes]]) -> None:
    await link.down.wait()
    send.close()
