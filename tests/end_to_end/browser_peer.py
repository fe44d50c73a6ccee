"""A node's data channel that a page in a real browser opens: run by test_browser.py, in a network namespace.

    python -m tests.end_to_end.browser_peer CHROMIUM FOLDER

Serves the page, answers its offer, hears its hello, and has it echo frames of many sizes. Exits with 0 if all came
back.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import trio

from node.links.connection import Connection
from node.links.link import MAX_FRAME
from node.links.webrtc import DataChannels

PAGE = Path(__file__).with_name("browser_echo.html")
SIZES = (1, 2, 1000, 16_239, 16_240, 100_000, 250_000)
LIMIT = 60.0
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


async def echo(channels: DataChannels, offers: trio.MemoryReceiveChannel, answers: trio.MemorySendChannel) -> None:
    async with channels.open() as channel:
        await answers.send(await channel.answer((await offers.receive()).decode(), []))
        connection: Connection = await channel.connection()
        connection.frames.limit = MAX_FRAME
        assert await connection.receive() == b"hello from a page"
        for size in SIZES:
            frame = os.urandom(size)
            await connection.send(frame)
            assert await connection.receive() == frame, size
            print(f"{size} bytes came back", flush=True)
        connection.close()


async def main(chromium: str, folder: str) -> None:
    offered, offers = trio.open_memory_channel[bytes](1)
    answered, answers = trio.open_memory_channel[str](1)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            path, body = await request(stream)
            if path == "/meet":
                await offered.send(body)
                content = (await answers.receive()).encode()
            else:
                content = PAGE.read_bytes() if path == "/" else b""
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\nConnection: close"
            await stream.send_all(head.encode() + b"\r\n\r\n" + content)

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
            command = [chromium, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-port=0", url]
            run = partial(trio.run_process, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            nursery.start_soon(run, command)
            await echo(DataChannels(nursery), offers, answered)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
