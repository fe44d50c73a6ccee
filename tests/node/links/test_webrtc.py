"""Links over data channels: what every transport must do, and what the program beside the node must not do to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import ifaddr
import pytest
import trio
from aiortc import RTCPeerConnection, RTCSessionDescription

from firefly.errors import BadHandshake, GlowError
from firefly.keys import NodeKey
from firefly.packet import MAX_PAYLOAD
from node.links import LinkError, datachannels, webrtc
from node.links.candidates import Candidates
from node.links.channels import BLOCKED, MAX_MESSAGE, Ask, Server
from node.links.datachannels import Channel, cut
from node.links.link import Link
from node.links.nat import OPEN, OTHER, SAME, SOME, verdict
from node.links.webrtc import DataChannel, DataChannels
from tests.node.family import until
from tests.node.links.neighbours import WAIT, Neighbour, end_of

OTHERS = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.ip not in ("127.0.0.1", ("::1", 0, 0))]
needs_address = pytest.mark.skipif(not OTHERS, reason="ICE uses no loopback address, and this machine has no other")


class Pair:
    """Two neighbours with a data channel between them, which met by hand."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.one, self.other = Neighbour(nursery, folder), Neighbour(nursery, folder)
        self.channels = DataChannels(nursery), DataChannels(nursery)

    async def link(self, expected: bytes | None = None) -> Link:
        """The link at the side that offered. `expected` is the key that it expects, by default the right one."""
        links: list[Link] = []
        errors: list[GlowError] = []
        expected = expected or self.other.key.public

        def made(link: Link) -> bool:
            links.append(link)
            return True

        async def carry(neighbour: Neighbour, channel: DataChannel, key: bytes, initiator: bool) -> None:
            connection = await channel.connection()
            try:
                await neighbour.manager.use(connection, key, made, initiator=initiator)
            finally:
                connection.close()

        async def offer(*, task_status: trio.TaskStatus[None]) -> None:
            try:
                async with self.channels[0].open() as channel:
                    answer = await self.nursery.start(accept, await channel.offer([]))
                    channel.accept(answer)
                    task_status.started()
                    await carry(self.one, channel, expected, True)
            except GlowError as error:
                errors.append(error)

        async def accept(offered: str, *, task_status: trio.TaskStatus[str]) -> None:
            try:
                async with self.channels[1].open() as channel:
                    task_status.started(await channel.answer(offered, []))
                    await carry(self.other, channel, self.one.key.public, False)
            except GlowError as error:
                errors.append(error)

        await self.nursery.start(offer)
        await until(lambda: len(links) == 2 or errors)
        if errors:
            raise errors[0]
        return next(link for link in links if link.peer_key == self.other.key.public)


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        yield Pair(nursery, folder)
        nursery.cancel_scope.cancel()


@needs_address
async def test_packets_of_any_size_arrive_in_order_both_ways(tmp_path: Path) -> None:
    sizes = [0, 1, 64, 1000, MAX_PAYLOAD, 3, MAX_MESSAGE - 1, MAX_MESSAGE, MAX_PAYLOAD - 1, 40_000] * 10
    there = [os.urandom(size) for size in sizes]
    async with pair(tmp_path) as both:
        link = await both.link()
        assert link.kind == "webrtc"
        assert link.url.startswith("webrtc://")
        assert link.on_trial
        both.one.send(both.other.key.address, *there)
        both.other.send(both.one.key.address, *there[::-1])
        await both.other.until(lambda: len(both.other.arrived) == len(there))
        await both.one.until(lambda: len(both.one.arrived) == len(there))
        assert both.other.arrived == there
        assert both.one.arrived == there[::-1]


@needs_address
async def test_both_ends_hear_of_the_end_and_the_programs_end_with_the_last_channel(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        link = await both.link()
        both.other.ups[0].close("enough")
        reason = await end_of(link)
        assert any(word in reason for word in ("closed", "reset", "Broken pipe"))  # a write may be the first to know
        await both.one.until(lambda: both.one.downs)
        await until(lambda: not any(channels._program for channels in both.channels))


@needs_address
async def test_a_wrong_node_is_not_linked_whatever_its_description_says(tmp_path: Path) -> None:
    """The fingerprints of a description are the business of DTLS alone: who is there, Noise says."""
    async with pair(tmp_path) as both:
        with pytest.raises(BadHandshake):
            await both.link(NodeKey.generate().public)
        assert not both.one.ups


@needs_address
async def test_what_no_key_opens_ends_the_link(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        link = await both.link()
        link._pump._sock.send(b"\0\0\0\x20" + bytes(32))
        await end_of(link)
        await both.other.until(lambda: both.other.downs)
        assert both.other.router.counters["link_errors"] == 1


@needs_address
async def test_a_neighbour_that_reads_nothing_slows_the_sender(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        link = await both.link()
        pump = both.other.ups[0]._pump
        pump._received = lambda data: pump.close()  # it stops reading at the first byte, and lets go
        pile = both.one.send(both.other.key.address, *[bytes(MAX_PAYLOAD)] * 2000)
        assert await end_of(link)
        assert len(pile.left) > 1000


@needs_address
async def test_a_program_that_dies_ends_its_links_with_the_reason_and_another_one_is_started(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        link = await both.link()
        os.killpg(_program_of(both.channels[0]), signal.SIGKILL)
        assert await end_of(link)
        again = await both.link()
        assert not again.reason


def _program_of(channels: DataChannels) -> int:
    program = channels._program
    assert program is not None
    return program.process


@needs_address
@pytest.mark.parametrize("description", ["", "nonsense", "v=0\r\nm=audio 9 RTP/AVP 0\r\n", "v=0\r\n" * 1000])
async def test_a_description_that_is_none_is_refused(description: str) -> None:
    async with trio.open_nursery() as nursery:
        channels = DataChannels(nursery)
        async with channels.open() as channel:
            with pytest.raises(LinkError) as caught:
                await channel.answer(description, [])
        assert caught.value.cause
        nursery.cancel_scope.cancel()


class Two:
    """Two data channels of one program that are to meet, and each other's candidates."""

    def __init__(self, one: DataChannel, other: DataChannel) -> None:
        self.one, self.other = one, other

    async def meet(self, early: bool) -> None:
        """The one offers; both are told candidates alone, before the description or after it."""
        offer, ones = apart(await self.one.offer([]))
        answer, others = apart(await described(self.other, lambda: self.other.answer(offer, []), ones, early))

        async def accept() -> str:
            self.one.accept(answer)
            return ""

        await described(self.one, accept, others, early)

    async def greet(self) -> None:
        with closing(await self.one.connection()) as there, closing(await self.other.connection()) as here:
            await there.send(b"a frame")
            assert await here.receive() == b"a frame"


async def described(
    channel: DataChannel, describe: Callable[[], Awaitable[str]], candidates: list[str], early: bool
) -> str:
    if early:
        tell(channel, candidates)
    said = await describe()
    if not early:
        tell(channel, candidates)
    return said


def tell(channel: DataChannel, candidates: list[str]) -> None:
    for candidate in candidates:
        channel.add(candidate)


def apart(description: str) -> tuple[str, list[str]]:
    """A description without its candidates, and those, with the end."""
    lines = description.splitlines(keepends=True)
    candidates = [line.strip() for line in lines if line.startswith("a=candidate")]
    rest = "".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))
    assert candidates
    return rest, [*candidates, ""]


@asynccontextmanager
async def two() -> AsyncIterator[Two]:
    async with trio.open_nursery() as nursery:
        channels = DataChannels(nursery)
        async with channels.open() as one, channels.open() as other:
            yield Two(one, other)
        nursery.cancel_scope.cancel()


@needs_address
@pytest.mark.parametrize("early", [True, False])
async def test_candidates_may_be_told_one_by_one_before_the_description_and_after_it(early: bool) -> None:
    async with two() as both:
        await both.meet(early)
        await both.greet()


@needs_address
async def test_what_is_no_candidate_and_one_after_the_last_harm_no_channel() -> None:
    async with two() as both:
        for junk in "candidate:nonsense", "candidate:1 1 udp 1 192.0.2.1 99999 typ host":
            with pytest.raises(LinkError):
                both.other.add(junk)
        await both.meet(early=True)
        with pytest.raises(LinkError, match="after the last one"):
            both.other.add("candidate:1 1 udp 1 192.0.2.1 9 typ host")
        await both.greet()


@needs_address
async def test_a_channel_that_has_ended_takes_no_candidate_and_says_why() -> None:
    async with two() as both:
        with pytest.raises(LinkError):
            await both.other.answer("nonsense", [])
        with pytest.raises(LinkError) as caught:
            both.other.add("candidate:1 1 udp 1 192.0.2.1 9 typ host")
        assert caught.value.cause == both.other.reason


@needs_address
def test_a_name_that_is_not_found_is_left_out_and_the_end_waits_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of the same offer lead there; if they did not, the reason would tell of the name."""
    asyncio.run(asyncio.wait_for(meet_in_spite_of_a_name(monkeypatch), WAIT))


async def meet_in_spite_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()
    may_fail = asyncio.Event()

    async def look_up(name: str) -> str:
        asked.set()
        await may_fail.wait()
        raise OSError(f"nobody is {name}")

    monkeypatch.setattr(datachannels, "look_up", look_up)
    said: dict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.setblocking(False)
        channel = Channel(theirs, [], lambda what, text: said[what].put_nowait(text))
        offer = RTCPeerConnection()
        offer.createDataChannel("glow")
        await offer.setLocalDescription(await offer.createOffer())
        kept: list[str] = []
        candidates = Candidates(kept.append)
        rest = candidates.split(offer.localDescription.sdp)
        candidates.described()
        await channel.take(Ask(1, "answer", rest))
        name = "1 1 udp 1 nobody.local 9 typ host"
        tasks = [asyncio.create_task(channel.take(Ask(1, "candidate", each))) for each in (name, *kept)]
        await asked.wait()
        answer = await said["described"].get()
        assert kept[-1] == ""
        assert not tasks[-1].done()
        may_fail.set()
        await offer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await said["open"].get()
        await asyncio.gather(*tasks)
        assert "nobody is nobody.local" in channel._not_found
        await offer.close()
        await channel.end("enough")


@needs_address
async def test_a_server_that_answers_nothing_costs_time_only() -> None:
    """And the device is said to be behind something that lets no UDP through."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = Server([f"stun:127.0.0.1:{silent.getsockname()[1]}"])
        async with trio.open_nursery() as nursery:
            channels = DataChannels(nursery)
            async with channels.open() as channel:
                assert "a=candidate" in await channel.offer([server])
                assert channel.behind == BLOCKED
            nursery.cancel_scope.cancel()


async def test_without_the_library_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "find_spec", lambda name: None)
    async with trio.open_nursery() as nursery:
        with pytest.raises(LinkError) as caught:
            async with DataChannels(nursery).open():
                raise AssertionError
    assert caught.value.hint == 'pip install "glow[webrtc]"'


def test_a_frame_is_cut_into_messages_that_say_whether_more_follows() -> None:
    frame = os.urandom(3 * MAX_MESSAGE)
    messages = list(cut(frame))
    assert [message[0] for message in messages] == [1, 1, 1, 0]
    assert b"".join(message[1:] for message in messages) == frame
    assert max(map(len, messages)) == MAX_MESSAGE <= 16 * 2**10
    assert [len(message) for message in cut(bytes(MAX_MESSAGE - 1))] == [MAX_MESSAGE]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([], BLOCKED),
        ([("198.18.0.9", 7)], SOME),
        ([("198.18.0.9", 7), ("198.18.0.9", 7)], SAME),
        ([("198.18.0.9", 7), ("198.18.0.9", 8)], OTHER),
        ([("10.0.0.2", 7), ("10.0.0.2", 7)], OPEN),
    ],
)
def test_what_servers_see_tells_the_kind_of_nat(seen: list[tuple[str, int]], said: str) -> None:
    assert verdict(seen, ["10.0.0.2", "127.0.0.1"]) == said
