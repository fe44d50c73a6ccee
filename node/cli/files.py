"""File systems by address: what the commands on files share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from firefly.client import Glow
from firefly.errors import GlowError, InvalidArgument
from firefly.interfaces.core import Location
from firefly.interfaces.filesystem import Entry, FileSystem, Kind, NotFound, Stat
from node.cli.address import DEFAULT_RESOURCE, Address
from node.cli.failures import OK, PartlyDone, describe, exit_code
from node.cli.output import Output

PAGE = 1000


async def open_files(glow: Glow, address: Address) -> FileSystem:
    """The file system in which the address lies. Raises NoSuchName; InvalidArgument if it is none."""
    return (await locate(glow, address))[1]


async def locate(glow: Glow, address: Address) -> tuple[Location, FileSystem]:
    """Where the file system of an address is, and a client of it."""
    location = await glow.resolve(address.name)
    if location.proto and location.resource == location.node:
        name = f"{address.node}/{DEFAULT_RESOURCE}"
        raise InvalidArgument(f"{address.name} is a node, not a file system", hint=f"{name}:{address.path or ''}")
    return location, glow.at(location.node, location.resource, FileSystem)


async def entries(files: FileSystem, path: str) -> AsyncIterator[Entry]:
    """All entries of a folder, page by page, in the order of their names."""
    after: str | None = ""
    while after is not None:
        page = await files.list(path, after, PAGE)
        for entry in page.entries:
            yield entry
        after = page.next


async def stat_or_none(files: FileSystem, path: str) -> Stat | None:
    """What is at a path, None if nothing is."""
    try:
        return await files.stat(path)
    except NotFound:
        return None


async def is_folder(files: FileSystem, path: str) -> bool:
    stat = await stat_or_none(files, path)
    return stat is not None and stat.kind == Kind.FOLDER


async def each(addresses: Sequence[str], out: Output, act: Callable[[str], Awaitable[None]]) -> int:
    """Does the same to several addresses, going on after a failure; the exit code tells what became of them.

    With one address its error is raised as it is.
    """
    if len(addresses) == 1:
        await act(addresses[0])
        return OK
    codes: list[int] = []
    for address in addresses:
        try:
            await act(address)
        except GlowError as error:
            out.note(f"{address}: {describe(error)}".rstrip())
            codes.append(exit_code(error))
    if not codes:
        return OK
    if len(codes) == len(addresses):
        return codes[0]
    raise PartlyDone(f"{len(codes)} of {len(addresses)} failed; the reasons are above")
