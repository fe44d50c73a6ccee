"""Links through a command: `pipe:COMMAND`, whose standard input and output lead to another node. No port is opened.

The command is split into words as a shell would, but no shell runs it. It gets one end of a pair of sockets for both
its standard streams, an OS session of its own, and is terminated with all that it started when the link ends. On the
other side `glow link stdio` joins its standard streams with that device's node.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import trio

from firefly.errors import GlowError
from node.child import OUTPUT_TIME, Output, end, reason_of_end
from node.links import LinkClosed, LinkError
from node.links.connection import Connection
from node.links.link import NotGlow

kind = "pipe"
BUFFER = 64 * 2**10
"""Bytes that may wait between us and the command; Linux doubles it, for what it adds itself."""
EXIT_TIME = 1.0
"""Seconds that a command may take to end by itself once its link has: then its exit code says why."""


def parse(url: str) -> list[str]:
    """The words of the command. Raises LinkError."""
    example = 'for example pipe:"ssh nas glow link stdio"'
    scheme, _, command = url.partition(":")
    if scheme != kind or not command.isprintable():
        raise LinkError(f"{url!r} is no pipe address", cause="a command is one line of printable text", hint=example)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LinkError(f"{url!r} is no pipe address", cause=str(error), hint=example) from None
    if not words:
        raise LinkError(f"{url!r} is no pipe address", cause="it names no command", hint=example)
    return words


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connection]:
    """Runs the command, and yields a connection to its standard input and output; ends it with the block.

    An error of the block is replaced by what the command has to say about it, as a LinkError.
    """
    words = parse(url)
    child, sock = await _start(url, words)
    failure: GlowError | None = None
    output = Output(child)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.collect)
        try:
            with closing(Connection(trio.SocketStream(sock), kind, url)) as connection:
                yield connection
        except GlowError as error:
            failure = await _explained(error, words, child, output)
        finally:
            await end(child)
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _start(url: str, words: list[str]) -> tuple[trio.Process, trio.socket.SocketType]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    with theirs:
        try:
            child = await trio.lowlevel.open_process(
                words, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            ours.close()
            hint = f"install {words[0]}, or write the whole path of the command"
            raise LinkError(f"nothing answers at {url}", f"{words[0]}: {error.strerror or error}", hint) from None
        except BaseException:
            ours.close()
            raise
    return child, trio.socket.from_stdlib_socket(ours)


async def _explained(error: GlowError, words: list[str], child: trio.Process, output: Output) -> GlowError:
    """Why a link over the command was lost, or never there: what it printed, or how it ended; else the error itself."""
    if isinstance(error, NotGlow):
        hint = f"see what it prints before the link, and silence it: {shlex.join(words)}"
        return NotGlow("the command printed something before the link", error.cause, hint)
    if not isinstance(error, LinkClosed):
        return error
    with trio.move_on_after(EXIT_TIME):
        await child.wait()
        with trio.move_on_after(OUTPUT_TIME):
            await output.complete.wait()
    if child.returncode is None:
        return error
    how = reason_of_end(child.returncode, output.last).replace("it ", "the command ", 1)
    return LinkError(how, hint=f"run it yourself and see what it says: {shlex.join(words)}")
