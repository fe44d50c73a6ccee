"""What there is for each kind of argument: nodes, resources, paths, files, kinds of processes.

Kinds are the metavars of the commands' arguments, so that a new command needs nothing here. The node that runs here is
asked, for a second at most.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from node.cli.address import DEFAULT_RESOURCE, SELF

if TYPE_CHECKING:
    from firefly.client import Glow

PATIENCE = 1.0
"""Seconds that the node has to answer."""
PAGES, PAGE = 2, 500
"""Pages of a folder that are read, and entries of each: nobody reads through more."""
MAX_FILES = 1000


class Candidate(NamedTuple):
    """`finished` ones are whole words; others go on: a folder, a node whose resource is to follow."""

    text: str
    finished: bool = True
    line: str = ""


def candidates(kind: str, current: str, home: Path, node: str) -> list[Candidate]:
    """All that can stand where `current` stands; `node` is whom the line is about. Raises what asking raises."""
    found: list[Candidate] = []
    if kind in _LOCAL:
        found += local_files(current, folders_only=kind == "DIR")
    if kind == "KIND":
        found += kinds()
    if kind in _ASKED and not current.startswith(("/", "./", "../", "~")):
        found += _ask(home, lambda glow: _ASKED[kind](glow, current, node))
    return found


def local_files(current: str, *, folders_only: bool = False) -> list[Candidate]:
    """Files of this device whose path begins so; hidden ones only if a dot is typed."""
    folder, slash, prefix = current.rpartition("/")
    found = []
    with os.scandir(os.path.expanduser(folder + slash) or ".") as entries:
        for entry in entries:
            if not entry.name.startswith(prefix) or (entry.name.startswith(".") and not prefix):
                continue
            if entry.is_dir():
                found.append(Candidate(f"{folder}{slash}{entry.name}/", False))
            elif not folders_only:
                found.append(Candidate(f"{folder}{slash}{entry.name}"))
            if len(found) == MAX_FILES:
                break
    return sorted(found)


def kinds() -> list[Candidate]:
    """The kinds of processes that are installed here."""
    from importlib.metadata import entry_points

    return [Candidate(name) for name in sorted({"program", *(e.name for e in entry_points(group="glow.processes"))})]


def _ask(home: Path, work: Callable[[Glow], Awaitable[Iterable[Candidate]]]) -> list[Candidate]:
    """What the node that runs at `home` says. Raises GlowError; after a second there is nothing."""
    import trio

    from firefly.client import connect

    async def run() -> list[Candidate]:
        with trio.move_on_after(PATIENCE):
            async with connect(home) as glow:
                return list(await work(glow))
        return []

    return trio.run(run)


async def nodes(glow: Glow, current: str, node: str) -> list[Candidate]:
    status = await glow.node.node_status()
    named = [Candidate(one.name, line=one.how) for one in status.nodes if one.name and not one.clash]
    return [*named, Candidate(SELF, line="this device's node")]


async def nodes_to_go_on(glow: Glow, current: str, node: str, ends: str) -> list[Candidate]:
    """The nodes, followed by what makes a longer address of them."""
    found = await nodes(glow, current, node)
    return [Candidate(one.text + end, False, one.line) for one in found for end in ends]


async def resources(glow: Glow, current: str, node: str) -> list[Candidate]:
    """NODE/RESOURCE."""
    name, slash, _ = current.partition("/")
    if not slash:
        return await nodes_to_go_on(glow, current, node, "/")
    location = await glow.resolve(name)
    return [Candidate(f"{name}/{one.label}", line=one.proto) for one in await glow.node.resources(location.node)]


async def methods(glow: Glow, current: str, node: str) -> list[Candidate]:
    """NODE/RESOURCE[.METHOD]: the resources, to which a method may be added."""
    return [Candidate(one.text, False, one.line) for one in await resources(glow, current, node)]


async def paths(glow: Glow, current: str, node: str) -> list[Candidate]:
    """NODE[/RESOURCE]:PATH."""
    from firefly.interfaces.filesystem import FileSystem, Kind

    name, colon, path = current.partition(":")
    if not colon:
        if "/" not in name:
            return await nodes_to_go_on(glow, current, node, ":/")
        found = await resources(glow, current, node)
        return [Candidate(f"{one.text}:", False, one.line) for one in found if one.line == FileSystem.proto]
    location = await glow.resolve(name if "/" in name else f"{name}/{DEFAULT_RESOURCE}")
    files = glow.at(location.node, location.resource, FileSystem)
    folder, slash, prefix = path.rpartition("/")
    found, after = [], before(prefix)
    for _ in range(PAGES):
        page = await files.list(folder.strip("/"), after, PAGE)
        for entry in page.entries:
            if entry.name.startswith(prefix):
                is_folder = entry.stat.kind == Kind.FOLDER
                found.append(Candidate(f"{name}:{folder}{slash}{entry.name}{'/' * is_folder}", not is_folder))
        if page.next is None or not page.next.startswith(prefix):
            break
        after = page.next
    return found


def before(prefix: str) -> str:
    """A name before all that begin with `prefix`, and after nearly all that come before these."""
    if not prefix:
        return ""
    last = ord(prefix[-1]) - 1
    return prefix[:-1] + (chr(last) + "\U0010ffff" if last > 0 and not 0xD800 <= last < 0xE000 else "")


async def addresses(glow: Glow, current: str, node: str) -> list[Candidate]:
    """A node, a resource or a path."""
    if ":" in current:
        return await paths(glow, current, node)
    whole = await (resources if "/" in current else nodes)(glow, current, node)
    return [*whole, *await paths(glow, current, node)]


async def labels(glow: Glow, current: str, node: str) -> list[Candidate]:
    """Processes of the node that is meant."""
    from firefly.interfaces.core import Node

    location = await glow.resolve(node)
    processes = await glow.at(location.node, location.node, Node).processes()
    return [Candidate(process.label, line=process.state.name.lower()) for process in processes]


async def labels_anywhere(glow: Glow, current: str, node: str) -> list[Candidate]:
    """[NODE/]LABEL."""
    name, slash, _ = current.partition("/")
    if slash:
        return [Candidate(f"{name}/{one.text}", line=one.line) for one in await labels(glow, current, name)]
    return [*await labels(glow, current, node), *await nodes_to_go_on(glow, current, node, "/")]


async def things(glow: Glow, current: str, node: str) -> list[Candidate]:
    """Whatever `glow why` can explain."""
    if "/" in current:
        return await resources(glow, current, node)
    found = [*await nodes(glow, current, node), *await labels(glow, current, node)]
    return [*found, *await nodes_to_go_on(glow, current, node, "/")]


_LOCAL = {"FILE", "DIR", "PLACE"}
_ASKED: dict[str, Callable[[Glow, str, str], Awaitable[list[Candidate]]]] = {
    "NODE": nodes,
    "NODE/RESOURCE": resources,
    "NODE/RESOURCE[.METHOD]": methods,
    "NODE[/RESOURCE]:PATH": paths,
    "FROM… TO": paths,
    "PLACE": paths,
    "ADDRESS": addresses,
    "LABEL": labels,
    "[NODE/]LABEL": labels_anywhere,
    "THING": things,
}
