"""Programs that attach to the node of this device: `connect` to use the network, `serve` to own resources in it."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import trio

from firefly.attachment import (
    ATTACHES,
    MAX_FRAME,
    MAX_SCHEMA,
    VERSION,
    Attach,
    Attached,
    AttachedConversation,
    AttachedPeer,
    Register,
    Registered,
)
from firefly.errors import BadMessage, GlowError, Interrupted, ProtocolError, TooLarge, Unreachable
from firefly.home import default_home, socket_path
from firefly.link import FrameReader
from firefly.packet import INTERACTIVE
from firefly.runtime import Host, Peer, Server, Stub, Workers, open_workers
from firefly.runtime.process import started
from firefly.transport import FramedSocket

if TYPE_CHECKING:
    from firefly.interfaces.core import Location, Node
    from firefly.programs import Programs

T = TypeVar("T")
StubType = TypeVar("StubType", bound=Stub)
TOKEN, DESCRIPTOR = "GLOW_ATTACH_TOKEN", "GLOW_ATTACH_FD"


class NoNode(Unreachable):
    """No node runs at this home."""


class Glow:
    """The network as one computer: what `connect` and `node.start` yield."""

    def __init__(self, network: Any, address: bytes, key: bytes) -> None:
        from firefly.interfaces.core import Node

        self.network = network
        self.address = address
        self.key = key
        self.node: Node = Node(network, address, address)

    async def resolve(self, name: str) -> Location:
        """Where `nas`, `nas/settings` or `glow://nas/settings` is. Raises NoSuchName."""
        return await self.node.resolve(name.removeprefix("glow://"))

    async def open(self, name: str, stub: type[StubType]) -> StubType:
        """A client of the resource that `name` means. Raises NoSuchName."""
        location = await self.resolve(name)
        return stub(self.network, location.node, location.resource)

    async def serve(self, label: str, server: Server) -> bytes:
        """Offers a resource under `label` for as long as this program runs; returns its id."""
        resource: bytes = await self.network.offer(label, server)
        return resource

    def at(self, node: bytes, resource: bytes, stub: type[StubType]) -> StubType:
        """A client of a resource whose whole address is known."""
        return stub(self.network, node, resource)


@dataclass
class Context:
    """What a process is given at its start. `folder` is its own and kept; `nursery` ends with the process.

    `programs` starts programs that belong to the process; None outside of a node.
    """

    id: bytes
    label: str
    folder: Path
    configuration: dict[str, str]
    nursery: trio.Nursery
    node: Glow | None = None
    capabilities: list[Any] = field(default_factory=list)
    programs: Programs | None = None


class _Question:
    """What a program asked its node, and waits for; `server` is served from the answer on."""

    def __init__(self, wants: type[Any], server: Server | None) -> None:
        self.wants = wants
        self.server = server
        self.answered = trio.Event()
        self.answer: Any = None


class Attachment:
    """The attached side of the control socket; the network as this program sees it."""

    def __init__(self, sock: socket.socket, workers: Workers) -> None:
        self.host = Host(self, workers)
        self.address = b""
        self.attached: Attached | None = None
        self._peers: dict[bytes, AttachedPeer] = {}
        self._questions: deque[_Question] = deque()
        self.ended = trio.Event()
        self._frames = FrameReader(MAX_FRAME)
        self.conversation = AttachedConversation(
            self.host, odd=True, wake=self._wake, now=trio.current_time, control=self._control
        )
        self._pump = FramedSocket(sock, self.conversation.next_frame, self._received)

    def _wake(self, _: int) -> None:
        self._pump.kick(self.conversation.alone())

    def _received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            self.conversation.receive(INTERACTIVE, frame)
        self._frames.check()

    def _control(self, message: Any) -> None:
        """The node answers in the order of the questions."""
        if not self._questions or not isinstance(message, self._questions[0].wants):
            raise BadMessage(f"{type(message).__name__} was not asked for")
        question = self._questions.popleft()
        question.answer = message
        if isinstance(message, Registered) and question.server is not None and not message.refused:
            self.host.add(message.resource, question.server)  # before what follows in the same batch
        question.answered.set()

    async def run(self) -> None:
        """Serves the attachment until the node goes away."""
        reason: GlowError = Interrupted("the node has stopped", hint="start it with `glow node`")
        try:
            await self._pump.run()
        except OSError as error:
            reason = Interrupted("the connection to the node broke", cause=str(error))
        except ProtocolError as error:
            reason = Interrupted("the node broke the rules of the wire", cause=error.message)
        finally:
            self.conversation.close(reason)
            for question in self._questions:
                question.answered.set()
            self.ended.set()
            self._pump.close()

    async def watch(self) -> NoReturn:
        """Waits until the node goes away; raises why."""
        await self.ended.wait()
        raise self.conversation.closed or Interrupted("the node has stopped")

    async def _ask(self, message: Any, size: int, wants: type[T], server: Server | None = None) -> T:
        """The node's answer. Raises what ended the attachment."""
        question = _Question(wants, server)
        self._questions.append(question)
        self.conversation.append(INTERACTIVE, message, size)
        if self.conversation.closed is None:
            await question.answered.wait()
        if question.answer is None:
            raise self.conversation.closed or Interrupted("the node has stopped")
        answer: T = question.answer
        return answer

    async def attach(self, token: bytes = b"") -> Attached:
        """Says who this program is; the answer says who the node is. Raises Interrupted if it is not accepted."""
        self.attached = await self._ask(Attach(VERSION, token), len(token), Attached)
        self.address = self.attached.address
        return self.attached

    async def offer(self, label: str, server: Server) -> bytes:
        """What `node.peers.Peers` has under this name: offers a resource under a fresh id."""
        return await self.register(label, server)

    async def register(self, label: str, server: Server, resource: bytes | None = None) -> bytes:
        """Offers a resource under `label`; returns its id. Raises GlowError with the node's reason."""
        schema = server.schema
        if len(schema) > MAX_SCHEMA:
            raise TooLarge(f"the interface of {label} has {len(schema)} bytes, over {MAX_SCHEMA}")
        answer = await self._ask(Register(label, resource, server.proto, schema), len(schema), Registered, server)
        if answer.refused:
            raise GlowError(f"the node did not register {label}", cause=answer.refused)
        return answer.resource

    # runtime.Network
    def peer(self, node: bytes) -> Peer | None:
        found = self._peers.get(node)
        if found is None:
            found = self._peers[node] = AttachedPeer(self.conversation, node)
        return found if found.closed is None else None

    async def reach(self, node: bytes) -> Peer:
        peer = self.peer(node)
        if peer is None:
            raise self.conversation.closed or Unreachable("not attached")
        return peer

    async def introduce(self, node: bytes, resource: bytes, receiver: bytes) -> bytes:
        from firefly.address import format_address
        from firefly.interfaces.core import Node

        location = await Node(self, self.address, self.address).resolve(format_address(receiver))
        introduced: bytes = await Node(self, node, node).introduce(resource, location.key)
        return introduced


@asynccontextmanager
async def connect(home: Path | str | None = None) -> AsyncIterator[Glow]:
    """Attaches to the node that runs at `home` (default: GLOW_HOME, or the user's). Raises NoNode if there is none."""
    sock = dial_node(default_home() if home is None else Path(home))
    async with _attached(sock, b"") as attachment:
        assert attachment.attached is not None
        yield Glow(attachment, attachment.address, attachment.attached.key)


def dial_node(home: Path, purpose: bytes = ATTACHES) -> socket.socket:
    """A connection to the control socket of the node at `home`, which has been told what for. Raises NoNode."""
    path = socket_path(home)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(os.fspath(path))
        sock.sendall(purpose)
    except OSError as error:
        sock.close()
        raise NoNode(
            f"no node runs at {home}", cause=error.strerror or str(error), hint="start one with `glow node`"
        ) from None
    return sock


@asynccontextmanager
async def _attached(sock: socket.socket, token: bytes) -> AsyncIterator[Attachment]:
    async with open_workers() as workers, trio.open_nursery() as nursery:
        attachment = Attachment(sock, workers)
        nursery.start_soon(attachment.run)
        try:
            await attachment.attach(token)
            yield attachment
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await attachment._pump.drain()
            nursery.cancel_scope.cancel()


def serve(process: type[Any], *, label: str | None = None) -> None:
    """The whole `main()` of a program that serves one process class; returns when the node or a signal ends it.

    Started by a node, it serves under the id and label of its specification. Started by hand, it attaches to this
    device's node and registers under `label` (default: the class's name) for as long as it runs.
    """
    trio.run(_serve, process, label or process.__name__.lower())


async def _serve(process: type[Any], label: str) -> None:
    descriptor = os.environ.pop(DESCRIPTOR, None)
    token = bytes.fromhex(os.environ.pop(TOKEN, ""))
    sock = socket.socket(fileno=int(descriptor)) if descriptor else dial_node(default_home())
    async with _attached(sock, token) as attachment:
        attached = attachment.attached
        assert attached is not None
        label = attached.label or label

        def context(nursery: trio.Nursery) -> Context:
            folder = Path(attached.folder) if attached.folder else Path.cwd()
            glow = Glow(attachment, attached.address, attached.key)
            return Context(attached.identity, label, folder, dict(attached.configuration), nursery, glow)

        async with started(process, label, context) as instance:
            await attachment.register(label, instance, attached.identity or None)
            await _until_ended(attachment)


async def _until_ended(attachment: Attachment) -> None:
    """Waits for SIGTERM, SIGINT or the end of the attachment."""
    async with trio.open_nursery() as nursery:

        async def watch_signals() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

        nursery.start_soon(watch_signals)
        await attachment.ended.wait()
        nursery.cancel_scope.cancel()
