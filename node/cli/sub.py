"""`glow sub`: prints what is published to a topic."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from firefly.client import Glow
from firefly.interfaces.pubsub import Channel
from firefly.interfaces.streams import Message, Start
from node.cli.address import parse_resource
from node.cli.client import attached, expecting
from node.cli.failures import OK, UsageError
from node.cli.output import Output, clean, write_json
from node.cli.values import value_data

NAME = "sub"
HELP = "print what is published to a topic"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("channel", metavar="NODE/RESOURCE", help="the channel that has the topic")
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("-n", "--count", type=int, metavar="N", help="end after N messages (default: until stopped)")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--last", action="store_true", help="begin with the last message that was published")
    begin.add_argument("--backlog", action="store_true", help="begin with the oldest message that is kept")


def run(arguments: Namespace) -> int:
    address = parse_resource(arguments.channel, "channel", "nas/news")
    if arguments.count is not None and arguments.count < 1:
        raise UsageError("-n is how many messages to wait for", hint="-n 1")
    start = Start.BACKLOG if arguments.backlog else Start.LAST if arguments.last else Start.NOW
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        location = await glow.resolve(address.name)
        channel = glow.at(location.node, location.resource, Channel)
        left = arguments.count
        with expecting("channel", address.name, location):
            async with channel.subscribe(arguments.topic, start) as messages:
                async for batch in messages.batches():
                    show(batch[:left], out)
                    left = None if left is None else left - len(batch)
                    if left is not None and left <= 0:
                        break
        return OK

    return attached(arguments, work, about=arguments.channel)


def show(messages: list[Message], out: Output) -> None:
    """Data as it is, a line for each message; on a terminal without what could drive it."""
    for message in messages:
        if message.lost:
            out.note(f"{message.lost} messages were lost here: they came faster than they were read")
        if out.json:
            write_json({**value_data(message.data), "lost": message.lost})
        elif out.terminal:
            sys.stdout.write(clean(message.data.decode(errors="replace")) + "\n")
        else:
            sys.stdout.buffer.write(message.data + b"\n")
    sys.stdout.flush()
