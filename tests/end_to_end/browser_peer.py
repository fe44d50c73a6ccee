"""A node's data channel that a page in a real browser opens: run by test_browser.py, in a network namespace.

    python -m tests.end_to_end.browser_peer CHROMIUM FOLDER [#trickle] [names-alone]

Serves the page, answers its offer, hears its hello, and has it echo frames of many sizes. Exits with 0 if all came
back, and the page had told candidates, all of them by names of multicast DNS. With #trickle it tells them one by one,
after an offer that holds none. With names-alone it is not told any of the node's, so that only its names lead anywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import trio

from node.links.connection import Connection
from node.links.link import MAX_FRAME
from node.links.webrtc import DataChannel, DataChannels

PAGE = Path(__file__).with_name("browser_echo.html")
SIZES = (1, 2, 1000, 16_239, 16_240, 100_000, 250_000)
LIMIT = 60.0
TRICKLE, NAMES_ALONE = "#trickle", "names-alone"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


async def request(stream: trio.SocketStream) -> tuple[str, bytes]:
    """What a browser asks for, and the body that it sends."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += await stream.receive_some(65536)
    return head.split()[1].decode(), body


class Meeting:
    """What the page and the node's side tell each other. `chosen` are the words of the command line."""

    def __init__(self, channel: DataChannel, chosen: Collection[str]) -> None:
        self.told: list[str] = []
        """The page's candidates, in their order; an empty one says that there are no more."""
        self.ended = trio.Event()
        self._channel = channel
        self._chosen = chosen

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            path, body = await request(stream)
            content = (await self._content(path, body.decode())).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\nConnection: close"
            await stream.send_all(head.encode() + b"\r\n\r\n" + content)

    async def _content(self, path: str, body: str) -> str:
        if path == "/meet":
            return await self._answer(body)
        if path == "/candidate":
            self._channel.add(body)
            self._hear([body])
        return PAGE.read_text() if path == "/" else ""

    async def _answer(self, offer: str) -> str:
        candidates = candidates_of(offer)
        assert bool(candidates) is (TRICKLE not in self._chosen), offer
        if candidates:
            self._hear([*candidates, ""])
        answer = await self._channel.answer(offer, [])
        return without_candidates(answer) if NAMES_ALONE in self._chosen else answer

    def _hear(self, candidates: Sequence[str]) -> None:
        self.told += candidates
        if "" in candidates:
            self.ended.set()


def candidates_of(description: str) -> list[str]:
    return [line.removeprefix("a=") for line in description.splitlines() if line.startswith("a=candidate:")]


def without_candidates(description: str) -> str:
    lines = description.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("a=candidate:"))


async def echo(channel: DataChannel) -> None:
    """Has the page send back what it gets."""
    connection: Connection = await channel.connection()
    connection.frames.limit = MAX_FRAME
    assert await connection.receive() == b"hello from a page"
    for size in SIZES:
        frame = os.urandom(size)
        await connection.send(frame)
        assert await connection.receive() == frame, size
        print(f"{size} bytes came back", flush=True)
    connection.close()


async def main(chromium: str, folder: str, *chosen: str) -> None:
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery, DataChannels(nursery).open() as channel:
            meeting = Meeting(channel, chosen)
            (listener, *_) = await nursery.start(partial(trio.serve_tcp, meeting.serve, 0, host="127.0.0.1"))
            url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/{TRICKLE * (TRICKLE in chosen)}"
            command = [chromium, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-port=0", url]
            run = partial(trio.run_process, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            nursery.start_soon(run, command)
            await echo(channel)
            await meeting.ended.wait()
            print(*meeting.told, sep="\n")
            hosts = [candidate.split()[4] for candidate in meeting.told if candidate]
            assert hosts, "the page told no candidate"
            assert all(host.endswith(".local") for host in hosts), "the page hides no address behind a name"
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
