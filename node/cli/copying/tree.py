"""Many files: folders are walked while up to eight files are on their way.

A new folder is built under a temporary name and renamed at the end. So a tree that was cut is not mistaken for a whole
one, and the same command, run again, continues it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from firefly.errors import Denied, GlowError, Interrupted, InvalidArgument, Unreachable
from firefly.interfaces.filesystem import Exists, Kind, NoSpace, NotFound, ReadOnly
from node.cli.copying.place import Item, Place, checked_name, is_part, part_name, token_of
from node.cli.copying.transfer import Job, transfer
from node.cli.failures import UsageError, words
from node.cli.progress import Progress

WORKERS = 8
WAITING = 64
"""Files that the walk is ahead of the workers."""
_HOPELESS = (Unreachable, Interrupted, Denied, ReadOnly, NoSpace)
"""After one of these every other file would fail too."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Spot:
    """One argument of a copy. `name`: what it is called when it goes into a folder; `into`: it is one."""

    place: Place
    path: str
    name: str
    shown: str
    into: bool = False


@dataclass
class Report:
    """What became of a copy; all paths as a person knows them."""

    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, BaseException]] = field(default_factory=list)


class Copy:
    """One run of `glow cp`."""

    def __init__(self, progress: Progress, note: Callable[[str], None], *, recursive: bool) -> None:
        self.report = Report()
        self._progress = progress
        self._note = note
        self._recursive = recursive

    async def run(self, sources: Sequence[Spot], target: Spot) -> Report:
        """Copies everything. Errors of single files are in the report; one that stops everything is raised."""
        there = await target.place.stat(target.path)
        into = target.into or len(sources) > 1 or (there is not None and there.kind == Kind.FOLDER)
        if into and (there is None or there.kind != Kind.FOLDER):
            raise InvalidArgument(f"{target.shown} is no folder", hint="make it first, with mkdir or glow mkdir")
        for source in sources:
            to = target.place.join(target.path, checked_name(source.name)) if into else target.path
            await self._one(source, target.place, to, (await target.place.stat(to)) if into else there)
        return self.report

    async def _one(self, source: Spot, target: Place, to: str, there: Item | None) -> None:
        item = await source.place.stat(source.path)
        if item is None:
            raise NotFound(source.shown)
        if item.kind not in (Kind.FILE, Kind.FOLDER):
            raise InvalidArgument(f"{source.shown} is neither a file nor a folder")
        if item.kind == Kind.FOLDER and not self._recursive:
            raise UsageError(f"{source.shown} is a folder", hint=f"glow cp -r {source.shown} …")
        if there is not None and there.kind != item.kind:
            raise Exists(to)
        _refuse_itself(source, target, to)
        if item.kind == Kind.FOLDER:
            await self._folder(source, target, to, there)
        else:
            job = Job(source.place, source.path, item, target, to, to, there, source.shown)
            self._progress.total += item.size
            await self._copy(job, alone=True)

    async def _folder(self, source: Spot, target: Place, to: str, there: Item | None) -> None:
        """A folder that exists is added to; a new one is built beside its place."""
        building, known = to, there
        if there is None:
            # A folder's time changes with its entries: it does not tell whether this is the same copy.
            token = token_of(source.place, source.path, Item(Kind.FOLDER, 0, "", 0), to)
            building = target.beside(to, part_name(token))
            known = await target.stat(building)
        if known is None:
            await target.mkdir(building)
        jobs, work = trio.open_memory_channel[Job](WAITING)
        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(self._work, work.clone())
            work.close()
            async with jobs:
                await self._walk(source, target, _Folder(source.path, building, to, known is None), jobs)
        if building != to:
            await target.rename(building, to)

    async def _work(self, jobs: trio.MemoryReceiveChannel[Job]) -> None:
        async with jobs:
            async for job in jobs:
                await self._copy(job)

    async def _copy(self, job: Job, alone: bool = False) -> None:
        try:
            moved = await transfer(job, self._progress)
        except (GlowError, OSError) as error:
            if alone or _hopeless(error):
                raise
            self._failed(job.shown, error)
            return
        self.report.files += 1
        self.report.bytes += job.item.size
        self.report.unchanged += not moved

    def _failed(self, shown: str, error: BaseException) -> None:
        what, why, _ = words(error)
        self._note(f"{shown}: {what}" + (f" ({why})" if why else ""))
        self.report.failed.append((shown, error))

    async def _walk(self, source: Spot, target: Place, root: _Folder, jobs: trio.MemorySendChannel[Job]) -> None:
        """Makes the folders and sends a job for each file; links and devices are left out."""
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                exists = {} if folder.new else dict(await target.children(folder.to))
                entries = await source.place.children(folder.path)
            except (GlowError, OSError) as error:
                if folder is root or _hopeless(error):
                    raise
                self._failed(_shown(source, folder.path), error)
                continue
            for name, item in entries:
                if not is_part(name):
                    await self._entry(source, target, folder, name, item, exists, folders, jobs)

    async def _entry(
        self,
        source: Spot,
        target: Place,
        folder: _Folder,
        name: str,
        item: Item,
        exists: dict[str, Item],
        folders: list[_Folder],
        jobs: trio.MemorySendChannel[Job],
    ) -> None:
        path = source.place.join(folder.path, name)
        shown = _shown(source, path)
        try:
            name = checked_name(name)
            to, final, there = target.join(folder.to, name), target.join(folder.final, name), exists.get(name)
            if item.kind not in (Kind.FILE, Kind.FOLDER):
                self.report.skipped.append(shown)
            elif there is not None and there.kind != item.kind:
                raise Exists(final)
            elif item.kind == Kind.FILE:
                self._progress.total += item.size
                await jobs.send(Job(source.place, path, item, target, to, final, there, shown))
            else:
                if there is None:
                    await target.mkdir(to)
                folders.append(_Folder(path, to, final, there is None))
        except (GlowError, OSError) as error:
            if _hopeless(error):
                raise
            self._failed(shown, error)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is still to be walked; `new`: its copy was made just now, so nothing is in it."""

    path: str
    to: str
    final: str
    new: bool


def _shown(source: Spot, path: str) -> str:
    below = path.removeprefix(source.path).lstrip("/")
    return source.shown + below if source.shown.endswith((":", "/")) else f"{source.shown}/{below}"


def _refuse_itself(source: Spot, target: Place, to: str) -> None:
    """A file is not copied to itself, nor a folder into itself, which would never end."""
    if source.place.name != target.name:
        return
    here, there = source.place.whole(source.path), target.whole(to)
    if here == there or there.startswith(f"{here}/") or not here:
        raise UsageError(f"{source.shown} cannot be copied to itself")


def _hopeless(error: BaseException) -> bool:
    return isinstance(error, _HOPELESS) or (isinstance(error, OSError) and error.errno in _FULL)
