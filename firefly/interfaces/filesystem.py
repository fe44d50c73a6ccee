# Made from filesystem.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""Files of one folder tree. A path is relative to the folder, NFC, with "/" between segments; "" is the folder itself."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import errors, runtime, scalars, variants
from firefly.interfaces import core as _core


Path: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]

Digest: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Kind(runtime.OpenEnum):
    FILE = 0
    FOLDER = 1
    LINK = 2
    OTHER = 3


class Stat(msgspec.Struct, array_like=True, frozen=True):
    kind: Kind
    size: scalars.u64
    """Bytes; 0 for anything but a file."""
    modified: scalars.Timestamp
    mode: scalars.u32
    """Permission bits."""


class Entry(msgspec.Struct, array_like=True, frozen=True):
    name: str
    stat: Stat


class Page(msgspec.Struct, array_like=True, frozen=True):
    entries: Annotated[list[Entry], msgspec.Meta(max_length=1000)]
    next: str | None
    """Pass it as `after` for the next page; null at the end."""


class Info(msgspec.Struct, array_like=True, frozen=True):
    writable: bool
    free: scalars.u64
    total: scalars.u64


class Written(msgspec.Struct, array_like=True, frozen=True):
    size: scalars.u64
    digest: Digest


class Place(msgspec.Struct, array_like=True, frozen=True):
    root: str
    writable: bool


class Change(variants.OpenUnion):
    pass


@variants.variant(1)
class ChangeCreated(Change):
    value: Path


@variants.variant(2)
class ChangeModified(Change):
    value: Path


@variants.variant(3)
class ChangeRemoved(Change):
    value: Path


@variants.unknown
class ChangeUnknown(Change):
    """A variant of Change that this version does not know."""

    ordinal: int
    body: object


class _NotFoundBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class NotFound(errors.DeclaredError):
    code = 0x283CC3C7
    name = "glow.filesystem.NotFound"
    Body = _NotFoundBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _ReadOnlyBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class ReadOnly(errors.DeclaredError):
    code = 0x8923771D
    name = "glow.filesystem.ReadOnly"
    Body = _ReadOnlyBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _ExistsBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class Exists(errors.DeclaredError):
    code = 0xDEF848AA
    name = "glow.filesystem.Exists"
    Body = _ExistsBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _NotAFileBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class NotAFile(errors.DeclaredError):
    code = 0xF605A29E
    name = "glow.filesystem.NotAFile"
    Body = _NotAFileBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _NotAFolderBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class NotAFolder(errors.DeclaredError):
    code = 0x4E3AFDEE
    name = "glow.filesystem.NotAFolder"
    Body = _NotAFolderBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _NotEmptyBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class NotEmpty(errors.DeclaredError):
    code = 0x6B8DA4F3
    name = "glow.filesystem.NotEmpty"
    Body = _NotEmptyBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _BadPathBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    reason: str


class BadPath(errors.DeclaredError):
    """The path is not one that this folder serves: an odd segment, or a link that leads out."""

    code = 0x10CD9F0F
    name = "glow.filesystem.BadPath"
    Body = _BadPathBody

    path: Path
    reason: str

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


class _NoSpaceBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path


class NoSpace(errors.DeclaredError):
    code = 0xD504C2C1
    name = "glow.filesystem.NoSpace"
    Body = _NoSpaceBody

    path: Path

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _MismatchBody(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    size: scalars.u64
    digest: Digest


class Mismatch(errors.DeclaredError):
    """What was written does not have the digest or size that the writer named; nothing was changed."""

    code = 0x5E764B82
    name = "glow.filesystem.Mismatch"
    Body = _MismatchBody

    path: Path
    size: int
    digest: Digest

    def __init__(self, path: Path, size: int, digest: Digest) -> None:
        super().__init__(path, size, digest)
        self.path = path
        self.size = size
        self.digest = digest


class FileSystem(_core.Resource):
    """Something that answers glow.filesystem.FileSystem."""

    proto = "glow.filesystem.FileSystem"

    async def info(self) -> Info:
        return await self._call(_FILESYSTEM_INFO, ())

    async def stat(self, path: Path) -> Stat:
        return await self._call(_FILESYSTEM_STAT, (path,))

    async def list(self, path: Path, after: str = "", limit: int = 256) -> Page:
        """Entries in the order of their names, after the name `after`."""
        return await self._call(_FILESYSTEM_LIST, (path, after, limit))

    def read(self, path: Path, offset: int = 0, size: int | None = None) -> runtime.ResultStream[bytes]:
        return self._stream(_FILESYSTEM_READ, (path, offset, size))

    async def digest(self, path: Path) -> Written:
        """SHA-256 of a whole file."""
        return await self._call(_FILESYSTEM_DIGEST, (path,))

    async def write(self, path: Path, data: runtime.Source[bytes]) -> Written:
        """Replaces or makes a whole file at once: under a temporary name, synced, renamed."""
        return await self._call(_FILESYSTEM_WRITE, (path,), data)

    async def unfinished(self, path: Path, token: bytes) -> int:
        """How many bytes of an unfinished upload with this token are kept; 0 if none."""
        return await self._call(_FILESYSTEM_UNFINISHED, (path, token))

    async def upload(self, path: Path, token: bytes, offset: int, data: runtime.Source[bytes]) -> Written:
        """Adds to an unfinished upload from `offset` on; what came is kept when the stream breaks."""
        return await self._call(_FILESYSTEM_UPLOAD, (path, token, offset), data)

    async def commit(self, path: Path, token: bytes, expected: Written) -> Written:
        """Gives a finished upload its name if size and digest are right: synced, renamed."""
        return await self._call(_FILESYSTEM_COMMIT, (path, token, expected))

    async def mkdir(self, path: Path, parents: bool = False) -> None:
        await self._call(_FILESYSTEM_MKDIR, (path, parents))

    async def remove(self, path: Path, recursive: bool = False) -> None:
        await self._call(_FILESYSTEM_REMOVE, (path, recursive))

    async def rename(self, from_: Path, to: Path) -> None:
        await self._call(_FILESYSTEM_RENAME, (from_, to))

    def watch(self, path: Path = "") -> runtime.ResultStream[Change]:
        """Changes below a path from now on."""
        return self._stream(_FILESYSTEM_WATCH, (path,))

    async def place(self) -> Place:
        """This device's own processes and person only: where the folder lies on it."""
        return await self._call(_FILESYSTEM_PLACE, ())


class _FileSystemInfoArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FILESYSTEM_INFO = runtime.Method(
    "info",
    "glow.filesystem/FileSystem.info",
    0xF05447A3,
    _FileSystemInfoArguments,
    result=Info,
    idempotent=True,
)


class _FileSystemStatArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path


_FILESYSTEM_STAT = runtime.Method(
    "stat",
    "glow.filesystem/FileSystem.stat",
    0x4ABCBF2D,
    _FileSystemStatArguments,
    result=Stat,
    errors=(NotFound, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemListArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    after: str = ""
    limit: scalars.u32 = 256


_FILESYSTEM_LIST = runtime.Method(
    "list",
    "glow.filesystem/FileSystem.list",
    0xF17D3409,
    _FileSystemListArguments,
    result=Page,
    errors=(NotFound, NotAFolder, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemReadArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    offset: scalars.u64 = 0
    size: scalars.u64 | None = None


_FILESYSTEM_READ = runtime.Method(
    "read",
    "glow.filesystem/FileSystem.read",
    0xD16246C9,
    _FileSystemReadArguments,
    result_stream=bytes,
    errors=(NotFound, NotAFile, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemDigestArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path


_FILESYSTEM_DIGEST = runtime.Method(
    "digest",
    "glow.filesystem/FileSystem.digest",
    0xE84CB0F2,
    _FileSystemDigestArguments,
    result=Written,
    errors=(NotFound, NotAFile, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemWriteArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path


_FILESYSTEM_WRITE = runtime.Method(
    "write",
    "glow.filesystem/FileSystem.write",
    0xFFC4EC80,
    _FileSystemWriteArguments,
    result=Written,
    argument_stream=bytes,
    errors=(NotFound, ReadOnly, BadPath, NoSpace, NotAFile),
    scope=("path",),
)


class _FileSystemUnfinishedArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    token: Annotated[bytes, msgspec.Meta(max_length=64)]


_FILESYSTEM_UNFINISHED = runtime.Method(
    "unfinished",
    "glow.filesystem/FileSystem.unfinished",
    0xFEE3B0FB,
    _FileSystemUnfinishedArguments,
    result=scalars.u64,
    errors=(ReadOnly, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemUploadArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    token: Annotated[bytes, msgspec.Meta(max_length=64)]
    offset: scalars.u64


_FILESYSTEM_UPLOAD = runtime.Method(
    "upload",
    "glow.filesystem/FileSystem.upload",
    0xD56411F9,
    _FileSystemUploadArguments,
    result=Written,
    argument_stream=bytes,
    errors=(NotFound, ReadOnly, BadPath, NoSpace),
    scope=("path",),
)


class _FileSystemCommitArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    token: Annotated[bytes, msgspec.Meta(max_length=64)]
    expected: Written


_FILESYSTEM_COMMIT = runtime.Method(
    "commit",
    "glow.filesystem/FileSystem.commit",
    0xB7BC9CA2,
    _FileSystemCommitArguments,
    result=Written,
    errors=(NotFound, ReadOnly, BadPath, Mismatch, NoSpace),
    scope=("path",),
)


class _FileSystemMkdirArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    parents: bool = False


_FILESYSTEM_MKDIR = runtime.Method(
    "mkdir",
    "glow.filesystem/FileSystem.mkdir",
    0x48E458BC,
    _FileSystemMkdirArguments,
    errors=(NotFound, ReadOnly, Exists, BadPath, NoSpace),
    scope=("path",),
)


class _FileSystemRemoveArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path
    recursive: bool = False


_FILESYSTEM_REMOVE = runtime.Method(
    "remove",
    "glow.filesystem/FileSystem.remove",
    0xEBA04EC9,
    _FileSystemRemoveArguments,
    errors=(NotFound, ReadOnly, NotEmpty, BadPath),
    scope=("path",),
)


class _FileSystemRenameArguments(msgspec.Struct, array_like=True, frozen=True):
    from_: Path
    to: Path


_FILESYSTEM_RENAME = runtime.Method(
    "rename",
    "glow.filesystem/FileSystem.rename",
    0x68C52FDB,
    _FileSystemRenameArguments,
    errors=(NotFound, ReadOnly, Exists, BadPath),
    scope=("from", "to"),
)


class _FileSystemWatchArguments(msgspec.Struct, array_like=True, frozen=True):
    path: Path = ""


_FILESYSTEM_WATCH = runtime.Method(
    "watch",
    "glow.filesystem/FileSystem.watch",
    0x949E970C,
    _FileSystemWatchArguments,
    result_stream=Change,
    errors=(NotFound, BadPath),
    idempotent=True,
    scope=("path",),
)


class _FileSystemPlaceArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FILESYSTEM_PLACE = runtime.Method(
    "place",
    "glow.filesystem/FileSystem.place",
    0x32CD2016,
    _FileSystemPlaceArguments,
    result=Place,
    idempotent=True,
)


class FileSystemServer(_core.ResourceServer):
    """Base of every process that serves FileSystem; a missing method answers NoSuchMethod."""

    proto = "glow.filesystem.FileSystem"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _FILESYSTEM_INFO,
        _FILESYSTEM_STAT,
        _FILESYSTEM_LIST,
        _FILESYSTEM_READ,
        _FILESYSTEM_DIGEST,
        _FILESYSTEM_WRITE,
        _FILESYSTEM_UNFINISHED,
        _FILESYSTEM_UPLOAD,
        _FILESYSTEM_COMMIT,
        _FILESYSTEM_MKDIR,
        _FILESYSTEM_REMOVE,
        _FILESYSTEM_RENAME,
        _FILESYSTEM_WATCH,
        _FILESYSTEM_PLACE,
    )

    def info(self) -> runtime.Answer[Info]:
        return runtime.missing(_FILESYSTEM_INFO)

    def stat(self, path: Path) -> runtime.Answer[Stat]:
        return runtime.missing(_FILESYSTEM_STAT)

    def list(self, path: Path, after: str, limit: int) -> runtime.Answer[Page]:
        """Entries in the order of their names, after the name `after`."""
        return runtime.missing(_FILESYSTEM_LIST)

    def read(self, path: Path, offset: int, size: int | None) -> runtime.Items[bytes]:
        return runtime.missing(_FILESYSTEM_READ)

    def digest(self, path: Path) -> runtime.Answer[Written]:
        """SHA-256 of a whole file."""
        return runtime.missing(_FILESYSTEM_DIGEST)

    def write(self, path: Path, data: runtime.ArgumentStream[bytes]) -> runtime.Answer[Written]:
        """Replaces or makes a whole file at once: under a temporary name, synced, renamed."""
        return runtime.missing(_FILESYSTEM_WRITE)

    def unfinished(self, path: Path, token: bytes) -> runtime.Answer[int]:
        """How many bytes of an unfinished upload with this token are kept; 0 if none."""
        return runtime.missing(_FILESYSTEM_UNFINISHED)

    def upload(
        self,
        path: Path,
        token: bytes,
        offset: int,
        data: runtime.ArgumentStream[bytes],
    ) -> runtime.Answer[Written]:
        """Adds to an unfinished upload from `offset` on; what came is kept when the stream breaks."""
        return runtime.missing(_FILESYSTEM_UPLOAD)

    def commit(self, path: Path, token: bytes, expected: Written) -> runtime.Answer[Written]:
        """Gives a finished upload its name if size and digest are right: synced, renamed."""
        return runtime.missing(_FILESYSTEM_COMMIT)

    def mkdir(self, path: Path, parents: bool) -> runtime.Answer[None]:
        return runtime.missing(_FILESYSTEM_MKDIR)

    def remove(self, path: Path, recursive: bool) -> runtime.Answer[None]:
        return runtime.missing(_FILESYSTEM_REMOVE)

    def rename(self, from_: Path, to: Path) -> runtime.Answer[None]:
        return runtime.missing(_FILESYSTEM_RENAME)

    def watch(self, path: Path) -> runtime.Items[Change]:
        """Changes below a path from now on."""
        return runtime.missing(_FILESYSTEM_WATCH)

    def place(self) -> runtime.Answer[Place]:
        """This device's own processes and person only: where the folder lies on it."""
        return runtime.missing(_FILESYSTEM_PLACE)


SCHEMA: Final = rb"""{"format":1,"library":"glow.filesystem","doc":"Files of one folder tree. A path is relative to the folder, NFC, with \"/\" between segments; \"\" is the folder itself.","declarations":[
{"kind":"alias","name":"glow.filesystem.Path","type":{"kind":"String","bound":4096}},
{"kind":"alias","name":"glow.filesystem.Digest","type":{"kind":"Bytes","size":32}},
{"kind":"enum","name":"glow.filesystem.Kind","members":[{"name":"FILE","value":0},{"name":"FOLDER","value":1},{"name":"LINK","value":2},{"name":"OTHER","value":3}]},
{"kind":"struct","name":"glow.filesystem.Stat","fields":[{"name":"kind","type":{"kind":"Ref","name":"glow.filesystem.Kind"}},{"name":"size","type":{"kind":"u64"},"doc":"Bytes; 0 for anything but a file."},{"name":"modified","type":{"kind":"Timestamp"}},{"name":"mode","type":{"kind":"u32"},"doc":"Permission bits."}]},
{"kind":"struct","name":"glow.filesystem.Entry","fields":[{"name":"name","type":{"kind":"String"}},{"name":"stat","type":{"kind":"Ref","name":"glow.filesystem.Stat"}}]},
{"kind":"struct","name":"glow.filesystem.Page","fields":[{"name":"entries","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.filesystem.Entry"}],"bound":1000}},{"name":"next","type":{"kind":"Optional","of":[{"kind":"String"}]},"doc":"Pass it as `after` for the next page; null at the end."}]},
{"kind":"struct","name":"glow.filesystem.Info","fields":[{"name":"writable","type":{"kind":"bool"}},{"name":"free","type":{"kind":"u64"}},{"name":"total","type":{"kind":"u64"}}]},
{"kind":"struct","name":"glow.filesystem.Written","fields":[{"name":"size","type":{"kind":"u64"}},{"name":"digest","type":{"kind":"Ref","name":"glow.filesystem.Digest"}}]},
{"kind":"struct","name":"glow.filesystem.Place","fields":[{"name":"root","type":{"kind":"String"}},{"name":"writable","type":{"kind":"bool"}}]},
{"kind":"union","name":"glow.filesystem.Change","variants":[{"name":"created","ordinal":1,"type":{"kind":"Ref","name":"glow.filesystem.Path"}},{"name":"modified","ordinal":2,"type":{"kind":"Ref","name":"glow.filesystem.Path"}},{"name":"removed","ordinal":3,"type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.NotFound","code":675070919,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.ReadOnly","code":2300802845,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.Exists","code":3740813482,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.NotAFile","code":4127564446,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.NotAFolder","code":1312488942,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.NotEmpty","code":1804444915,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.BadPath","doc":"The path is not one that this folder serves: an odd segment, or a link that leads out.","code":281911055,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}},{"name":"reason","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.filesystem.NoSpace","code":3573859009,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}}]},
{"kind":"error","name":"glow.filesystem.Mismatch","doc":"What was written does not have the digest or size that the writer named; nothing was changed.","code":1584810882,"fields":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"}},{"name":"size","type":{"kind":"u64"}},{"name":"digest","type":{"kind":"Ref","name":"glow.filesystem.Digest"}}]},
{"kind":"proto","name":"glow.filesystem.FileSystem","bases":["glow.core.Resource"],"methods":[{"name":"info","path":"glow.filesystem/FileSystem.info","selector":4032055203,"result":{"kind":"Ref","name":"glow.filesystem.Info"},"idempotent":true},{"name":"stat","path":"glow.filesystem/FileSystem.stat","selector":1253883693,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true}],"result":{"kind":"Ref","name":"glow.filesystem.Stat"},"throws":["glow.filesystem.NotFound","glow.filesystem.BadPath"],"idempotent":true},{"name":"list","path":"glow.filesystem/FileSystem.list","selector":4051514377,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"after","type":{"kind":"String"},"default":[""]},{"name":"limit","type":{"kind":"u32"},"default":[256]}],"result":{"kind":"Ref","name":"glow.filesystem.Page"},"throws":["glow.filesystem.NotFound","glow.filesystem.NotAFolder","glow.filesystem.BadPath"],"idempotent":true,"doc":"Entries in the order of their names, after the name `after`."},{"name":"read","path":"glow.filesystem/FileSystem.read","selector":3512878793,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"offset","type":{"kind":"u64"},"default":[0]},{"name":"size","type":{"kind":"Optional","of":[{"kind":"u64"}]},"default":[null]}],"result":{"kind":"Stream","of":[{"kind":"Bytes"}]},"throws":["glow.filesystem.NotFound","glow.filesystem.NotAFile","glow.filesystem.BadPath"],"idempotent":true},{"name":"digest","path":"glow.filesystem/FileSystem.digest","selector":3897340146,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true}],"result":{"kind":"Ref","name":"glow.filesystem.Written"},"throws":["glow.filesystem.NotFound","glow.filesystem.NotAFile","glow.filesystem.BadPath"],"idempotent":true,"doc":"SHA-256 of a whole file."},{"name":"write","path":"glow.filesystem/FileSystem.write","selector":4291095680,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"data","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Ref","name":"glow.filesystem.Written"},"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.BadPath","glow.filesystem.NoSpace","glow.filesystem.NotAFile"],"doc":"Replaces or makes a whole file at once: under a temporary name, synced, renamed."},{"name":"unfinished","path":"glow.filesystem/FileSystem.unfinished","selector":4276334843,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"token","type":{"kind":"Bytes","bound":64}}],"result":{"kind":"u64"},"throws":["glow.filesystem.ReadOnly","glow.filesystem.BadPath"],"idempotent":true,"doc":"How many bytes of an unfinished upload with this token are kept; 0 if none."},{"name":"upload","path":"glow.filesystem/FileSystem.upload","selector":3580105209,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"token","type":{"kind":"Bytes","bound":64}},{"name":"offset","type":{"kind":"u64"}},{"name":"data","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Ref","name":"glow.filesystem.Written"},"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.BadPath","glow.filesystem.NoSpace"],"doc":"Adds to an unfinished upload from `offset` on; what came is kept when the stream breaks."},{"name":"commit","path":"glow.filesystem/FileSystem.commit","selector":3082591394,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"token","type":{"kind":"Bytes","bound":64}},{"name":"expected","type":{"kind":"Ref","name":"glow.filesystem.Written"}}],"result":{"kind":"Ref","name":"glow.filesystem.Written"},"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.BadPath","glow.filesystem.Mismatch","glow.filesystem.NoSpace"],"doc":"Gives a finished upload its name if size and digest are right: synced, renamed."},{"name":"mkdir","path":"glow.filesystem/FileSystem.mkdir","selector":1222924476,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"parents","type":{"kind":"bool"},"default":[false]}],"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.Exists","glow.filesystem.BadPath","glow.filesystem.NoSpace"]},{"name":"remove","path":"glow.filesystem/FileSystem.remove","selector":3953151689,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"recursive","type":{"kind":"bool"},"default":[false]}],"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.NotEmpty","glow.filesystem.BadPath"]},{"name":"rename","path":"glow.filesystem/FileSystem.rename","selector":1757753307,"arguments":[{"name":"from","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true},{"name":"to","type":{"kind":"Ref","name":"glow.filesystem.Path"},"scope":true}],"throws":["glow.filesystem.NotFound","glow.filesystem.ReadOnly","glow.filesystem.Exists","glow.filesystem.BadPath"]},{"name":"watch","path":"glow.filesystem/FileSystem.watch","selector":2493421324,"arguments":[{"name":"path","type":{"kind":"Ref","name":"glow.filesystem.Path"},"default":[""],"scope":true}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.filesystem.Change"}]},"throws":["glow.filesystem.NotFound","glow.filesystem.BadPath"],"idempotent":true,"doc":"Changes below a path from now on."},{"name":"place","path":"glow.filesystem/FileSystem.place","selector":852303894,"result":{"kind":"Ref","name":"glow.filesystem.Place"},"idempotent":true,"doc":"This device's own processes and person only: where the folder lies on it."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
FileSystem.schema = SCHEMA
FileSystemServer.schema = SCHEMA
