"""Protos in Python: the client, the descriptions of the methods, the base of a server."""

from __future__ import annotations

from collections.abc import Sequence

from idl.compiled import Field, Method, Proto, Type
from idl.generators.layout import WIDTH, bracketed, docstring, documented, exploded, indented, quoted
from idl.generators.python_names import (
    Names,
    argument_name,
    declaration_name,
    server_method_name,
    stub_method_name,
)
from idl.generators.python_types import Types

DESCRIBE = "glow.core/Resource.describe"
"""Every server answers it by itself."""
METHODS = "methods: ClassVar[tuple[runtime.Method, ...]]"


def stream_of(method: Method) -> Field | None:
    """The argument that is a stream."""
    return next((field for field in method.arguments if field.type.kind == "Stream"), None)


def plain_arguments(method: Method) -> list[Field]:
    return [field for field in method.arguments if field.type.kind != "Stream"]


class Protos:
    """Renders the protos of one module; `classes` are the names of all clients and servers so far."""

    def __init__(self, types: Types, names: Names) -> None:
        self.types = types
        self.names = names
        self.classes: list[str] = []
        self._protos: list[Proto] = []
        self._written: set[tuple[str, ...]] = set()

    def signature(self, before: str, arguments: Sequence[str], after: str) -> list[str]:
        return bracketed(before, arguments, after, indent=4)

    # clients

    def client(self, proto: Proto) -> list[str]:
        self._protos.append(proto)
        name = self.names.claim(declaration_name(proto.simple), proto)
        self.classes.append(name)
        self.types.members = set()
        bases = [self.types.reference(base) for base in self.types.canonical(proto.bases)] or ["runtime.Stub"]
        self.types.members = {stub_method_name(method.name) for method in proto.methods}
        lines = [f"proto = {quoted(proto.name)}"]
        for method in proto.methods:
            lines += ["", *self._call(proto, method)]
        return [*bracketed(f"class {name}(", bases, "):"), *indented([*_documentation(proto), *lines])]

    def _call(self, proto: Proto, method: Method) -> list[str]:
        stream, name = stream_of(method), stub_method_name(method.name)
        shown = ["self", *(self._parameter(field) for field in method.arguments)]
        plain = [argument_name(field.name) for field in plain_arguments(method)]
        passed = [self.constant(proto, method), _tuple(plain)] + ([argument_name(stream.name)] if stream else [])
        prefix, verb, result = "async def", "await self._call(", self._answer(method.result, send=False)
        if method.notify:
            prefix, verb, result = "def", "self._notify(", "Awaitable[None]"
        elif method.result is not None and method.result.kind == "Stream":
            item = self.types.hint(method.result.of[0])
            prefix, verb, result = "def", "self._stream(", f"{self.types.visible('runtime')}.ResultStream[{item}]"
        answers = "return " if method.notify or method.result is not None else ""
        return [
            *self.signature(f"{prefix} {name}(", shown, f") -> {result}:"),
            *indented(_docs(method)),
            *indented(bracketed(f"{answers}{verb}", passed, ")", indent=8)),
        ]

    def _parameter(self, field: Field) -> str:
        name = argument_name(field.name)
        if field.type.kind == "Stream":
            item = self.types.hint(field.type.of[0], send=True)
            return f"{name}: {self.types.visible('runtime')}.Source[{item}]"
        default = f" = {self.types.value(field.type, field.default[0])}" if field.default else ""
        return f"{name}: {self.types.hint(field.type, send=True)}{default}"

    def _answer(self, result: Type | None, send: bool) -> str:
        return "None" if result is None else self.types.hint(result, send)

    # descriptions of methods

    def constant(self, proto: Proto, method: Method) -> str:
        """The name of a method's description."""
        return f"_{proto.simple}_{method.name}".upper()

    def rest(self) -> list[list[str]]:
        """What follows the types and clients: descriptions of the methods, then servers."""
        described = [part for proto in self._protos for method in proto.methods for part in self._method(proto, method)]
        servers = [self._server(proto) for proto in self._protos]
        self.types.members = set()
        joined = self.types.intersections
        clients = [self._joined_client(parts, joined[parts]) for parts in self._unwritten()]
        servers += [self._joined_server(parts, name) for parts, name in joined.items()]
        return [*clients, *described, *servers]

    def _method(self, proto: Proto, method: Method) -> list[list[str]]:
        self.types.members = set()
        arguments = "_" + proto.simple + "".join(part[:1].upper() + part[1:] for part in method.name.split("_"))
        arguments = self.names.claim(arguments + "Arguments", f"{proto.name}.{method.name}")
        fields = plain_arguments(method)
        self.types.members = {argument_name(field.name) for field in fields}
        body = [self._argument(field) for field in fields]
        struct = f"class {arguments}(msgspec.Struct, array_like=True, frozen=True):"
        self.types.members = set()
        described = exploded(
            f"{self.names.claim(self.constant(proto, method), f'{proto.name}.{method.name}')} = runtime.Method(",
            [quoted(method.name), quoted(method.path), f"0x{method.selector:08X}", arguments, *self._options(method)],
            ")",
        )
        return [[struct, *indented(body or ["pass"])], described]

    def _argument(self, field: Field) -> str:
        return f"{argument_name(field.name)}: {self.types.wire(field.type)}{self.types.field_default(field)}"

    def _options(self, method: Method) -> list[str]:
        stream, result = stream_of(method), method.result
        options = []
        if result is not None and result.kind == "Stream":
            options.append(f"result_stream={self.types.wire(result.of[0])}")
        elif result is not None:
            options.append(f"result={self.types.wire(result)}")
        if stream is not None:
            options.append(f"argument_stream={self.types.wire(stream.type.of[0])}")
        if method.throws:
            options.append(f"errors={_tuple([self.types.reference(error) for error in method.throws])}")
        options += [f"{flag}=True" for flag in ("notify", "idempotent") if getattr(method, flag)]
        scope = [quoted(field.name) for field in method.arguments if field.scope]
        options += [f"scope={_tuple(scope)}"] if scope else []
        options += [f"since={method.since}"] if method.since else []
        return options + ([f"deprecated={quoted(method.deprecated)}"] if method.deprecated else [])

    # servers

    def _server(self, proto: Proto) -> list[str]:
        name = self.names.claim(f"{proto.simple}Server", proto.name + " (its server)")
        self.classes.append(name)
        self.types.members = set()
        bases = [self.types.reference(base, "Server") for base in self.types.canonical(proto.bases)]
        own = [self.constant(proto, method) for method in proto.methods]
        lines = [f"proto = {quoted(proto.name)}", *self._methods(bases, own)]
        self.types.members = {server_method_name(method.name) for method in proto.methods}
        for method in proto.methods:
            lines += ["", *self._handler(proto, method)]
        doc = [f'"""Base of every process that serves {proto.simple}; a missing method answers NoSuchMethod."""', ""]
        return [*bracketed(f"class {name}(", bases or ["runtime.Server"], "):"), *indented([*doc, *lines])]

    def _methods(self, bases: list[str], own: list[str]) -> list[str]:
        inherited = [f"*{base}.methods" for base in bases]
        listed = [*inherited, *own]
        before, after = f"{METHODS} = (", ")"
        if len(bases) > 1:
            before, after = f"{METHODS} = tuple(dict.fromkeys((", ")))"
        if len(listed) == 1:
            return [f"{before}{listed[0]},{after}"]
        if len(before) + len(", ".join(listed)) + len(after) + 4 <= WIDTH:
            return [f"{before}{', '.join(listed)}{after}"]
        if len(bases) > 1:
            inner = indented(exploded("(", listed, ")"))
            return [f"{METHODS} = tuple(", *indented(["dict.fromkeys(", *inner, ")"]), ")"]
        return exploded(before, listed, after)

    def _handler(self, proto: Proto, method: Method) -> list[str]:
        stream, result = stream_of(method), method.result
        shown = ["self"]
        for field in method.arguments:
            hint = self.types.hint(field.type.of[0] if field is stream else field.type)
            kind = f"{self.types.visible('runtime')}.ArgumentStream[{hint}]" if field is stream else hint
            shown.append(f"{argument_name(field.name)}: {kind}")
        if result is not None and result.kind == "Stream":
            answer = f"{self.types.visible('runtime')}.Items[{self.types.hint(result.of[0], send=True)}]"
        else:
            answer = f"{self.types.visible('runtime')}.Answer[{self._answer(result, send=True)}]"
        body = f"return runtime.missing({self.constant(proto, method)})"
        if method.path == DESCRIBE:
            body = "return runtime.describe(self)"
        name = server_method_name(method.name)
        return [
            *self.signature(f"def {name}(", shown, f") -> {answer}:"),
            *indented(_docs(method)),
            f"    {body}",
        ]

    # A & B

    def intersections(self, kind: Type) -> list[str]:
        """The clients of all `A & B` in a type that the module has not written yet."""
        lines: list[str] = []
        for part in kind.of:
            lines += self.intersections(part)
        if kind.kind == "Both":
            self.types.intersection(kind)
        for parts in self._unwritten():
            lines += self._joined_client(parts, self.types.intersections[parts])
        return lines

    def _unwritten(self) -> list[tuple[str, ...]]:
        return [parts for parts in self.types.intersections if parts not in self._written]

    def _joined_client(self, parts: tuple[str, ...], name: str) -> list[str]:
        self._written.add(parts)
        self.names.claim(name, " & ".join(parts))
        bases = [self.types.reference(base) for base in self.types.canonical(parts)]
        doc = f'"""Something that is each of {" and ".join(part.rpartition(".")[2] for part in parts)}."""'
        return [f"class {name}({', '.join(bases)}):", f"    {doc}", "", f"    proto = {quoted(' & '.join(parts))}"]

    def _joined_server(self, parts: tuple[str, ...], name: str) -> list[str]:
        bases = [self.types.reference(base, "Server") for base in self.types.canonical(parts)]
        server = self.names.claim(f"{name}Server", " & ".join(parts) + " (its server)")
        body = [f"proto = {quoted(' & '.join(parts))}", *self._methods(bases, [])]
        return [f"class {server}({', '.join(bases)}):", *indented(body)]


def _tuple(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _documentation(proto: Proto) -> list[str]:
    return [*docstring(documented(proto) or f"Something that answers {proto.name}."), ""]


def _docs(method: Method) -> list[str]:
    return docstring(documented(method))
