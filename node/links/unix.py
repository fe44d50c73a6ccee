"""Links over a unix socket of this device: `unix:PATH` of another node's control socket."""

from __future__ import annotations

import trio

from firefly.attachment import LINKS
from node.links import LinkError
from node.links.connection import Connection
from node.links.ports import Door, Ports

kind = "unix"


def parse(url: str) -> str:
    """The path in a URL. Raises LinkError."""
    scheme, _, path = url.partition(":")
    if scheme != kind or not path or "\0" in path:
        raise LinkError(f"{url!r} is no unix address", hint="write unix:PATH, the control.sock of another node")
    return path


async def dial(url: str) -> Connection:
    """Connects to the control socket at the path and asks for a link."""
    path = parse(url)
    try:
        stream = await trio.open_unix_socket(path)
        await stream.send_all(LINKS)
    except (OSError, RuntimeError, trio.BrokenResourceError) as error:
        raise LinkError(f"nothing answers at {url}", cause=str(error)) from None
    return Connection(stream, kind, url)


async def listen(url: str, ports: Ports) -> Door:
    """A node always listens at its control socket and nowhere else."""
    raise LinkError(
        f"cannot listen at {url}", hint="the control socket takes links already; dial unix:HOME/control.sock"
    )
