"""Values of the language as JSON and as words of a command line, and back.

| type | JSON |
|---|---|
| struct | an object; fields with defaults may be left out |
| enum | the member's name, or its number if it has none here |
| union | an object of one entry: variant and body |
| Bytes | the text, if it is one; else `base64:…`. `hex:…` is read too |
| Id, `Array[byte, N]` | hexadecimal; an address of a node in its own form |
| Timestamp | ISO 8601 |
| capability | where it leads (cannot be read back) |

On a command line `k=v` gives strings, bytes, numbers and names of members as they are, and everything else as JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from firefly import runtime, schema
from firefly.address import format_address, parse_address
from firefly.dynamic_types import Tagged, Types, python_name
from firefly.errors import InvalidArgument
from firefly.schema import INTEGERS, Schema, Type

ADDRESS = "glow.core.Address"
MAX_DEPTH = 128
_PREFIXES = ("base64:", "hex:")
_NUMBERS = INTEGERS | {"f32", "f64", "Duration"}


def to_plain(source: Schema, kind: Type | None, value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or kind is None:
        return None
    if kind.kind == "Ref":
        return _declared_to_plain(source, source.by_name[kind.name], value)
    match kind.kind:
        case "Optional":
            return to_plain(source, kind.of[0], value)
        case "Array":
            return [to_plain(source, kind.of[0], item) for item in value]
        case "Map":
            return {
                str(to_plain(source, kind.of[0], key)): to_plain(source, kind.of[1], item)
                for key, item in value.items()
            }
        case "Bytes":
            return value.hex() if kind.size else bytes_to_text(value)
        case "Id":
            return value.hex()
        case "Timestamp":
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return repr(value) if isinstance(value, runtime.Stub) else value


def _declared_to_plain(source: Schema, declaration: schema.Declaration, value: Any) -> Any:
    match declaration:
        case schema.Alias():
            return format_address(value) if declaration.name == ADDRESS else to_plain(source, declaration.type, value)
        case schema.Enum():
            return next((member.name for member in declaration.members if member.value == value), value)
        case schema.Struct():
            return {
                field.name: to_plain(source, field.type, getattr(value, name))
                for field, name in zip(declaration.fields, value.__struct_fields__, strict=True)
            }
        case schema.Union():
            variant = next((variant for variant in declaration.variants if variant.ordinal == value.ordinal), None)
            if variant is None:
                return {str(value.ordinal): _unknown(value.body)}
            return {variant.name: to_plain(source, variant.type, value.body)}
    return repr(value)


def _unknown(body: Any) -> Any:
    """A body whose type nobody here knows."""
    return msgspec.to_builtins(body, enc_hook=repr, str_keys=True)


def bytes_to_text(data: bytes) -> str:
    """Text if the bytes are printable text that reads back as the same, else `base64:…`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    harmless = all(character.isprintable() or character in "\n\t" for character in text)
    if harmless and not text.startswith(_PREFIXES) and (text or not data):
        return text
    return "base64:" + base64.b64encode(data).decode()


def text_to_bytes(text: str) -> bytes:
    """Raises ValueError."""
    if text.startswith("base64:"):
        return base64.b64decode(text.removeprefix("base64:"), validate=True)
    if text.startswith("hex:"):
        return bytes.fromhex(text.removeprefix("hex:"))
    return text.encode()


class Reader:
    """Makes values of a schema's types. Raises InvalidArgument that says where in a value it went wrong."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._schema = types.schema

    def word(self, kind: Type, text: str, where: str) -> Any:
        """The value of a word of a command line."""
        meant = self._schema.resolved(kind)
        if meant.kind == "Optional":
            return None if text == "null" else self.word(meant.of[0], text, where)
        declared = self._schema.by_name.get(meant.name) if meant.kind == "Ref" else None
        if meant.kind in ("String", "Bytes", "Id", "Timestamp") or isinstance(declared, schema.Enum):
            return self.plain(kind, text, where)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise _refuse(where, text, self.shown(kind)) from None
        return self.plain(kind, data, where)

    def plain(self, kind: Type, data: Any, where: str, depth: int = 0) -> Any:
        """The value of JSON."""
        if depth > MAX_DEPTH:
            raise InvalidArgument(f"{where} is nested too deep")
        try:
            made = self._plain(kind, data, where, depth)
        except (ValueError, TypeError, KeyError, OverflowError, binascii.Error):
            raise _refuse(where, data, self.shown(kind)) from None
        return made

    def _plain(self, kind: Type, data: Any, where: str, depth: int) -> Any:
        if kind.kind == "Ref":
            return self._declared(self._schema.by_name[kind.name], data, where, depth)
        match kind.kind:
            case "Optional":
                return None if data is None else self.plain(kind.of[0], data, where, depth + 1)
            case "Array":
                items = enumerate(_are(data, list))
                return [self.plain(kind.of[0], item, f"{where}[{index}]", depth + 1) for index, item in items]
            case "Map":
                return {
                    self._key(kind.of[0], key, where): self.plain(kind.of[1], item, f"{where}.{key}", depth + 1)
                    for key, item in _are(data, dict).items()
                }
            case "Bytes" if not kind.size:
                return text_to_bytes(_are(data, str))
            case "Bytes" | "Id":
                return self._fixed(kind, _are(data, str))
            case "Timestamp":
                time = datetime.fromisoformat(_are(data, str))
                return time if time.tzinfo else time.astimezone()
            case "Both":
                raise _capability(where)
        return self._scalar(kind, data)

    def _fixed(self, kind: Type, text: str) -> bytes:
        data = bytes.fromhex(text.removeprefix("hex:"))
        if len(data) != (kind.size or 16):
            raise ValueError("another length")
        return data

    def _scalar(self, kind: Type, data: Any) -> Any:
        """Bounds are the codec's business."""
        expected: Any = {"String": str, "bool": bool}.get(kind.kind, int | float)
        if kind.kind in INTEGERS:
            expected = int
        if not isinstance(data, expected) or (kind.kind in _NUMBERS and isinstance(data, bool)):
            raise TypeError
        return float(data) if kind.kind in ("f32", "f64", "Duration") else data

    def _key(self, kind: Type, key: str, where: str) -> Any:
        meant = self._schema.resolved(kind)
        if meant.kind in INTEGERS:
            return int(key)
        return self.plain(kind, key, where)

    def _declared(self, declaration: schema.Declaration, data: Any, where: str, depth: int) -> Any:
        match declaration:
            case schema.Alias():
                if declaration.name == ADDRESS and isinstance(data, str) and not _is_hex(data):
                    return parse_address(data)
                return self.plain(declaration.type, data, where, depth + 1)
            case schema.Enum():
                return self._member(declaration, data)
            case schema.Struct():
                return self._struct(declaration, data, where, depth)
            case schema.Union():
                return self._union(declaration, data, where, depth)
        raise _capability(where)

    def _member(self, enum: schema.Enum, data: Any) -> int:
        if isinstance(data, str):
            for member in enum.members:
                if member.name.lower() == data.lower():
                    return member.value
            return int(data, 0)
        if type(data) is not int:
            raise TypeError
        return data

    def _struct(self, struct: schema.Struct, data: Any, where: str, depth: int) -> Any:
        given = dict(_are(data, dict))
        held = {}
        for field in struct.fields:
            if field.name in given:
                held[python_name(field.name)] = self.plain(
                    field.type, given.pop(field.name), f"{where}.{field.name}", depth + 1
                )
            elif not field.default:
                raise InvalidArgument(f"{where}.{field.name} is missing", hint=f"it is {self.shown(field.type)}")
        if given:
            raise InvalidArgument(f"{where} has no field {next(iter(given))!r}", hint=_listed(struct.fields))
        return self._types.of(Type("Ref", name=struct.name))(**held)

    def _union(self, union: schema.Union, data: Any, where: str, depth: int) -> Tagged:
        [(name, body)] = _are({data: None} if isinstance(data, str) else data, dict).items()
        for variant in union.variants:
            if variant.name == name:
                made = None if variant.type is None else self.plain(variant.type, body, f"{where}.{name}", depth + 1)
                kind: type[Tagged] = self._types.of(Type("Ref", name=union.name))
                return kind(variant.ordinal, name, made)
        raise InvalidArgument(f"{where} has no variant {name!r}", hint=_listed(union.variants))

    def shown(self, kind: Type) -> str:
        """A type as a person writes it."""
        return type_text(self._schema, kind)


def type_text(source: Schema, kind: Type) -> str:
    """A type in the Firefly language, names without their library."""
    match kind.kind:
        case "Optional":
            return f"{type_text(source, kind.of[0])}?"
        case "Ref":
            simple = kind.name.rpartition(".")[2]
            enum = source.by_name.get(kind.name)
            if isinstance(enum, schema.Enum):
                return f"{simple} ({', '.join(member.name for member in enum.members[:12])})"
            return simple
        case "Both":
            return " & ".join(type_text(source, part) for part in kind.of)
        case "Bytes" if kind.size:
            return f"Array[byte, {kind.size}]"
    parts = [type_text(source, part) for part in kind.of]
    parts += [f"{kind.size}"] if kind.size else [f"<={kind.bound}"] if kind.bound else []
    return f"{kind.kind}[{', '.join(parts)}]" if parts else kind.kind


def _are(data: Any, kind: type[Any]) -> Any:
    if not isinstance(data, kind):
        raise TypeError
    return data


def _is_hex(text: str) -> bool:
    return len(text.removeprefix("hex:")) == 32 and set(text.removeprefix("hex:").lower()) <= set("0123456789abcdef")


def _listed(elements: Iterable[schema.Field | schema.Variant]) -> str:
    names = [element.name for element in elements]
    return f"there are: {', '.join(names)}" if names else "there are none"


def _capability(where: str) -> InvalidArgument:
    return InvalidArgument(f"{where} is a capability, which cannot be written down", hint="call it from a program")


def _refuse(where: str, data: Any, wanted: str) -> InvalidArgument:
    shown = json.dumps(data, default=str)
    return InvalidArgument(f"{where} is no {wanted}", cause=f"it is {shown[:80]}", hint=f"give {where} as {wanted}")
