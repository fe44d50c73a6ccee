"""`glow link offer` and `glow link answer`: two devices of one person, a text carried there, and one carried back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

import trio

from firefly.client import Glow
from firefly.interfaces.core import Node
from node.cli.failures import OK, UsageError
from node.cli.output import Output, address_text

QR_BYTES = 2953
"""What the largest QR code holds (ISO/IEC 18004, version 40-L)."""


def configure_offer(parser: ArgumentParser) -> None:
    parser.add_argument("--qr", action="store_true", help="show the text as a picture, too")


def configure_answer(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="TEXT", help="what the offer printed (default: standard input)")
    configure_offer(parser)


async def offer(glow: Glow, node: Node, arguments: Namespace, out: Output) -> int:
    """Prints the offer, reads the answer, and waits for the link."""
    made = await node.link_offer()
    out.item({"number": made.number, "offer": made.text}, f"glow link answer {made.text}")
    picture(made.text, arguments.qr)
    out.note("run this on the other device within 10 minutes, and paste here what it prints:")
    peer = await node.link_accept(made.number, await read("the answer"))
    name = peer.name or address_text(peer.address)
    out.item({"linked": name, "how": peer.how}, f"linked with {name}")
    return OK


async def answer(glow: Glow, node: Node, arguments: Namespace, out: Output) -> int:
    text = arguments.text or await read("the offer")
    made = await node.link_answer(text)
    out.item({"answer": made}, made)
    picture(made, arguments.qr)
    out.note("paste this where the offer was made; the link follows: glow status")
    return OK


async def read(what: str) -> str:
    """A line of standard input, without the command that may stand before the text. Raises UsageError."""
    line: str = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    words = line.split()
    if not words:
        raise UsageError(f"{what} is missing", "standard input has ended", "glow link --help")
    return words[-1]


def picture(text: str, wanted: bool) -> None:
    """Shows a QR code on standard error, which a terminal of 100 columns holds."""
    if not wanted:
        return
    if len(text) > QR_BYTES:
        raise UsageError("the text is too long for a QR code", f"it has {len(text)} characters", "leave out --qr")
    import segno

    segno.make_qr(text, error="l").terminal(out=sys.stderr, compact=True)
