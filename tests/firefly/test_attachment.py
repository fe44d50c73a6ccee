"""What an attachment says beside the messages of a session, and how a program asks its node."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from msgspec import Raw

from firefly import client
from firefly.attachment import (
    LENGTH,
    MAX_FRAME,
    MAX_SCHEMA,
    VERSION,
    Attach,
    Attached,
    AttachedConversation,
    AttachedNotify,
    AttachedPeer,
    AttachedRequest,
    Register,
    Registered,
    decode_frame,
    encode,
    pack_frame,
)
from firefly.calls import IncomingCall, OutgoingCall
from firefly.errors import BadMessage, GlowError, Interrupted, TooLarge
from firefly.link import FrameReader
from firefly.messages import Cancel, Notify, Request, Result
from firefly.packet import BULK, INTERACTIVE
from firefly.rpc import MAX_CALLS, Conversation
from firefly.runtime import Host, open_workers
from tests.firefly.mutation import garbage
from tests.firefly.runtime.probe import ProbeServer

ID, NODE = bytes(16), b"n" * 16
NIL = Raw(b"\xc0")
CALLER = [bytes(32), bytes(32), 2, NODE]
EVERY: list[Any] = [
    AttachedRequest(1, ID, 7, 5, None, NIL, None, NODE, BULK),
    AttachedRequest(3, ID, 7, None, None, NIL, [(ID, NODE)], CALLER, INTERACTIVE),
    AttachedNotify(ID, 7, [NIL, NIL], None, NODE, INTERACTIVE),
    Attach(VERSION, b"token"),
    Register("label", ID, "a.B", b"schema"),
    Register("label", None, "a.B", b""),
    Attached(VERSION, NODE, bytes(32), ID, "label", "/folder", {"a": "b"}),
    Registered(ID),
    Registered(b"", "refused"),
    Cancel(1),
    Result(1, NIL),
]


class Quiet:
    """A dispatcher that remembers requests and notifications with their lanes."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Any]] = []

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        self.heard.append((lane, request))
        return IncomingCall(conversation, request.call, lane)

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        self.heard.append((lane, notification))

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None: ...


class Ends:
    """Both ends of an attachment, without a socket."""

    def __init__(self) -> None:
        self.controls: list[Any] = []
        self.node_side = Quiet()
        self.program = self._end(Quiet(), odd=True)
        self.node = self._end(self.node_side, odd=False)

    def _end(self, dispatcher: Any, odd: bool) -> AttachedConversation:
        return AttachedConversation(
            dispatcher, odd=odd, wake=lambda lane: None, now=lambda: 0.0, control=self.controls.append
        )

    def carry(self) -> list[bytes]:
        frames = list(iter(self.program.next_frame, None))
        for frame in frames:
            self.node.receive(INTERACTIVE, frame[LENGTH.size :])
        return frames


@pytest.mark.parametrize("message", EVERY)
def test_a_message_comes_as_it_was_sent(message: Any) -> None:
    assert decode_frame(encode([message])) == [message]


def test_messages_of_a_session_are_read_without_a_peer() -> None:
    (request,) = decode_frame(encode([Request(1, ID, 7, None, None, NIL)]))
    assert (request.peer, request.lane) == (None, INTERACTIVE)


@pytest.mark.parametrize("frame", [b"", b"\xc1", encode([[99]]), encode([[13, "1", b""]]), b"\x91" * 60_000])
def test_what_is_no_list_of_messages_is_refused(frame: bytes) -> None:
    with pytest.raises(BadMessage, match="no list of messages"):
        decode_frame(frame)


def test_requests_carry_their_target_and_lane() -> None:
    ends = Ends()
    peer = AttachedPeer(ends.program, NODE)
    for lane in (INTERACTIVE, BULK):
        peer.call(OutgoingCall(ends.program, peer.next_number(), lane), ID, 7, b"\x90", 5, None)
        peer.notify(lane, ID, 8, b"\x90", None)
    ends.carry()
    assert [(lane, message.peer, message.lane) for lane, message in ends.node_side.heard] == [
        (INTERACTIVE, NODE, INTERACTIVE),
        (INTERACTIVE, NODE, INTERACTIVE),
        (BULK, NODE, BULK),
        (BULK, NODE, BULK),
    ]


def test_notifications_to_several_nodes_keep_apart() -> None:
    ends = Ends()
    for node in (NODE, NODE, b"m" * 16):
        AttachedPeer(ends.program, node).notify(INTERACTIVE, ID, 8, b"\x90", None)
    ends.carry()
    sent = [(message.peer, len(message.arguments)) for _, message in ends.node_side.heard]
    assert sum(count for node, count in sent if node == NODE) == 2
    assert sum(count for node, count in sent if node != NODE) == 1


@pytest.mark.parametrize("lane", [0, 3, -1, 2**40])
@pytest.mark.parametrize(
    "message",
    [
        lambda lane: AttachedRequest(1, ID, 7, None, None, NIL, None, NODE, lane),
        lambda lane: AttachedNotify(ID, 7, [NIL], None, NODE, lane),
    ],
)
def test_a_lane_that_does_not_exist_is_refused(message: Callable[[int], Any], lane: int) -> None:
    with pytest.raises(BadMessage, match="no lane"):
        Ends().node.receive(INTERACTIVE, encode([message(lane)]))


def test_what_only_attachments_say_is_not_for_the_dispatcher() -> None:
    ends = Ends()
    ends.node.receive(INTERACTIVE, encode([Attach(VERSION, b""), Register("a", None, "", b"")]))
    assert ends.controls == [Attach(VERSION, b""), Register("a", None, "", b"")]
    assert ends.node_side.heard == []


def test_interactive_messages_leave_before_bulk_ones() -> None:
    ends = Ends()
    peer = AttachedPeer(ends.program, NODE)
    for lane in (BULK, INTERACTIVE):
        peer.call(OutgoingCall(ends.program, peer.next_number(), lane), ID, 7, b"\x90", None, None)
    ends.carry()
    assert [lane for lane, _ in ends.node_side.heard] == [INTERACTIVE, BULK]


@pytest.mark.parametrize("size", [0, 30, 60_000])
def test_frames_keep_to_their_limit_however_many_calls_leave_at_once(size: int) -> None:
    ends = Ends()
    peer = AttachedPeer(ends.program, NODE)
    for _ in range(MAX_CALLS):
        call = OutgoingCall(ends.program, peer.next_number(), INTERACTIVE)
        arguments = msgspec.msgpack.encode(bytes(size))
        request = AttachedRequest(call.number, ID, 2**32 - 1, 2**50, None, Raw(arguments), None, CALLER, INTERACTIVE)
        ends.program.call_with(call, request, len(arguments))
    frames = ends.carry()
    assert max(map(len, frames)) <= MAX_FRAME
    assert max(map(len, frames)) <= 70_000
    assert len(ends.node_side.heard) == MAX_CALLS


def test_one_open_call_is_alone() -> None:
    ends = Ends()
    assert not ends.program.alone()
    peer = AttachedPeer(ends.program, NODE)
    peer.call(OutgoingCall(ends.program, peer.next_number(), INTERACTIVE), ID, 7, b"\x90", None, None)
    assert ends.program.alone()
    peer.call(OutgoingCall(ends.program, peer.next_number(), INTERACTIVE), ID, 7, b"\x90", None, None)
    assert not ends.program.alone()


CALLED = AttachedRequest(2, ID, 7, None, None, Raw(b"\x91\xc4\x00"), None, CALLER)


@given(garbage(encode([CALLED, EVERY[2]])))
def test_a_program_believes_no_garbage_of_its_node(data: bytes) -> None:
    async def main() -> None:
        async with open_workers() as workers:
            host = Host(None, workers)  # type: ignore[arg-type]
            host.add(ID, ProbeServer())
            conversation = AttachedConversation(
                host, odd=True, wake=lambda lane: None, now=trio.current_time, control=lambda message: None
            )
            with suppress(BadMessage):
                conversation.receive(INTERACTIVE, data)
            conversation.close()

    trio.run(main)


# --- a program and its node


class FakeNode:
    """The node's end of the socket, played by the test."""

    def __init__(self, sock: socket.socket) -> None:
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._frames = FrameReader(MAX_FRAME)
        self._messages: list[Any] = []

    async def heard(self) -> Any:
        while not self._messages:
            for frame in self._frames.feed(bytes(await self._stream.receive_some())):
                self._messages += decode_frame(frame)
        return self._messages.pop(0)

    async def say(self, *messages: Any) -> None:
        await self._stream.send_all(pack_frame(encode(list(messages))))

    async def close(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def attached() -> AsyncIterator[tuple[client.Attachment, FakeNode]]:
    near, far = socket.socketpair()
    node = FakeNode(far)
    try:
        async with open_workers() as workers, trio.open_nursery() as nursery:
            attachment = client.Attachment(near, workers)
            nursery.start_soon(attachment.run)
            yield attachment, node
            nursery.cancel_scope.cancel()
    finally:
        near.close()
        await node.close()


class Offered(ProbeServer):
    proto, schema = "probe.Probe", b"compiled"


async def test_a_program_learns_who_its_node_is() -> None:
    async with attached() as (attachment, node):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attachment.attach, b"token")
            assert await node.heard() == Attach(VERSION, b"token")
            await node.say(Attached(VERSION, NODE, bytes(32)))
        assert attachment.address == NODE
        assert attachment.peer(NODE) is attachment.peer(NODE)
        assert await attachment.reach(b"m" * 16) is not attachment.peer(NODE)


async def test_a_registered_resource_is_served_from_the_answer_on() -> None:
    async with attached() as (attachment, node), trio.open_nursery() as nursery:
        ids: list[bytes] = []

        async def register(label: str) -> None:
            ids.append(await attachment.register(label, Offered()))

        nursery.start_soon(register, "offered")
        assert await node.heard() == Register("offered", None, "probe.Probe", b"compiled")
        await node.say(Registered(ID), AttachedRequest(2, ID, 1, None, None, Raw(b"\x91\xc4\x00"), None, CALLER))
        answer = await node.heard()
        assert (answer.call, answer.code) == (2, 3)
    assert ids == [ID]


async def test_answers_belong_to_the_questions_in_their_order() -> None:
    ids: dict[str, Any] = {}
    async with attached() as (attachment, node):

        async def register(label: str) -> None:
            try:
                ids[label] = await attachment.register(label, Offered())
            except GlowError as error:
                ids[label] = error.cause

        async with trio.open_nursery() as nursery:
            for label in ("first", "second", "third"):
                nursery.start_soon(register, label)
            labels = [(await node.heard()).label for _ in range(3)]
            await node.say(Registered(b"1" * 16), Registered(b"", "not this one"), Registered(b"3" * 16))
        assert [ids[label] for label in labels] == [b"1" * 16, "not this one", b"3" * 16]
        assert set(attachment.host.resources) == {b"1" * 16, b"3" * 16}


async def test_an_interface_that_is_too_long_is_not_sent() -> None:
    class Long(ProbeServer):
        schema = bytes(MAX_SCHEMA + 1)

    async with attached() as (attachment, _):
        with pytest.raises(TooLarge):
            await attachment.register("long", Long())


async def test_a_long_interface_fits_a_frame() -> None:
    class Long(ProbeServer):
        schema = bytes(MAX_SCHEMA)

    async with attached() as (attachment, node), trio.open_nursery() as nursery:
        nursery.start_soon(attachment.register, "long", Long())
        assert len((await node.heard()).schema) == MAX_SCHEMA
        await node.say(Registered(ID))


@pytest.mark.parametrize(
    "message", [Registered(ID), Attached(VERSION, NODE, bytes(32)), Attach(VERSION, b""), Register("a", None, "", b"")]
)
async def test_a_node_that_says_what_was_not_asked_ends_the_attachment(message: Any) -> None:
    async with attached() as (attachment, node):
        await node.say(message)
        await attachment.ended.wait()
        assert isinstance(attachment.conversation.closed, Interrupted)
        assert "rules" in attachment.conversation.closed.message


async def test_a_wrong_answer_to_a_question_ends_the_attachment() -> None:
    async with attached() as (attachment, node), trio.open_nursery() as nursery:

        async def attach() -> None:
            with pytest.raises(Interrupted):
                await attachment.attach()

        nursery.start_soon(attach)
        await node.heard()
        await node.say(Registered(ID))


async def test_when_the_node_goes_everything_ends_interrupted() -> None:
    async with attached() as (attachment, node):
        async with trio.open_nursery() as nursery:

            async def register() -> None:
                with pytest.raises(Interrupted, match="stopped"):
                    await attachment.register("label", Offered())

            nursery.start_soon(register)
            await node.heard()
            await node.close()
        await attachment.ended.wait()
        assert attachment.peer(NODE) is None
        with pytest.raises(Interrupted):
            await attachment.reach(NODE)
        with pytest.raises(Interrupted):
            await attachment.register("label", Offered())
