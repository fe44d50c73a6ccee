"""`glow kv`: reads, writes, lists and watches a key-value store."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any

from firefly.client import Glow
from firefly.interfaces.kv import KV, Change, Entry
from node.cli.address import parse_resource
from node.cli.client import attached, expecting
from node.cli.failures import FAILED, OK
from node.cli.flags import global_flags, seconds
from node.cli.output import Output, iso_time, local_time, size_text
from node.cli.values import value_data, value_of, value_text

NAME = "kv"
HELP = "read, write and watch a key-value store"
SHOWN = 60
"""Characters of a value that a list shows on a terminal."""


def configure(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))
    store = "the store, as NODE/RESOURCE"

    def verb(name: str, line: str, *arguments: str) -> ArgumentParser:
        sub: ArgumentParser = verbs.add_parser(name, help=line, description=f"{line}.", parents=[global_flags()])
        sub.add_argument("store", metavar="NODE/RESOURCE", help=store)
        for argument in arguments:
            sub.add_argument(argument.lower(), metavar=argument)
        return sub

    verb("get", "print the value of a key", "KEY")
    put = verb("set", "give a key a value", "KEY")
    put.add_argument("value", nargs="?", metavar="VALUE", help="- or nothing: what comes on standard input")
    put.add_argument("--expected", type=int, metavar="REVISION", help="only if that is its revision; 0: only if new")
    put.add_argument("--ttl", type=seconds, metavar="TIME", help="forget the key after that time: 30s, 5m, 2h")
    delete = verb("del", "delete a key", "KEY")
    delete.add_argument("--expected", type=int, metavar="REVISION", help="only if that is its revision")
    listed = verb("ls", "list the keys")
    listed.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="only keys that begin with it")
    listed.add_argument("-l", "--long", action="store_true", help="revisions, sizes and values too")
    watch = verb("watch", "print changes until stopped")
    watch.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="only keys that begin with it")
    watch.add_argument("--since", type=int, metavar="REVISION", help="begin after that revision (default: from now on)")


def run(arguments: Namespace) -> int:
    address = parse_resource(arguments.store, "store", "nas/settings")
    out = Output(arguments)
    verb = _VERBS[arguments.verb]
    if arguments.verb == "set":
        arguments.value = value_of(arguments.value)

    async def work(glow: Glow) -> int:
        location = await glow.resolve(address.name)
        with expecting("key-value store", address.name, location):
            return await verb(glow.at(location.node, location.resource, KV), arguments, out)

    return attached(arguments, work, "" if arguments.verb == "watch" else arguments.store, about=arguments.store)


def entry_data(entry: Entry) -> dict[str, Any]:
    expires = None if entry.expires is None else iso_time(entry.expires)
    return {"key": entry.key, "revision": entry.revision, "expires": expires, **value_data(entry.value)}


async def get(store: KV, arguments: Namespace, out: Output) -> int:
    entry = await store.entry(arguments.key)
    if entry is None:
        sys.stderr.write(f"error: {arguments.store} has no key {arguments.key!r}\nhint: glow kv ls {arguments.store}\n")
        return FAILED
    if out.json:
        out.show(entry_data(entry), str)
        return OK
    sys.stdout.buffer.write(entry.value)
    if out.terminal and not entry.value.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    return OK


async def put(store: KV, arguments: Namespace, out: Output) -> int:
    revision = await store.put(arguments.key, arguments.value, arguments.expected, arguments.ttl)
    data = {"key": arguments.key, "revision": revision}
    out.show(data, lambda: f"{arguments.key} is set, revision {revision}")
    return OK


async def delete(store: KV, arguments: Namespace, out: Output) -> int:
    existed = await store.delete(arguments.key, arguments.expected)
    text = f"{arguments.key} is deleted" if existed else f"there was no {arguments.key}"
    out.show({"key": arguments.key, "existed": existed}, lambda: text)
    return OK


async def show_keys(store: KV, arguments: Namespace, out: Output) -> int:
    after: str | None = ""
    found: list[dict[str, Any]] = []
    while after is not None:
        page = await store.list(arguments.prefix, after, 1000)
        after = page.next
        for entry in page.entries:
            if out.json and not out.lines:
                found.append(entry_data(entry))
            else:
                out.item(entry_data(entry), entry_text(entry, arguments.long, out))
    if out.json and not out.lines:
        out.show(found, str)
    return OK


def entry_text(entry: Entry, long: bool, out: Output) -> str:
    if not long:
        return entry.key
    expires = "" if entry.expires is None else f"  until {local_time(entry.expires)}"
    value = value_text(entry.value, SHOWN if out.terminal else len(entry.value))
    return f"{entry.revision:>8}  {size_text(len(entry.value)):>8}  {entry.key} = {value}{expires}"


async def watch(store: KV, arguments: Namespace, out: Output) -> int:
    async with store.watch(arguments.prefix, arguments.since) as changes:
        async for change in changes:
            data = {"key": change.key, "revision": change.revision, **value_data(change.value)}
            out.item(data, change_text(change, out))
    return OK


def change_text(change: Change, out: Output) -> str:
    if change.value is None:
        return f"{change.revision:>8}  {change.key} is gone"
    return (
        f"{change.revision:>8}  {change.key} = {value_text(change.value, SHOWN if out.terminal else len(change.value))}"
    )


Verb = Callable[[KV, Namespace, Output], Awaitable[int]]
_VERBS: dict[str, Verb] = {"get": get, "set": put, "del": delete, "ls": show_keys, "watch": watch}
