# Made from kv.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""A small store of keys and values that survives anything but its disk."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import errors, runtime, scalars
from firefly.interfaces import core as _core


Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=1024)]


class Entry(msgspec.Struct, array_like=True, frozen=True):
    key: Name
    value: bytes
    revision: scalars.u64
    """Counts every change of the store, so it also orders entries."""
    expires: scalars.Timestamp | None


class Page(msgspec.Struct, array_like=True, frozen=True):
    entries: Annotated[list[Entry], msgspec.Meta(max_length=1000)]
    next: Name | None
    """Pass it as `after` for the next page; null at the end."""


class Change(msgspec.Struct, array_like=True, frozen=True):
    key: Name
    revision: scalars.u64
    value: bytes | None
    """null when the key was deleted or expired"""


class _ConflictBody(msgspec.Struct, array_like=True, frozen=True):
    key: Name
    revision: scalars.u64


class Conflict(errors.DeclaredError):
    """The key's revision is not the expected one (0: the key does not exist)."""

    code = 0xE3184C77
    name = "glow.kv.Conflict"
    Body = _ConflictBody

    key: Name
    revision: int

    def __init__(self, key: Name, revision: int) -> None:
        super().__init__(key, revision)
        self.key = key
        self.revision = revision


class _TooOldBody(msgspec.Struct, array_like=True, frozen=True):
    oldest: scalars.u64


class TooOld(errors.DeclaredError):
    """Changes as old as that are no longer kept; list, then watch from `oldest`."""

    code = 0xD3E88937
    name = "glow.kv.TooOld"
    Body = _TooOldBody

    oldest: int

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class KV(_core.Resource):
    """Something that answers glow.kv.KV."""

    proto = "glow.kv.KV"

    async def get(self, key: Name) -> bytes | None:
        return await self._call(_KV_GET, (key,))

    async def entry(self, key: Name) -> Entry | None:
        return await self._call(_KV_ENTRY, (key,))

    async def put(self, key: Name, value: bytes, expected: int | None = None, ttl: float | None = None) -> int:
        """The new revision, once it is on disk. `expected` 0 means that the key must not exist."""
        return await self._call(_KV_PUT, (key, value, expected, ttl))

    async def delete(self, key: Name, expected: int | None = None) -> bool:
        """False if there was no such key."""
        return await self._call(_KV_DELETE, (key, expected))

    async def list(self, prefix: Name = "", after: Name = "", limit: int = 256) -> Page:
        """Entries whose key begins with `prefix`, in key order, after the key `after`."""
        return await self._call(_KV_LIST, (prefix, after, limit))

    def watch(self, prefix: Name = "", since: int | None = None) -> runtime.ResultStream[Change]:
        """Changes of keys that begin with `prefix`, after revision `since` (null: from now on)."""
        return self._stream(_KV_WATCH, (prefix, since))


class _KVGetArguments(msgspec.Struct, array_like=True, frozen=True):
    key: Name


_KV_GET = runtime.Method(
    "get",
    "glow.kv/KV.get",
    0x2C07392B,
    _KVGetArguments,
    result=bytes | None,
    idempotent=True,
    scope=("key",),
)


class _KVEntryArguments(msgspec.Struct, array_like=True, frozen=True):
    key: Name


_KV_ENTRY = runtime.Method(
    "entry",
    "glow.kv/KV.entry",
    0x14F5BBEC,
    _KVEntryArguments,
    result=Entry | None,
    idempotent=True,
    scope=("key",),
)


class _KVPutArguments(msgspec.Struct, array_like=True, frozen=True):
    key: Name
    value: bytes
    expected: scalars.u64 | None = None
    ttl: float | None = None


_KV_PUT = runtime.Method(
    "put",
    "glow.kv/KV.put",
    0x4BF55F8D,
    _KVPutArguments,
    result=scalars.u64,
    errors=(Conflict,),
    scope=("key",),
)


class _KVDeleteArguments(msgspec.Struct, array_like=True, frozen=True):
    key: Name
    expected: scalars.u64 | None = None


_KV_DELETE = runtime.Method(
    "delete",
    "glow.kv/KV.delete",
    0x674467F7,
    _KVDeleteArguments,
    result=bool,
    errors=(Conflict,),
    scope=("key",),
)


class _KVListArguments(msgspec.Struct, array_like=True, frozen=True):
    prefix: Name = ""
    after: Name = ""
    limit: scalars.u32 = 256


_KV_LIST = runtime.Method(
    "list",
    "glow.kv/KV.list",
    0x9DCEF9A8,
    _KVListArguments,
    result=Page,
    idempotent=True,
    scope=("prefix",),
)


class _KVWatchArguments(msgspec.Struct, array_like=True, frozen=True):
    prefix: Name = ""
    since: scalars.u64 | None = None


_KV_WATCH = runtime.Method(
    "watch",
    "glow.kv/KV.watch",
    0xCEF29CC2,
    _KVWatchArguments,
    result_stream=Change,
    errors=(TooOld,),
    idempotent=True,
    scope=("prefix",),
)


class KVServer(_core.ResourceServer):
    """Base of every process that serves KV; a missing method answers NoSuchMethod."""

    proto = "glow.kv.KV"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _KV_GET,
        _KV_ENTRY,
        _KV_PUT,
        _KV_DELETE,
        _KV_LIST,
        _KV_WATCH,
    )

    def get(self, key: Name) -> runtime.Answer[bytes | None]:
        return runtime.missing(_KV_GET)

    def entry(self, key: Name) -> runtime.Answer[Entry | None]:
        return runtime.missing(_KV_ENTRY)

    def put(self, key: Name, value: bytes, expected: int | None, ttl: float | None) -> runtime.Answer[int]:
        """The new revision, once it is on disk. `expected` 0 means that the key must not exist."""
        return runtime.missing(_KV_PUT)

    def delete(self, key: Name, expected: int | None) -> runtime.Answer[bool]:
        """False if there was no such key."""
        return runtime.missing(_KV_DELETE)

    def list(self, prefix: Name, after: Name, limit: int) -> runtime.Answer[Page]:
        """Entries whose key begins with `prefix`, in key order, after the key `after`."""
        return runtime.missing(_KV_LIST)

    def watch(self, prefix: Name, since: int | None) -> runtime.Items[Change]:
        """Changes of keys that begin with `prefix`, after revision `since` (null: from now on)."""
        return runtime.missing(_KV_WATCH)


SCHEMA: Final = rb"""{"format":1,"library":"glow.kv","doc":"A small store of keys and values that survives anything but its disk.","declarations":[
{"kind":"alias","name":"glow.kv.Name","type":{"kind":"String","bound":1024}},
{"kind":"struct","name":"glow.kv.Entry","fields":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"}},{"name":"value","type":{"kind":"Bytes"}},{"name":"revision","type":{"kind":"u64"},"doc":"Counts every change of the store, so it also orders entries."},{"name":"expires","type":{"kind":"Optional","of":[{"kind":"Timestamp"}]}}]},
{"kind":"struct","name":"glow.kv.Page","fields":[{"name":"entries","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.kv.Entry"}],"bound":1000}},{"name":"next","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.kv.Name"}]},"doc":"Pass it as `after` for the next page; null at the end."}]},
{"kind":"struct","name":"glow.kv.Change","fields":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"}},{"name":"revision","type":{"kind":"u64"}},{"name":"value","type":{"kind":"Optional","of":[{"kind":"Bytes"}]},"doc":"null when the key was deleted or expired"}]},
{"kind":"error","name":"glow.kv.Conflict","doc":"The key's revision is not the expected one (0: the key does not exist).","code":3810020471,"fields":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"}},{"name":"revision","type":{"kind":"u64"}}]},
{"kind":"error","name":"glow.kv.TooOld","doc":"Changes as old as that are no longer kept; list, then watch from `oldest`.","code":3555232055,"fields":[{"name":"oldest","type":{"kind":"u64"}}]},
{"kind":"proto","name":"glow.kv.KV","bases":["glow.core.Resource"],"methods":[{"name":"get","path":"glow.kv/KV.get","selector":738670891,"arguments":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"},"scope":true}],"result":{"kind":"Optional","of":[{"kind":"Bytes"}]},"idempotent":true},{"name":"entry","path":"glow.kv/KV.entry","selector":351648748,"arguments":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"},"scope":true}],"result":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.kv.Entry"}]},"idempotent":true},{"name":"put","path":"glow.kv/KV.put","selector":1274371981,"arguments":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"},"scope":true},{"name":"value","type":{"kind":"Bytes"}},{"name":"expected","type":{"kind":"Optional","of":[{"kind":"u64"}]},"default":[null]},{"name":"ttl","type":{"kind":"Optional","of":[{"kind":"Duration"}]},"default":[null]}],"result":{"kind":"u64"},"throws":["glow.kv.Conflict"],"doc":"The new revision, once it is on disk. `expected` 0 means that the key must not exist."},{"name":"delete","path":"glow.kv/KV.delete","selector":1732536311,"arguments":[{"name":"key","type":{"kind":"Ref","name":"glow.kv.Name"},"scope":true},{"name":"expected","type":{"kind":"Optional","of":[{"kind":"u64"}]},"default":[null]}],"result":{"kind":"bool"},"throws":["glow.kv.Conflict"],"doc":"False if there was no such key."},{"name":"list","path":"glow.kv/KV.list","selector":2647587240,"arguments":[{"name":"prefix","type":{"kind":"Ref","name":"glow.kv.Name"},"default":[""],"scope":true},{"name":"after","type":{"kind":"Ref","name":"glow.kv.Name"},"default":[""]},{"name":"limit","type":{"kind":"u32"},"default":[256]}],"result":{"kind":"Ref","name":"glow.kv.Page"},"idempotent":true,"doc":"Entries whose key begins with `prefix`, in key order, after the key `after`."},{"name":"watch","path":"glow.kv/KV.watch","selector":3472006338,"arguments":[{"name":"prefix","type":{"kind":"Ref","name":"glow.kv.Name"},"default":[""],"scope":true},{"name":"since","type":{"kind":"Optional","of":[{"kind":"u64"}]},"default":[null]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.kv.Change"}]},"throws":["glow.kv.TooOld"],"idempotent":true,"doc":"Changes of keys that begin with `prefix`, after revision `since` (null: from now on)."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
KV.schema = SCHEMA
KVServer.schema = SCHEMA
