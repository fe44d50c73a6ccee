"""Links over WebRTC data channels, for nodes that can reach each other in no other way (docs/concepts/wire.md, 1 Link).

No address leads to such a link: the two ends exchange descriptions of how each can be reached, over any way that there
is (node/meeting.py). A channel is an ordered, reliable stream of frames, carried by a program of its own
(datachannels.py; docs/decisions/0013-data-channels.md says why), which is started when it is first needed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from importlib.util import find_spec

import msgspec
import trio

from node.child import Output, end, reason_of_end
from node.links import LinkError
from node.links.candidates import Candidates
from node.links.channels import Ask, Server, Tell, to_line
from node.links.connection import Connection

kind = "webrtc"
DESCRIBE_TIME = 10.0
"""Seconds to find out how this end can be reached; servers that do not answer take half of it."""
OPEN_TIME = 15.0
"""Seconds to find a way between the two ends once they know of each other."""
BUFFER = 64 * 2**10
"""Bytes that may wait between us and the program; Linux doubles it, for what it adds itself."""
MAX_CHANNELS = 64
RELAYED = "?relayed"
"""How the URL of a link ends that a TURN server relays."""
READ = 64 * 2**10
HINT = 'pip install "glow[webrtc]"'


def is_installed() -> bool:
    return find_spec("aiortc") is not None


class DataChannel:
    """One channel on its way to carry a link. Every method raises LinkError: why there will be none."""

    def __init__(self, number: int, program: Program, ours: socket.socket, theirs: socket.socket) -> None:
        self.reason = ""
        self.how = self.remote = self.behind = ""
        self._number = number
        self._program = program
        self._ours, self._theirs = ours, theirs
        self._description = ""
        self._described, self._opened = trio.Event(), trio.Event()
        self._candidates = Candidates(lambda candidate: program.ask(Ask(number, "candidate", candidate)))

    async def offer(self, servers: Sequence[Server]) -> str:
        """A description of this end, for the other one to answer."""
        self._program.ask(Ask(self._number, "offer", servers=list(servers)), self._theirs)
        return await self._own_description()

    async def answer(self, offer: str, servers: Sequence[Server]) -> str:
        """The description of this end that answers the other's."""
        offer = self._candidates.split(offer)
        self._program.ask(Ask(self._number, "answer", offer, list(servers)), self._theirs)
        self._candidates.described()
        return await self._own_description()

    def accept(self, answer: str) -> None:
        """Takes the other end's answer to the offer."""
        self._program.ask(Ask(self._number, "accept", self._candidates.split(answer)))
        self._candidates.described()

    def add(self, candidate: str) -> None:
        """Takes one more candidate of the other end, as browsers tell them one by one; an empty one says that there are
        no more. The channel does not end with an error that this raises: it goes on without this candidate.
        """
        if self.reason:
            raise LinkError("no data channel came about", cause=self.reason)
        self._candidates.add(candidate)

    async def connection(self, patience: float = OPEN_TIME) -> Connection:
        """The connection, once there is one, for which the other end has `patience` seconds."""
        await self._wait(self._opened, patience, "no way between the two was found in time")
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(self._ours))
        return Connection(stream, kind, f"{kind}://{self.remote}{RELAYED * (self.how == 'relayed')}")

    async def _own_description(self) -> str:
        await self._wait(self._described, DESCRIBE_TIME, "this end's addresses were not found out in time")
        return self._description

    async def _wait(self, event: trio.Event, seconds: float, otherwise: str) -> None:
        with trio.move_on_after(seconds):
            await event.wait()
        if self.reason or not event.is_set():
            raise LinkError("no data channel came about", cause=self.reason or otherwise)

    def hear(self, said: Tell) -> None:
        """What the program says of this channel."""
        if said.what == "behind":
            self.behind = said.text
        elif said.what == "described":
            self._description = said.text
            self._described.set()
        elif said.what == "open":
            self.how, _, self.remote = said.text.partition(" ")
            self._opened.set()
        else:
            self.reason = said.text
            self._described.set()
            self._opened.set()


class Program:
    """One run of the program, and the channels that it carries. `process` is its number for the operating system."""

    def __init__(self, control: socket.socket, process: int) -> None:
        self.process = process
        self.channels: dict[int, DataChannel] = {}
        self._control = control
        self._decoder = msgspec.json.Decoder(Tell)

    def ask(self, ask: Ask, end: socket.socket | None = None) -> None:
        """Raises LinkError if the program has ended. What it is asked is short, and it always listens."""
        descriptors = [] if end is None else [end.fileno()]
        try:
            socket.send_fds(self._control, [to_line(ask)], descriptors)
        except OSError as error:
            raise LinkError("the program for data channels does not answer", cause=str(error)) from None
        if end is not None:
            end.close()

    async def listen(self) -> None:
        """Hears the program until it ends."""
        rest = b""
        with suppress(OSError):
            while data := await self._read():
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    said = self._decoder.decode(line)
                    if said.number in self.channels:
                        self.channels[said.number].hear(said)

    async def _read(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._control)
            with suppress(BlockingIOError):
                return self._control.recv(READ)

    def leave(self) -> None:
        """Lets the program end."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def lost(self, why: str) -> None:
        for number, channel in self.channels.items():
            channel.hear(Tell(number, "ended", f"the program for data channels has ended: {why}"))


class DataChannels:
    """The data channels of a node, carried by a program that runs while there are any."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._numbers = 0
        self._program: Program | None = None
        self._starting = trio.Lock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[DataChannel]:
        """A new channel, which ends with the block. Raises LinkError."""
        async with self._starting:
            program = self._program or await self._start()
        if len(program.channels) >= MAX_CHANNELS:
            raise LinkError(f"there are {MAX_CHANNELS} data channels already", hint="`glow link ls` shows them")
        self._numbers += 1
        number = self._numbers
        ours, theirs = socket.socketpair()
        with closing(ours), closing(theirs):
            for sock in ours, theirs:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            program.channels[number] = DataChannel(number, program, ours, theirs)
            try:
                yield program.channels[number]
            finally:
                del program.channels[number]
                if not program.channels and self._program is program:
                    self._program = None
                    program.leave()

    async def _start(self) -> Program:
        if not is_installed():
            raise LinkError("WebRTC is not installed on this device", hint=HINT)
        self._program = await self._nursery.start(self._run)
        assert self._program is not None
        return self._program

    async def _run(self, task_status: trio.TaskStatus[Program]) -> None:
        """The program, from its start to its end."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with closing(ours) as control:
            with closing(theirs):
                words = [sys.executable, "-P", "-m", "node.links.datachannels", str(theirs.fileno())]
                child = await trio.lowlevel.open_process(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            program = Program(control, child.pid)
            output = Output(child)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(output.collect)
                try:
                    task_status.started(program)
                    await program.listen()
                    self._program = None if self._program is program else self._program
                finally:
                    await end(child)
                    nursery.cancel_scope.cancel()
            program.lost(reason_of_end(child.returncode, output.last))
