"""`glow invite`: makes a link with which another device joins, and lets it in after a yes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

import trio

from firefly.address import format_address
from firefly.client import Glow
from firefly.interfaces.core import (
    Invite,
    PairingEventAsked,
    PairingEventCreated,
    PairingEventJoined,
    PairingEventRefused,
    Role,
)
from node.cli.client import attached, node_runs
from node.cli.failures import DENIED, OK
from node.cli.flags import seconds
from node.cli.identity import make_first_identity
from node.cli.output import Output, clean, local_time, plain
from node.cli.running import run_node

NAME = "invite"
HELP = "make a link with which another device joins"
_ROLES = {"member": Role.MEMBER, "relay": Role.RELAY}
NEXT = "this node runs until Ctrl-C; the other device needs it to join"


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "--name is what the new device will be called. With --yes whoever has the link gets in."
    parser.add_argument("--name", help="what the new device will be called (default: what it says)")
    parser.add_argument(
        "--role",
        choices=sorted(_ROLES),
        default="member",
        help="member, or relay: a hub that forwards for you and sees no names and no data (default: member)",
    )
    parser.add_argument(
        "--lifetime",
        type=seconds,
        default=0.0,
        metavar="TIME",
        help="how long it is valid (default: invite.lifetime, 24h)",
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="URL",
        help="dial the other device there, for one that cannot dial this one, such as a hub: tcp://hub.example:8080",
    )


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    if node_runs(arguments):
        return attached(arguments, lambda glow: invite(glow, arguments, out))
    new_name, arguments.name, arguments.listen, arguments.ready_descriptor = arguments.name, None, None, None
    arguments.certificate = arguments.key = arguments.pages_for = None
    make_first_identity(arguments)
    arguments.name = new_name

    async def begin(glow: Glow) -> None:
        await invite(glow, arguments, out)
        out.note(NEXT)

    return run_node(arguments, begin)


async def invite(glow: Glow, arguments: Namespace, out: Output) -> int:
    """Shows the link; without --yes it stays until the device is in, and asks before it lets it in."""
    role = _ROLES[arguments.role]
    async with glow.node.invite(arguments.name or "", role, arguments.lifetime, arguments.yes, arguments.at) as events:
        async for event in events:
            match event:
                case PairingEventCreated(made):
                    show_link(made, arguments.yes, out)
                    if arguments.yes:
                        return OK
                case PairingEventAsked(invite_id, name, address, source):
                    known = f"{name} ({format_address(address)}, from {source})"
                    await glow.node.confirm(invite_id, await ask(f"{known} wants to join. Let it in?"))
                case PairingEventJoined(name):
                    out.note(f"{name} is in")
                    return OK
                case PairingEventRefused(reason):
                    out.note(f"nobody was let in: {reason}")
                    return DENIED
    return OK


def show_link(made: Invite, accepts: bool, out: Output) -> None:
    out.item({**plain(made), "accept": accepts}, f"glow join {made.link}")
    until = local_time(made.expires)
    then = "Whoever has it gets in." if accepts else "Waiting for the device; you will be asked."
    out.note(f"Run this on the other device. The link works once, until {until}. {then}")


async def ask(question: str) -> bool:
    """A person's answer; the end of the input is a no."""
    sys.stderr.write(f"{clean(question)} [y/N] ")
    sys.stderr.flush()
    answer = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return answer.strip().lower() in ("y", "yes")
