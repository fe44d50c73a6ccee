"""`glow signaling`: runs a hub, a node with a public address that helps others to meet and relays for them."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from firefly.client import Glow
from firefly.interfaces.core import ProcessKind, ProcessState, ProcessStatus, Role, Specification
from node.cli.client import attached, node_runs
from node.cli.detach import detach, node_words
from node.cli.failures import UsageError
from node.cli.output import Output, plain
from node.cli.running import announce, configure_node, run_node

NAME = "signaling"
HELP = "run a hub: what helps devices to meet, and relays where nothing else works"
LABEL = PROGRAM = "signaling"
LISTEN = "0.0.0.0:8080"
STUN_PORT = "3478"
MAX_PORT = 65535
OFF = "off"
HOST = re.compile(r"[\w.:-]+", re.ASCII)
TURN = re.compile(r"turns?:[\w.:\[\]-]+(\?transport=(udp|tcp))?", re.ASCII)
NEXT = (
    "next, on a device of yours:  glow invite --role relay --name hub --at {url}\n"
    "then here:                   glow join LINK\n"
    "and on each other device:    glow link add {url}"
)


def configure(parser: ArgumentParser) -> None:
    parser.epilog = f"For example: glow signaling --listen {LISTEN} --host hub.example. docs/guides/hub.md says more."
    configure_node(parser)
    parser.add_argument("--host", help="the name or address under which others reach this hub")
    parser.add_argument(
        "--stun",
        metavar="PORT",
        default=STUN_PORT,
        help=f"where STUN is answered, and at the port above (default: {STUN_PORT}; off: nowhere)",
    )
    parser.add_argument("--turn", action="append", default=[], metavar="URL", help="a TURN server: turn:HOST:3478")
    parser.add_argument("--turn-secret-file", metavar="FILE", help="holds the secret that it shares with this hub")
    parser.add_argument("--slots", metavar="NUMBER", help="of its mailbox, for pairing (default: 1000)")
    admits = ["mine", "granted", "open"]
    parser.add_argument("--admits", choices=admits, help="whom it serves: glow config explain hub.admits")
    parser.add_argument(
        "--grant",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a node that it serves with --admits granted; these take the place of those before",
    )


def run(arguments: Namespace) -> int:
    arguments.listen = [url_of(place, bool(arguments.certificate)) for place in arguments.listen or []] or None
    specification = specification_of(arguments)
    out = Output(arguments)
    if node_runs(arguments):
        check_for_running(arguments)

        async def work(glow: Glow) -> int:
            status = await made(glow, specification, policy_of(arguments))
            out.show(plain(status), lambda: f"{LABEL} is {status.state.name.lower()} on the node that runs here")
            return 0

        return attached(arguments, work)
    if arguments.listen is None and not known(arguments):
        arguments.listen = [url_of(LISTEN, bool(arguments.certificate))]
    if arguments.detach:
        return detach(arguments, [NAME, *node_words(arguments), *own_words(arguments)])

    async def begin(glow: Glow) -> None:
        await made(glow, specification, policy_of(arguments))
        status = await glow.node.node_status()
        following = next_step(status.listening, arguments.host)
        announce(status, arguments, following, following)

    return run_node(arguments, begin, found=False)


def check_for_running(arguments: Namespace) -> None:
    """What a node that runs already cannot be told any more. Raises UsageError."""
    for name in ("listen", "certificate", "key"):
        if getattr(arguments, name):
            raise UsageError(
                f"--{name} is for a node that does not run yet",
                cause="one runs here, which gets the signaling process",
                hint="stop it first, or leave the flag out",
            )


def next_step(listening: Sequence[str], host: str | None) -> str:
    """What makes the hub one of somebody's, with the address under which it is reached."""
    parts = urlsplit(next(iter(listening), url_of(LISTEN, False)))
    place = f"{host or 'THIS-HOST'}:{parts.port}"
    return NEXT.format(url=f"{parts.scheme}://{place}{parts.fragment and '#'}{parts.fragment}")


def known(arguments: Namespace) -> bool:
    """Whether a hub ran here before: it listens where it did the last time."""
    from node.cli.flags import home_of

    return (home_of(arguments) / "node.key").exists()


def url_of(place: str, secure: bool) -> str:
    """HOST:PORT as a URL; a URL stays as it is."""
    return place if "://" in place or place == "none" else f"{'wss' if secure else 'tcp'}://{place}"


def specification_of(arguments: Namespace) -> Specification:
    """The signaling process. Raises UsageError."""
    settings = {}
    if arguments.stun != OFF:
        if not arguments.stun.isdecimal() or not 0 <= int(arguments.stun) < MAX_PORT:
            raise UsageError(
                f"--stun {arguments.stun} is no port with another one above it",
                hint=f"--stun {STUN_PORT}, or --stun {OFF}",
            )
        settings["stun"] = f"0.0.0.0:{arguments.stun}"
    if arguments.host:
        settings["host"] = arguments.host
    if arguments.slots:
        settings["slots"] = arguments.slots
    if bool(arguments.turn) != bool(arguments.turn_secret_file):
        raise UsageError("--turn goes with --turn-secret-file", hint="the file holds coturn's static-auth-secret")
    for url in arguments.turn:
        if not TURN.fullmatch(url):
            raise UsageError(f"--turn {url} is no URL of a TURN server", hint="--turn turn:HOST:3478")
    if arguments.host is not None and not HOST.fullmatch(arguments.host):
        raise UsageError(f"--host {arguments.host!r} is neither a name nor an address", hint="--host hub.example")
    if arguments.turn:
        settings["turn"] = " ".join(arguments.turn)
        settings["turn-secret-file"] = str(Path(arguments.turn_secret_file).absolute())
    return Specification(LABEL, ProcessKind.BUILTIN, PROGRAM, configuration=settings, access=Role.MEMBER)


def policy_of(arguments: Namespace) -> dict[str, str]:
    """What is to be set of whom the hub serves; what was not given stays as it is."""
    policy = {"hub.granted": " ".join(arguments.grant), "hub.admits": arguments.admits}
    return {key: text for key, text in policy.items() if text}


async def made(glow: Glow, specification: Specification, policy: dict[str, str]) -> ProcessStatus:
    """The signaling process as it is wanted, made or made anew. Raises UsageError if it does not start, and
    BadConfiguration.
    """
    for key, text in policy.items():
        await glow.node.configure(key, text)
    found = [status for status in await glow.node.processes() if status.label == LABEL]
    for status in found:
        await glow.node.kill(status.id)
    status = await glow.node.create(specification)
    if status.state is not ProcessState.RUNNING:
        await glow.node.kill(status.id)
        raise UsageError("the hub cannot help devices to meet", status.reason, "glow signaling --help")
    return status


def own_words(arguments: Namespace) -> list[str]:
    """The flags of this command alone, as they are passed on."""
    words = ["--stun", arguments.stun]
    for url in arguments.turn:
        words += ["--turn", url]
    for address in arguments.grant:
        words += ["--grant", address]
    for name in ("host", "turn_secret_file", "slots", "admits"):
        if value := getattr(arguments, name):
            words += [f"--{name.replace('_', '-')}", value]
    return words
