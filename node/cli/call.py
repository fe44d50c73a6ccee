"""`glow call`: calls any method of any resource, from the interface that its process registered."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from difflib import get_close_matches
from typing import Any

from firefly.client import Glow
from firefly.dynamic import DynamicStub, Offered, client
from firefly.errors import NoSuchMethod
from firefly.interfaces.core import Resource
from node.cli.address import parse
from node.cli.client import attached
from node.cli.failures import OK, UsageError
from node.cli.output import Output

NAME = "call"
HELP = "call a method of any resource"


def configure(parser: ArgumentParser) -> None:
    parser.usage = "glow call NODE/RESOURCE[.METHOD] [NAME=VALUE …]"
    parser.epilog = (
        "Without a method it lists what there is. Strings, numbers and bytes are written as they are, everything else "
        "as JSON; NAME=@FILE reads a file. For example: glow call nas/settings.put key=theme value=dark"
    )
    parser.add_argument(
        "target", metavar="NODE/RESOURCE[.METHOD]", help="what to call; NODE.METHOD calls the node itself"
    )
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="its arguments")


def run(arguments: Namespace) -> int:
    name, method = target_of(arguments.target)
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        location = await glow.resolve(name)
        description = await glow.at(location.node, location.resource, Resource).describe()
        kind = client(description.schema, description.proto)
        if not method:
            return show_methods(kind, out)
        stub = glow.at(location.node, location.resource, kind)
        return await call(stub, method_of(kind, name, method), arguments.arguments, out)

    return attached(arguments, work, about=name)


def target_of(text: str) -> tuple[str, str]:
    """(what resolves, method or "") of the first argument. Raises UsageError."""
    name, _, method = text.rpartition(".")
    if not name or "/" in method:
        name, method = text, ""
    address = parse(name)
    if address.path is not None:
        raise UsageError(f"{text!r} names a file, not a method", hint="glow call NODE/RESOURCE.METHOD")
    return address.name, method


def method_of(kind: type[DynamicStub], name: str, method: str) -> Offered:
    """Raises NoSuchMethod with the most similar one."""
    if method in kind.offered:
        return kind.offered[method]
    close = get_close_matches(method, kind.offered, 1)
    hint = f"glow call {name}.{close[0]}" if close else f"glow call {name}"
    raise NoSuchMethod(f"{name} has no method {method!r}", f"it is a {kind.proto}", hint)


def show_methods(kind: type[DynamicStub], out: Output) -> int:
    data = {"proto": kind.proto, "methods": {name: offered.signature() for name, offered in kind.offered.items()}}
    out.show(data, lambda: "\n".join([kind.proto, *(f"  {offered.signature()}" for offered in kind.offered.values())]))
    return OK


async def call(stub: DynamicStub, offered: Offered, words: list[str], out: Output) -> int:
    """Prints the result, or each item of a stream as it comes."""
    made = stub.invoke(offered, offered.parse(words))
    if not offered.streams:
        answer = offered.plain(await made)
        if offered.declared.result is not None:
            out.show(answer, lambda: text_of(answer, out))
        return OK
    async with made as items:
        async for item in items:
            plain = offered.plain(item)
            out.item(plain, text_of(plain, out))
    return OK


def text_of(value: Any, out: Output) -> str:
    """A result for a person: a table of things of one kind, a line for each field of one thing."""
    if isinstance(value, list) and value and all(_is_flat(item) and item.keys() == value[0].keys() for item in value):
        return out.table(
            [name.upper() for name in value[0]], [[_cell(field) for field in item.values()] for item in value]
        )
    if isinstance(value, list):
        return "\n".join(map(_cell, value))
    if _is_flat(value) and value:
        width = max(map(len, value))
        return "\n".join(f"{name:{width}}  {_cell(field)}" for name, field in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(field, list | dict) and field for field in value.values())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
