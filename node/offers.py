"""Direct links that people arrange: an offer as text or picture is carried to the other device, and its answer back.

No server and no other way between the two is needed, only that both are of one namespace. A text holds the key of who
made it and a WebRTC session description; it is no secret, and of no use to anybody else: who answers must hold the
key of a node of the namespace.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
import trio
from msgspec import Meta

from firefly.address import address_of
from firefly.errors import Busy, GlowError, InvalidArgument, NoSuchResource
from node.links import LinkError
from node.links.candidates import END
from node.links.channels import MAX_DESCRIPTION
from node.links.link import Link
from node.links.webrtc import OPEN_TIME, DataChannel

if TYPE_CHECKING:
    from node.node import Node

VERSION = 1
OFFER, ANSWER = "glow-offer:", "glow-answer:"
MAX_TEXT = 16 * 2**10
LIFETIME = 600.0
"""Seconds that an offer, or an answer, waits for the other device."""
MAX_OPEN = 4
"""Offers and answers that wait at a time."""


class _Text(msgspec.Struct, array_like=True):
    version: int
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION)]


def to_text(prefix: str, key: bytes, description: str) -> str:
    packed = zlib.compress(msgspec.msgpack.encode(_Text(VERSION, key, description)), 9)
    return prefix + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def parse(prefix: str, text: str) -> tuple[bytes, str]:
    """(key, description) of a text. Raises InvalidArgument."""
    text = "".join(text.split())
    what = "an offer" if prefix == OFFER else "an answer"
    command = "offer" if prefix == OFFER else "answer"
    hint = f"copy the whole of what `glow link {command}` printed on the other device"
    if not text.startswith(prefix) or len(text) > MAX_TEXT:
        raise InvalidArgument(f"this is not {what} of a link", cause=f"it does not begin with {prefix}", hint=hint)
    encoded = text.removeprefix(prefix)
    try:
        packed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        inflated = zlib.decompressobj().decompress(packed, 2 * MAX_DESCRIPTION)
        found = msgspec.msgpack.decode(inflated, type=_Text)
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError) as error:
        raise InvalidArgument(f"this is a damaged {command} of a link", cause=str(error), hint=hint) from None
    if found.version != VERSION:
        raise InvalidArgument(f"the {command} is of another version of Glow", hint="upgrade the older device")
    return found.key, found.description


class _Open:
    """An offer that waits for its answer."""

    def __init__(self) -> None:
        self.answer: tuple[bytes, str] | None = None
        self.answered, self.over = trio.Event(), trio.Event()
        self.link: Link | None = None
        self.failure: GlowError | None = None


class Offers:
    """The offers and answers of a node that are made by hand."""

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self._node = node
        self._nursery = nursery
        self._numbers = 0
        self._waiting = 0
        self._open: dict[int, _Open] = {}

    async def make(self) -> tuple[int, str]:
        """Number and text of a new offer. Raises LinkError, Busy."""
        self._check_room()
        self._numbers += 1
        offer = self._open[self._numbers] = _Open()
        number = self._numbers
        try:
            description: str = await self._nursery.start(self._offer, number, offer)
        finally:
            if offer.over.is_set():
                del self._open[number]
        return number, to_text(OFFER, self._node.key.public, description)

    async def _offer(self, number: int, offer: _Open, task_status: trio.TaskStatus[str]) -> None:
        """Keeps the channel of an offer until it is answered, and then for as long as the link lasts."""
        started = False
        try:
            async with self._node.meetings.channels.open() as channel:
                description = await channel.offer(await self._node.hub_services.servers())
                task_status.started(description)
                started = True
                with trio.move_on_after(LIFETIME):
                    await offer.answered.wait()
                self._open.pop(number, None)
                if offer.answer is None:
                    raise LinkError(f"nobody answered the offer within {LIFETIME / 60:.0f} minutes")
                key, answer = offer.answer
                channel.accept(answer)

                def made(link: Link) -> bool:
                    offer.link = link
                    offer.over.set()
                    return True

                await self._carry(channel, key, made, initiator=True, patience=OPEN_TIME)
        except GlowError as error:
            if not started:
                raise
            offer.failure = error
        finally:
            offer.over.set()

    async def accept(self, number: int, text: str) -> Link:
        """The link that an answer leads to. Raises InvalidArgument, NoSuchResource, LinkError."""
        key, description = parse(ANSWER, text)
        self._check_key(key)
        offer = self._open.pop(number, None)
        if offer is None:
            raise NoSuchResource("there is no such offer any more", hint="glow link offer")
        offer.answer = key, description
        offer.answered.set()
        await offer.over.wait()
        if offer.link is None:
            raise offer.failure or LinkError("the offer was let go")
        return offer.link

    async def answer(self, text: str) -> str:
        """The text that answers an offer; the link follows when the other device has it. Raises InvalidArgument,
        LinkError, Busy.
        """
        key, description = parse(OFFER, text)
        self._check_key(key)
        self._check_room()
        answer: str = await self._nursery.start(self._answer, key, description)
        return to_text(ANSWER, self._node.key.public, answer)

    async def _answer(self, key: bytes, offer: str, task_status: trio.TaskStatus[str]) -> None:
        started = False
        self._waiting += 1
        try:
            async with self._node.meetings.channels.open() as channel:
                # The other device begins only when a person has carried the answer back: ICE must not give up before.
                offer = "".join(line for line in offer.splitlines(keepends=True) if not line.startswith(END))
                description = await channel.answer(offer, await self._node.hub_services.servers())
                started = True
                task_status.started(description)
                await self._carry(channel, key, lambda link: True, initiator=False, patience=LIFETIME)
        except GlowError as error:
            if not started:
                raise
            self._node.link_failed("an offer that was answered by hand", error)
        finally:
            self._waiting -= 1

    async def _carry(
        self, channel: DataChannel, key: bytes, made: Callable[[Link], bool], *, initiator: bool, patience: float
    ) -> None:
        connection = await channel.connection(patience)
        try:
            await self._node.links.use(connection, key, made, initiator=initiator)
        finally:
            connection.close()

    def _check_room(self) -> None:
        if len(self._open) + self._waiting >= MAX_OPEN:
            raise Busy(f"{MAX_OPEN} offers wait for the other device already", hint="they end after 10 minutes")

    def _check_key(self, key: bytes) -> None:
        if self._node.caller_of(key).role == 0 or key == self._node.key.public:
            raise InvalidArgument(
                f"{self._node.name_of(address_of(key))} is no other device of yours",
                hint="`glow invite` here, then `glow join` there, makes it one",
            )
