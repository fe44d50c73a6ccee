"""`glow pub`: publishes messages to a topic."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

import trio

from firefly.client import Glow
from firefly.interfaces.pubsub import Channel
from node.cli.address import parse_resource
from node.cli.client import attached, expecting
from node.cli.failures import OK, UsageError
from node.cli.output import Output
from node.cli.values import value_of

NAME = "pub"
HELP = "publish messages to a topic"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("channel", metavar="NODE/RESOURCE", help="the channel that has the topic")
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("message", nargs="?", metavar="MESSAGE", help="- or nothing: what comes on standard input")
    parser.add_argument("--lines", action="store_true", help="each line of standard input is a message of its own")


def run(arguments: Namespace) -> int:
    address = parse_resource(arguments.channel, "channel", "nas/news")
    if arguments.lines and arguments.message not in (None, "-"):
        raise UsageError("--lines reads messages from standard input", hint="leave out MESSAGE")
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        location = await glow.resolve(address.name)
        with expecting("channel", address.name, location):
            channel = glow.at(location.node, location.resource, Channel)
            publish = publish_lines if arguments.lines else publish_one
            count, number = await publish(channel, arguments)
        data = {"topic": arguments.topic, "published": count, "number": number}
        out.show(data, lambda: f"{count} published to {arguments.topic}" + (f", number {number}" if number else ""))
        return OK

    return attached(arguments, work, arguments.channel)


async def publish_one(channel: Channel, arguments: Namespace) -> tuple[int, int]:
    """(1, the message's number)."""
    message = await trio.to_thread.run_sync(value_of, arguments.message, abandon_on_cancel=True)
    return 1, await channel.publish(arguments.topic, message)


async def publish_lines(channel: Channel, arguments: Namespace) -> tuple[int, int | None]:
    """(how many lines, the last one's number), once all are kept: the answer to the last one says so for all."""
    topic = await channel.topic(arguments.topic)
    count, last = 0, None
    while line := await trio.to_thread.run_sync(sys.stdin.buffer.readline, abandon_on_cancel=True):
        if last is not None:
            await topic.post(last)
        last = line.removesuffix(b"\n")
        count += 1
    return count, None if last is None else await topic.publish(last)
