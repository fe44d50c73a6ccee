"""`glow link`: keeps links to other nodes, and is the far end of a link through a command."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from firefly.attachment import PIPES
from firefly.client import Glow, dial_node
from firefly.errors import GlowError, NoSuchResource
from firefly.interfaces.core import Node, StandingLink
from node.cli import link_offers
from node.cli.client import attached, named, node_at
from node.cli.failures import OK, UsageError
from node.cli.flags import global_flags, home_of
from node.cli.output import Output, address_text, duration_text, hint_lines, plain
from node.cli.splice import splice

NAME = "link"
HELP = "keep links to other nodes: by address, or through a command such as ssh"
PIPE = 'glow link add "pipe:ssh nas glow link stdio"'
STDIN, STDOUT = 0, 1
_KEY = re.compile(r"[0-9a-fA-F]{64}")


def configure(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))

    def verb(name: str, line: str, epilog: str = "") -> ArgumentParser:
        return verbs.add_parser(name, help=line, description=f"{line}.", epilog=epilog, parents=[global_flags()])

    add = verb("add", "link with a node now and whenever the link has ended", f"For example: {PIPE}")
    add.add_argument("urls", nargs="+", metavar="URL", help="an address of the node, tcp://HOST:PORT or pipe:COMMAND")
    add.add_argument("--key", metavar="KEY|NODE", help="who must answer there (default: any of your devices)")
    verb("ls", "the links that are kept, and why each is as it is")
    remove = verb("rm", "keep a link no more, and end it")
    remove.add_argument("which", metavar="URL|NODE", help="one address, or all those of a node")
    link_offers.configure_offer(verb("offer", "link with a device directly, by a text that you carry there"))
    link_offers.configure_answer(verb("answer", "answer the offer of another device"))
    verb("stdio", "join standard input and output with this device's node: the far end of a pipe link")


def run(arguments: Namespace) -> int:
    if arguments.verb == "stdio":
        return stdio(arguments)
    if arguments.verb == "add":
        check_quoting(arguments.urls)
    name, out = named(arguments, None), Output(arguments)

    async def work(glow: Glow) -> int:
        _, node = await node_at(glow, name)
        return await _VERBS[arguments.verb](glow, node, arguments, out)

    return attached(arguments, work, "the link" if arguments.verb == "add" else name, about=name)


def check_quoting(urls: list[str]) -> None:
    """Raises UsageError where the shell has taken a command apart."""
    if urls[0].startswith("pipe:") and any(":" not in url for url in urls[1:]):
        command = " ".join(urls)
        raise UsageError(f"{urls[1]!r} is no address", "a command must be one word", f'glow link add "{command}"')


async def add(glow: Glow, node: Node, arguments: Namespace, out: Output) -> int:
    link = await node.links_add(arguments.urls, await key_of(glow, arguments.key))
    out.show(plain(link), lambda: outcome(link))
    if link.state != "up":
        out.note(f"not linked yet: {link.reason or 'nothing has answered so far'}")
        if link.hint:
            out.note(f"hint: {link.hint}")
    return OK


async def key_of(glow: Glow, text: str | None) -> bytes | None:
    """The key in hexadecimal, or that of a node. Raises NoSuchName."""
    if text is None or _KEY.fullmatch(text):
        return bytes.fromhex(text) if text else None
    return (await glow.resolve(text)).key


def outcome(link: StandingLink) -> str:
    if link.state != "up":
        return "kept; it is dialled until it is there: glow link ls"
    return f"linked with {peer_text(link)} through {link.url}" + (f"; {link.reason}" if link.reason else "")


async def show_links(glow: Glow, node: Node, arguments: Namespace, out: Output) -> int:
    links = await node.links_list()
    if not links and not out.json:
        out.note(f"no link is kept; for example: {PIPE}")
    out.show(plain(links), lambda: links_text(links, out))
    return OK


def links_text(links: list[StandingLink], out: Output) -> str:
    now = datetime.now(UTC)
    table = out.table(
        ("LINK TO", "STATE", "FOR", "NEXT", "KIND", "ROUND TRIP", "ADDRESSES", "WHY"),
        [
            (
                peer_text(link),
                link.state,
                duration_text(max((now - link.since).total_seconds(), 0)),
                "" if link.next_attempt is None else f"in {duration_text(link.next_attempt)}",
                link.kind,
                "" if link.round_trip is None else duration_text(link.round_trip),
                ", ".join(link.urls),
                link.reason,
            )
            for link in links
        ],
    )
    return "\n".join([table, *hint_lines([link.hint for link in links])])


def peer_text(link: StandingLink) -> str:
    return link.peer or (address_text(link.address)[:11] if link.address else "?")


async def remove(glow: Glow, node: Node, arguments: Namespace, out: Output) -> int:
    which, links = arguments.which, await node.links_list()
    urls = [which] if any(which in link.urls for link in links) else []
    if not urls:
        urls = [url for link in links if which in names(link) for url in link.urls]
    if not urls:
        raise NoSuchResource(f"no link is kept to {which!r}", hint="glow link ls")
    await node.links_remove(urls)
    out.show({"removed": urls}, lambda: "\n".join(f"{url} is dialled no more" for url in urls))
    return OK


def names(link: StandingLink) -> set[str]:
    """What a person may call the node at the other end."""
    return {link.peer, address_text(link.address)} - {""} if link.address else set()


def stdio(arguments: Namespace) -> int:
    """The far end of a link. Raises NoNode, GlowError if the node ends it; writes nothing but the link."""
    if os.isatty(STDIN):
        raise UsageError("this is the far end of a link, and not for a terminal", hint=f"on the other device: {PIPE}")
    with dial_node(home_of(arguments), PIPES) as sock:
        if splice(sock, STDIN, STDOUT):
            raise GlowError("the node of this device ended the link", hint="`glow status` on both devices says more")
    return OK


Verb = Callable[[Glow, Node, Namespace, Output], Awaitable[int]]
_VERBS: dict[str, Verb] = {
    "add": add,
    "ls": show_links,
    "rm": remove,
    "offer": link_offers.offer,
    "answer": link_offers.answer,
}
