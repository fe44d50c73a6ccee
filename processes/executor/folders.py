"""Folders that a job asks for: whole file systems of the same node, with no more rights than their caller has.

A path inside of one cannot be asked for: between looking at it and opening it another job could put a link there.
"""

from __future__ import annotations

from firefly.client import Glow
from firefly.errors import Denied, InvalidArgument
from firefly.interfaces.executor import Folder, Mount, NoSuchFolder
from firefly.interfaces.filesystem import FileSystem
from firefly.runtime import Caller, check_access


async def find_mounts(glow: Glow, caller: Caller, folders: list[Folder]) -> list[Mount]:
    """Raises NoSuchFolder, Denied (also for a writable folder of a read-only file system), InvalidArgument."""
    if not folders:
        return []
    offered = {
        resource.label: resource
        for resource in await glow.node.resources(glow.address)
        if resource.proto == FileSystem.proto
    }
    mounts: list[Mount] = []
    for folder in folders:
        resource = offered.get(folder.label)
        if resource is None:
            raise NoSuchFolder(folder.label, sorted(offered))
        check_access(caller, int(resource.access))
        place = await glow.at(glow.address, resource.id, FileSystem).place()
        if folder.writable and not place.writable:
            raise Denied(
                f"{folder.label} cannot be written to",
                cause="its owner shares it read-only",
                hint="leave out :rw, or use a share made with writable=yes",
            )
        mounts.append(Mount(place.root, guest_path(folder), folder.writable))
    if len({mount.guest for mount in mounts}) < len(mounts):
        raise InvalidArgument("two folders cannot be at one place", hint="--folder NAME:/GUEST")
    return mounts


def guest_path(folder: Folder) -> str:
    """Where the program finds it. Raises InvalidArgument."""
    path = folder.guest or f"/{folder.label}"
    if not path.startswith("/") or "\0" in path or {"..", "."} & set(path.split("/")):
        raise InvalidArgument(f"{path!r} is no place for a folder", hint="a whole path, for example /data")
    return path
