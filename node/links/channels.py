"""What the node and its program for data channels say to each other (webrtc.py, datachannels.py): lines of JSON over a
pair of sockets. With the first line about a channel goes the end of another pair, which carries the channel's frames.
"""

from __future__ import annotations

import msgspec

MAX_DESCRIPTION = 16 * 2**10
"""Bytes of a session description (SDP)."""
MAX_MESSAGE = 14 * 1160
"""Bytes of a message on a channel: what fills whole packets of SCTP, and is at most 16 KiB."""
BLOCKED = "a firewall that lets no UDP through"
"""What a device is behind where nothing answers (nat.py)."""
MORE, LAST = 1, 0
"""The first byte of a message: whether more of its frame follows (docs/concepts/wire.md, 1 Link)."""


class Server(msgspec.Struct):
    """A STUN or TURN server."""

    urls: list[str]
    username: str = ""
    credential: str = ""


class Ask(msgspec.Struct, omit_defaults=True):
    """To the program, about channel `number`.

    offer: opens it, and wants a description for the other side. answer: takes the description of the other side, and
    wants one. accept: takes the answer. candidate: takes one address of the other side, whose description has none;
    an empty one says that there are no more (candidates.py).
    """

    number: int
    do: str
    description: str = ""
    servers: list[Server] = []


class Tell(msgspec.Struct, omit_defaults=True):
    """From the program: `behind` (text says what NAT), `described` (text is the description), `open` (text is how, and
    where the other end is), `ended` (text is why).
    """

    number: int
    what: str
    text: str = ""


def to_line(message: Ask | Tell) -> bytes:
    return msgspec.json.encode(message) + b"\n"
