# Made from notes.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""Short texts that every device of yours can write and read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec

from firefly import errors, runtime, scalars
from firefly.interfaces import core as _core


class Note(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32
    text: Annotated[str, msgspec.Meta(max_length=4000)]
    written: scalars.Timestamp


class _NoSuchNoteBody(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32


class NoSuchNote(errors.DeclaredError):
    code = 0x1D0FF3DF
    name = "notes.NoSuchNote"
    Body = _NoSuchNoteBody

    number: int

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Notes(_core.Resource):
    """Something that answers notes.Notes."""

    proto = "notes.Notes"

    async def write(self, text: str) -> Note:
        """Keeps a text; it is on disk when this returns."""
        return await self._call(_NOTES_WRITE, (text,))

    async def read(self, number: int) -> Note:
        return await self._call(_NOTES_READ, (number,))

    async def all(self) -> list[Note]:
        return await self._call(_NOTES_ALL, ())

    async def erase(self, number: int) -> None:
        await self._call(_NOTES_ERASE, (number,))


class _NotesWriteArguments(msgspec.Struct, array_like=True, frozen=True):
    text: Annotated[str, msgspec.Meta(max_length=4000)]


_NOTES_WRITE = runtime.Method(
    "write",
    "notes/Notes.write",
    0x6D1C8F7B,
    _NotesWriteArguments,
    result=Note,
)


class _NotesReadArguments(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32


_NOTES_READ = runtime.Method(
    "read",
    "notes/Notes.read",
    0xE2B65495,
    _NotesReadArguments,
    result=Note,
    errors=(NoSuchNote,),
    idempotent=True,
)


class _NotesAllArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NOTES_ALL = runtime.Method(
    "all",
    "notes/Notes.all",
    0x594531B2,
    _NotesAllArguments,
    result=list[Note],
    idempotent=True,
)


class _NotesEraseArguments(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32


_NOTES_ERASE = runtime.Method(
    "erase",
    "notes/Notes.erase",
    0xABE01B3F,
    _NotesEraseArguments,
    errors=(NoSuchNote,),
)


class NotesServer(_core.ResourceServer):
    """Base of every process that serves Notes; a missing method answers NoSuchMethod."""

    proto = "notes.Notes"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _NOTES_WRITE,
        _NOTES_READ,
        _NOTES_ALL,
        _NOTES_ERASE,
    )

    def write(self, text: str) -> runtime.Answer[Note]:
        """Keeps a text; it is on disk when this returns."""
        return runtime.missing(_NOTES_WRITE)

    def read(self, number: int) -> runtime.Answer[Note]:
        return runtime.missing(_NOTES_READ)

    def all(self) -> runtime.Answer[list[Note]]:
        return runtime.missing(_NOTES_ALL)

    def erase(self, number: int) -> runtime.Answer[None]:
        return runtime.missing(_NOTES_ERASE)


SCHEMA: Final = rb"""{"format":1,"library":"notes","doc":"Short texts that every device of yours can write and read.","declarations":[
{"kind":"struct","name":"notes.Note","fields":[{"name":"number","type":{"kind":"u32"}},{"name":"text","type":{"kind":"String","bound":4000}},{"name":"written","type":{"kind":"Timestamp"}}]},
{"kind":"error","name":"notes.NoSuchNote","code":487584735,"fields":[{"name":"number","type":{"kind":"u32"}}]},
{"kind":"proto","name":"notes.Notes","bases":["glow.core.Resource"],"methods":[{"name":"write","path":"notes/Notes.write","selector":1830588283,"arguments":[{"name":"text","type":{"kind":"String","bound":4000}}],"result":{"kind":"Ref","name":"notes.Note"},"doc":"Keeps a text; it is on disk when this returns."},{"name":"read","path":"notes/Notes.read","selector":3803600021,"arguments":[{"name":"number","type":{"kind":"u32"}}],"result":{"kind":"Ref","name":"notes.Note"},"throws":["notes.NoSuchNote"],"idempotent":true},{"name":"all","path":"notes/Notes.all","selector":1497706930,"result":{"kind":"Array","of":[{"kind":"Ref","name":"notes.Note"}]},"idempotent":true},{"name":"erase","path":"notes/Notes.erase","selector":2883590975,"arguments":[{"name":"number","type":{"kind":"u32"}}],"throws":["notes.NoSuchNote"]}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Notes.schema = SCHEMA
NotesServer.schema = SCHEMA
