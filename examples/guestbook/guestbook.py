# Made from guestbook.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""A book that visitors sign: an example of a process of your own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec

from firefly import errors, runtime, scalars
from firefly.interfaces import core as _core


class Entry(msgspec.Struct, array_like=True, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=64)]
    message: Annotated[str, msgspec.Meta(max_length=1000)]
    signed: scalars.Timestamp


class _RudeBody(msgspec.Struct, array_like=True, frozen=True):
    word: str


class Rude(errors.DeclaredError):
    code = 0xC15C4434
    name = "guestbook.Rude"
    Body = _RudeBody

    word: str

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Guestbook(_core.Resource):
    """Something that answers guestbook.Guestbook."""

    proto = "guestbook.Guestbook"

    async def sign(self, name: str, message: str) -> Entry:
        """Writes into the book; the entry is on disk when this returns."""
        return await self._call(_GUESTBOOK_SIGN, (name, message))

    async def entries(self) -> list[Entry]:
        return await self._call(_GUESTBOOK_ENTRIES, ())

    def follow(self) -> runtime.ResultStream[Entry]:
        """New entries as they are written."""
        return self._stream(_GUESTBOOK_FOLLOW, ())


class _GuestbookSignArguments(msgspec.Struct, array_like=True, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=64)]
    message: Annotated[str, msgspec.Meta(max_length=1000)]


_GUESTBOOK_SIGN = runtime.Method(
    "sign",
    "guestbook/Guestbook.sign",
    0x82CD85D3,
    _GuestbookSignArguments,
    result=Entry,
    errors=(Rude,),
)


class _GuestbookEntriesArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_GUESTBOOK_ENTRIES = runtime.Method(
    "entries",
    "guestbook/Guestbook.entries",
    0x10C2EA91,
    _GuestbookEntriesArguments,
    result=list[Entry],
    idempotent=True,
)


class _GuestbookFollowArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_GUESTBOOK_FOLLOW = runtime.Method(
    "follow",
    "guestbook/Guestbook.follow",
    0xEDA5D9EC,
    _GuestbookFollowArguments,
    result_stream=Entry,
)


class GuestbookServer(_core.ResourceServer):
    """Base of every process that serves Guestbook; a missing method answers NoSuchMethod."""

    proto = "guestbook.Guestbook"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _GUESTBOOK_SIGN,
        _GUESTBOOK_ENTRIES,
        _GUESTBOOK_FOLLOW,
    )

    def sign(self, name: str, message: str) -> runtime.Answer[Entry]:
        """Writes into the book; the entry is on disk when this returns."""
        return runtime.missing(_GUESTBOOK_SIGN)

    def entries(self) -> runtime.Answer[list[Entry]]:
        return runtime.missing(_GUESTBOOK_ENTRIES)

    def follow(self) -> runtime.Items[Entry]:
        """New entries as they are written."""
        return runtime.missing(_GUESTBOOK_FOLLOW)


SCHEMA: Final = rb"""{"format":1,"library":"guestbook","doc":"A book that visitors sign: an example of a process of your own.","declarations":[
{"kind":"struct","name":"guestbook.Entry","fields":[{"name":"name","type":{"kind":"String","bound":64}},{"name":"message","type":{"kind":"String","bound":1000}},{"name":"signed","type":{"kind":"Timestamp"}}]},
{"kind":"error","name":"guestbook.Rude","code":3244049460,"fields":[{"name":"word","type":{"kind":"String"}}]},
{"kind":"proto","name":"guestbook.Guestbook","bases":["glow.core.Resource"],"methods":[{"name":"sign","path":"guestbook/Guestbook.sign","selector":2194507219,"arguments":[{"name":"name","type":{"kind":"String","bound":64}},{"name":"message","type":{"kind":"String","bound":1000}}],"result":{"kind":"Ref","name":"guestbook.Entry"},"throws":["guestbook.Rude"],"doc":"Writes into the book; the entry is on disk when this returns."},{"name":"entries","path":"guestbook/Guestbook.entries","selector":281209489,"result":{"kind":"Array","of":[{"kind":"Ref","name":"guestbook.Entry"}]},"idempotent":true},{"name":"follow","path":"guestbook/Guestbook.follow","selector":3987069420,"result":{"kind":"Stream","of":[{"kind":"Ref","name":"guestbook.Entry"}]},"doc":"New entries as they are written."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Guestbook.schema = SCHEMA
GuestbookServer.schema = SCHEMA
