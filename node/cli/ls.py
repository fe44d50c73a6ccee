"""`glow ls`: nodes and their resources; the resources of one node; the files of a folder."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from firefly.client import Glow
from firefly.errors import GlowError
from firefly.interfaces.core import NodeSummary, ResourceStatus, Role
from firefly.interfaces.filesystem import Entry, FileSystem, Kind, NotAFolder
from node.cli.address import Address, parse
from node.cli.client import attached
from node.cli.files import entries
from node.cli.output import Output, iso_time, local_time, plain, size_text

NAME = "ls"
HELP = "nodes, their resources, or the files of a folder"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="NODE, NODE:PATH or NODE/RESOURCE:PATH")
    parser.add_argument("-l", "--long", action="store_true", help="sizes and times of files; ids of resources")


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    text = arguments.address or arguments.node
    address = parse(text) if text else None

    async def work(glow: Glow) -> int:
        if address is None:
            await everything(glow, out, arguments.long)
        elif address.path is None and address.resource is None:
            found = await resources_of(glow, address.node)
            await warn_if_unreachable(glow, address.node, out)
            if not found and not out.json:
                out.note(f"{address.node} offers nothing yet; `glow --node {address.node} create` makes something")
            out.show(plain(found), lambda: resource_table(found, out, arguments.long))
        else:
            await folder(glow, address, out, arguments.long)
        return 0

    return attached(arguments, work, text or "")


async def resources_of(glow: Glow, name: str) -> list[ResourceStatus]:
    location = await glow.resolve(name)
    return sorted(await glow.node.resources(location.node), key=lambda resource: resource.label)


async def warn_if_unreachable(glow: Glow, name: str, out: Output) -> None:
    """The directory also remembers nodes that are off."""
    location = await glow.resolve(name)
    for node in (await glow.node.node_status()).nodes:
        if node.address == location.node and not node.reachable:
            out.note(f"{name} is unreachable ({node.reason}); this is what it offered")


async def everything(glow: Glow, out: Output, long: bool) -> None:
    """All nodes and what each offers. A node whose resources are unknown is shown with the reason."""
    shown: list[tuple[NodeSummary, list[ResourceStatus]]] = []
    status = await glow.node.node_status()
    for node in sorted(status.nodes, key=lambda node: (node.address != glow.address, node.name)):
        try:
            found = sorted(await glow.node.resources(node.address), key=lambda resource: resource.label)
        except GlowError as error:
            node, found = msgspec.structs.replace(node, reason=node.reason or error.message), []
        shown.append((node, found))
    data = [{**plain(node), "resources": plain(found)} for node, found in shown]
    out.show(data, lambda: "\n".join(_block(node, found, out, long) for node, found in shown))


def _block(node: NodeSummary, found: list[ResourceStatus], out: Output, long: bool) -> str:
    why = "" if node.reachable else f": {node.reason}"
    table = resource_table(found, out, long).splitlines()[1:]
    return "\n".join([f"{out.bold(node.name)}  {node.how}{why}", *(f"  {row}" for row in table)])


def resource_table(resources: list[ResourceStatus], out: Output, long: bool) -> str:
    return out.table(
        ("LABEL", "PROTO", "ACCESS", "ID"),
        [(r.label, r.proto, access_text(r.access), r.id.hex() if long else "") for r in resources],
    )


def access_text(access: Role) -> str:
    """Who may call: the lowest role, in the plural."""
    return "admins" if access == Role.ADMIN else "members"


async def folder(glow: Glow, address: Address, out: Output, long: bool) -> None:
    """A folder's entries in the order of their names, shown page by page."""
    location = await glow.resolve(address.name)
    files = glow.at(location.node, location.resource, FileSystem)
    if address.path is None and location.proto != FileSystem.proto:
        status = [r for r in await resources_of(glow, address.node) if r.id == location.resource]
        out.show(plain(status), lambda: resource_table(status, out, True))
        return
    rows: list[dict[str, Any]] = []
    async for entry in _entries_or_file(files, address.path or ""):
        if out.json and not out.lines:
            rows.append(entry_data(entry))
        else:
            out.item(entry_data(entry), entry_text(entry, out, long))
    if out.json and not out.lines:
        out.show(rows, str)


async def _entries_or_file(files: FileSystem, path: str) -> AsyncIterator[Entry]:
    try:
        async for entry in entries(files, path):
            yield entry
    except NotAFolder:
        yield Entry(path.rpartition("/")[2], await files.stat(path))


def entry_data(entry: Entry) -> dict[str, Any]:
    stat = entry.stat
    return {
        "name": entry.name,
        "kind": stat.kind.name.lower(),
        "size": stat.size,
        "modified": iso_time(stat.modified),
        "mode": f"{stat.mode:04o}",
    }


_MARKS = {Kind.FOLDER: "/", Kind.LINK: "@", Kind.OTHER: "?"}


def entry_text(entry: Entry, out: Output, long: bool) -> str:
    name = f"{entry.name}{_MARKS.get(entry.stat.kind, '')}"
    if not long:
        return name
    time = local_time(entry.stat.modified) if out.terminal else iso_time(entry.stat.modified)
    size = size_text(entry.stat.size) if entry.stat.kind == Kind.FILE else "-"
    return f"{entry.stat.mode & 0o777:03o}  {size:>8}  {time}  {name}"
