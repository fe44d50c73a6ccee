"""Clients without generated stubs: made at run time from the schema that a resource's process registered.

stub = client(description.schema, description.proto)
kv = glow.at(node, resource, stub)
put = stub.offered["put"]
revision = await kv.invoke(put, put.parse(["key=theme", "value=dark"]))
print(json.dumps(put.plain(revision)))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from firefly import runtime, schema
from firefly.dynamic_types import Types
from firefly.errors import InvalidArgument
from firefly.plain import Reader, to_plain, type_text
from firefly.schema import BadSchema, Schema, load

CHUNK = 1 << 18
"""Bytes read from a file at a time."""
MAX_VALUE = 64 << 20
"""Bytes of one value (docs/concepts/wire.md, 5)."""


class Arguments:
    """What one call is made with: the values without a stream, and what the stream is read from."""

    def __init__(self, values: tuple[Any, ...], source: runtime.Source[Any] | None = None) -> None:
        self.values = values
        self.source = source


class Offered:
    """One method as a client sees it."""

    def __init__(self, declared: schema.Method, types: Types) -> None:
        self.declared = declared
        self._types = types
        self._schema = types.schema
        self._reader = Reader(types)

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def streams(self) -> bool:
        """Whether the result is a stream of items."""
        return self.declared.result is not None and self.declared.result.kind == "Stream"

    @property
    def _stream(self) -> schema.Field | None:
        return next((field for field in self.declared.arguments if field.type.kind == "Stream"), None)

    @property
    def _plain_arguments(self) -> list[schema.Field]:
        return [field for field in self.declared.arguments if field.type.kind != "Stream"]

    @cached_property
    def method(self) -> runtime.Method:
        """What a generated stub says of the method. Raises BadSchema for structs inside structs without an end."""
        try:
            made = self._method()
            for codec in ("argument_codec", "result_codec", "argument_item_codec", "result_item_codec"):
                getattr(made, codec)  # made when first asked for: here, where it can be refused
        except RecursionError:
            raise BadSchema(f"the types of {self.name} are nested too deep") from None
        return made

    def _method(self) -> runtime.Method:
        declared, stream, result = self.declared, self._stream, self.declared.result
        return runtime.Method(
            declared.name,
            declared.path,
            declared.selector,
            self._types.struct(f"{declared.name}Arguments", self._plain_arguments),
            result=None if result is None or self.streams else self._types.of(result),
            notify=declared.notify,
            argument_stream=None if stream is None else self._types.of(stream.type.of[0]),
            result_stream=self._types.of(result.of[0]) if result is not None and self.streams else None,
            errors=tuple(self._types.error(name) for name in declared.throws),
            idempotent=declared.idempotent,
            scope=tuple(field.name for field in declared.arguments if field.scope),
            since=declared.since or None,
            deprecated=declared.deprecated or None,
        )

    def signature(self) -> str:
        """The method in the Firefly language."""
        declared = self.declared
        arguments = ", ".join(self._argument_text(field) for field in declared.arguments)
        result = "" if declared.result is None else f": {type_text(self._schema, declared.result)}"
        names = [name.rpartition(".")[2] for name in declared.throws]
        throws = f" throws {' | '.join(names)}" if names else ""
        return f"{'msg' if declared.notify else 'def'} {declared.name}({arguments}){result}{throws}"

    def _argument_text(self, field: schema.Field) -> str:
        default = f" = {json.dumps(field.default[0], ensure_ascii=False)}" if field.default else ""
        return f"{field.name}: {type_text(self._schema, field.type)}{default}"

    def parse(self, words: Iterable[str]) -> Arguments:
        """The arguments of words like `key=value`; firefly/plain.py says how values are written.

        `key=@FILE` reads bytes, a stream of bytes or JSON from a file; a stream of anything else takes a JSON array.
        Raises InvalidArgument, which names what is missing or wrong; OSError for the file.
        """
        given = self._split(words)
        stream = self._stream
        values = [self._argument(field, given) for field in self._plain_arguments]
        source = None if stream is None else self._source(stream, given[stream.name])
        return Arguments(tuple(values), source)

    def _split(self, words: Iterable[str]) -> dict[str, str]:
        given: dict[str, str] = {}
        known = {field.name: field for field in self.declared.arguments}
        for word in words:
            name, equals, text = word.partition("=")
            if not equals:
                raise InvalidArgument(f"{word!r} is not written NAME=VALUE", hint=self.signature())
            if name not in known:
                raise InvalidArgument(f"{self.name} has no argument {name!r}", hint=self.signature())
            if name in given:
                raise InvalidArgument(f"{name} is given twice", hint="give it once")
            given[name] = text
        missing = [name for name, field in known.items() if name not in given and not field.default]
        if missing:
            raise InvalidArgument(f"{self.name} needs {', '.join(missing)}", hint=self.signature())
        return given

    def _argument(self, field: schema.Field, given: dict[str, str]) -> Any:
        if field.name not in given:
            return self._types.default(field)
        text = given[field.name]
        if text.startswith("@") and self._schema.resolved(field.type).kind not in ("String", "Id", "Timestamp"):
            data = _whole(Path(text[1:]))
            if self._is_bytes(field.type):
                return data
            text = data.decode(errors="replace")
        return self._reader.word(field.type, text, field.name)

    def _is_bytes(self, kind: schema.Type) -> bool:
        meant = self._schema.resolved(kind)
        return meant.kind == "Bytes" or (meant.kind == "Optional" and self._is_bytes(meant.of[0]))

    def _source(self, field: schema.Field, text: str) -> runtime.Source[Any]:
        item = field.type.of[0]
        if self._is_bytes(item):
            return _chunks(Path(text[1:])) if text.startswith("@") else [self._reader.word(item, text, field.name)]
        if text.startswith("@"):
            text = _whole(Path(text[1:])).decode(errors="replace")
        items: list[Any] = self._reader.word(schema.Type("Array", (item,)), text, field.name)
        return items

    def plain(self, answer: Any) -> Any:
        """A result, or one item of a stream of results, as JSON has it."""
        result = self.declared.result
        if result is None:
            return None
        return to_plain(self._schema, result.of[0] if self.streams else result, answer)


def _whole(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_VALUE + 1)
    if len(data) > MAX_VALUE:
        raise InvalidArgument(f"{path} is too large for one value", hint="only a stream of bytes carries more")
    return data


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data


class DynamicStub(runtime.Stub):
    """Base of the clients made here. `offered` are the methods of its proto, inherited ones last."""

    offered: ClassVar[dict[str, Offered]] = {}

    def invoke(self, offered: Offered, arguments: Arguments) -> Any:
        """What the method of a generated stub gives: an awaitable of the result, or a ResultStream of a stream."""
        method = offered.method
        if method.notify:
            return self._notify(method, arguments.values)
        if offered.streams:
            return self._stream(method, arguments.values, arguments.source)
        return self._call(method, arguments.values, arguments.source)


def client(source: bytes | Schema, proto: str) -> type[DynamicStub]:
    """The client class of a proto. Raises BadSchema."""
    interface = source if isinstance(source, Schema) else load(source)
    return _Clients(interface).of((proto,))


class _Clients:
    """The client classes of one schema, each made once: capabilities of a proto may lead back to it."""

    def __init__(self, interface: Schema) -> None:
        self._schema = interface
        self._types = Types(interface, self.of)
        self._made: dict[tuple[str, ...], type[DynamicStub]] = {}

    def of(self, protos: tuple[str, ...]) -> type[DynamicStub]:
        if protos not in self._made:
            offered: dict[str, Offered] = {}
            for proto in protos:
                for name, method in self._schema.methods(proto).items():
                    offered.setdefault(name, Offered(method, self._types))
            simple = "And".join(proto.rpartition(".")[2] for proto in protos)
            members = {"proto": " & ".join(protos), "offered": offered}
            self._made[protos] = type(simple, (DynamicStub,), members)
        return self._made[protos]
