"""Glow over a data channel: two nodes that met over a relay, and then let go of it.

`place.mode` "webrtc": as it is, aiortc in a program beside each node. "webrtc, thread": aiortc in a thread of the
node's own OS process, to see what the program is worth (docs/decisions/0013-data-channels.md).
"""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import trio

import node
from bench import glow
from bench.client import HOST, Place
from bench.glow import LABEL, NODE_TIME, GlowClient, Plain, found
from node.links.webrtc import DataChannels, Program

LIBRARY = "trio"
broker = glow.broker


class Threaded(DataChannels):
    """Data channels in a thread."""

    async def _run(self, task_status: trio.TaskStatus[Program]) -> None:
        from node.links.datachannels import Program as Carrier

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with closing(ours), closing(theirs):
            program = Program(ours, os.getpid())
            thread = threading.Thread(target=lambda: asyncio.run(Carrier(theirs).run()), daemon=True)
            thread.start()
            task_status.started(program)
            await program.listen()
            await trio.to_thread.run_sync(thread.join)
        program.lost("it has ended")


@asynccontextmanager
async def end(place: Place, name: str) -> AsyncIterator[Any]:
    """A node that has joined the relay's namespace, and looks for direct links."""
    os.environ["GLOW_LINKS_DIRECT"] = "on"
    link = (place.folder / f"{name}.link").read_text()
    listen = [f"tcp://{HOST}:0"]  # where no other device could dial it
    async with node.start(place.folder / name, name=name, listen=listen, found=False) as running:
        if "thread" in place.mode:
            running._node.meetings.channels = Threaded(running._node._nursery)
        await running.join(link, name)
        yield running


async def alone_with(running: Any, other: str) -> None:
    """Waits for the direct link to the other end, and ends the one to the relay."""
    while not any(node.name == other and node.how == "direct webrtc" for node in await nodes(running)):
        if not any(link.kind == "webrtc" for link in (await running.node.node_status()).links):
            await trio.sleep(0.1)
            continue
        for standing in await running.node.links_list():
            await running.node.links_remove(standing.urls)
        await trio.sleep(0.1)


async def nodes(running: Any) -> Any:
    return (await running.node.node_status()).nodes


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    async with end(place, "server") as running, trio.open_nursery() as nursery:
        await running.serve(LABEL, Plain())
        nursery.start_soon(alone_with, running, "client")
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[GlowClient]:
    async with end(place, "client") as running:
        with trio.fail_after(NODE_TIME):
            stub = await found(running)
            await alone_with(running, "server")
            await stub.received()
        yield GlowClient(stub)
