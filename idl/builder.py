"""Parse tree to model. One method per rule of the grammar that leaves a node."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from lark import Token, Tree

from idl.model import (
    Alias,
    Attribute,
    Both,
    Const,
    Enum,
    Error,
    Field,
    File,
    Import,
    Library,
    Limit,
    Literal,
    Member,
    Method,
    Name,
    Named,
    Optional,
    Proto,
    Span,
    Struct,
    TypeExpression,
    Union,
    Variant,
)
from idl.report import Report
from idl.source import Source

Node = Tree[Token]
MAX_DIGITS = 400
_TYPES = {"named", "optional", "both", "struct"}
_VALUES = {"number", "string", "path", "list", "map"}


def span_of(node: Node | Token) -> Span:
    """The place of a node or token; empty nodes have none."""
    if isinstance(node, Token):
        return Span(node.start_pos or 0, node.end_pos or 0)
    meta = node.meta
    return Span(0, 0) if meta.empty else Span(meta.start_pos, meta.end_pos)


def _nodes(node: Node, *kinds: str) -> Iterable[Node]:
    return (child for child in node.children if isinstance(child, Tree) and child.data in kinds)


def _node(node: Node, *kinds: str) -> Node | None:
    return next(iter(_nodes(node, *kinds)), None)


class Builder:
    """`docs` maps the offset of a token to the documentation before it; what no element claims is reported."""

    def __init__(self, source: Source, report: Report, docs: dict[int, str]) -> None:
        self._source = source
        self._report = report
        self._docs = docs
        self._offsets = sorted(docs)

    def file(self, tree: Node) -> File:
        file = File()
        for node in tree.children:
            if not isinstance(node, Tree) or node.data == "_separator":
                continue
            item = getattr(self, f"_{node.data.rstrip('_')}")(node)
            file.first = file.first or item
            if isinstance(item, Library):
                file.libraries.append(item)
            elif isinstance(item, Import):
                file.imports.append(item)
            else:
                file.declarations.append(item)
        for offset in self._docs:
            self._report.add("lost-documentation", self._source, Span(offset, offset + 1))
        return file

    # declarations

    def _element(self, node: Node) -> dict[str, Any]:
        """Name, place, documentation and attributes. Documentation may stand before or after the attributes."""
        name = _node(node, "ident", "path")
        assert name is not None
        attributes = tuple(self._attribute(child) for child in _nodes(node, "attribute"))
        span, last = span_of(node), span_of(name).end
        doc = "\n".join(self._claim(span.start, last))
        return {"name": self._name(name), "span": span, "doc": doc, "attributes": attributes}

    def _claim(self, start: int, end: int) -> Iterable[str]:
        for offset in self._offsets[bisect_left(self._offsets, start) : bisect_left(self._offsets, end)]:
            if offset in self._docs:  # a token that was read twice, on the way out of a syntax error, has it once
                yield self._docs.pop(offset)

    def _library(self, node: Node) -> Library:
        return Library(**self._element(node))

    def _import(self, node: Node) -> Import:
        element = self._element(node)
        alias = _node(node, "ident")
        name = self._name(alias).text if alias is not None else element["name"].text.rpartition(".")[2]
        return Import(**element, alias=name)

    def _alias(self, node: Node) -> Alias:
        return Alias(**self._element(node), type=self._type(node))

    def _const(self, node: Node) -> Const:
        element = self._element(node)
        value = list(_nodes(node, *_VALUES))[-1]
        return Const(**element, type=self._type(node), value=self._value(value))

    def _enum(self, node: Node) -> Enum:
        return Enum(**self._element(node), members=tuple(map(self._member, _nodes(node, "member"))))

    def _member(self, node: Node) -> Member:
        element = self._element(node)
        value = list(_nodes(node, *_VALUES))[-1]
        return Member(**element, value=self._value(value))

    def _union(self, node: Node) -> Union:
        return Union(**self._element(node), variants=tuple(map(self._variant, _nodes(node, "variant"))))

    def _variant(self, node: Node) -> Variant:
        ordinal = next(child for child in node.children if isinstance(child, Token))
        kind = _node(node, *_TYPES)
        return Variant(
            **self._element(node), ordinal=int(self._number(ordinal)), type=None if kind is None else self._type(node)
        )

    def _error(self, node: Node) -> Error:
        return Error(**self._element(node), fields=self._fields(node))

    def _fields(self, node: Node) -> tuple[Field, ...]:
        return tuple(map(self._field, _nodes(node, "field", "argument")))

    def _field(self, node: Node) -> Field:
        default = _node(node, "default")
        value = None if default is None else self._value(next(iter(_nodes(default, *_VALUES))))
        return Field(**self._element(node), type=self._type(node), default=value)

    def _proto(self, node: Node) -> Proto:
        element = self._element(node)
        bases = tuple(map(self._name, _nodes(node, "path")))
        return Proto(**element, bases=bases, methods=tuple(map(self._method, _nodes(node, "method"))))

    def _method(self, node: Node) -> Method:
        keyword = next(child for child in node.children if isinstance(child, Token))
        result, throws = _node(node, "result"), _node(node, "throws")
        return Method(
            **self._element(node),
            notify=keyword.type == "MSG",
            arguments=self._fields(node),
            result=None if result is None else self._type(result),
            throws=() if throws is None else tuple(map(self._name, _nodes(throws, "path"))),
        )

    def _attribute(self, node: Node) -> Attribute:
        name, *values = _nodes(node, *_VALUES)
        return Attribute(self._name(name), tuple(map(self._value, values)), span_of(node))

    # types

    def _type(self, parent: Node) -> TypeExpression:
        """The type among the children of a node."""
        node = _node(parent, *_TYPES)
        assert node is not None
        return self._type_of(node)

    def _type_of(self, node: Node) -> TypeExpression:
        span = span_of(node)
        if node.data == "struct":
            return Struct(self._fields(node), span)
        if node.data == "optional":
            return Optional(self._type(node), span)
        if node.data == "both":
            return Both(tuple(map(self._type_of, _nodes(node, *_TYPES))), span)
        path, *parameters = _nodes(node, "path", "size", "bound", *_TYPES)
        return Named(self._name(path), tuple(map(self._parameter, parameters)), span)

    def _parameter(self, node: Node) -> TypeExpression | Limit:
        if node.data not in {"size", "bound"}:
            return self._type_of(node)
        child = node.children[0]
        value = int(self._number(child)) if isinstance(child, Token) else self._name(child)
        return Limit(value, node.data == "size", span_of(node))

    # values

    def _value(self, node: Node) -> Literal:
        span = span_of(node)
        if node.data == "path":
            return Literal(self._name(node), span)
        if node.data == "number":
            return Literal(self._number(_token(node)), span)
        if node.data == "string":
            return Literal(self._string(_token(node)), span)
        if node.data == "list":
            return Literal(tuple(map(self._value, _nodes(node, *_VALUES))), span)
        pairs = (tuple(map(self._value, _nodes(entry, *_VALUES))) for entry in _nodes(node, "entry"))
        return Literal(tuple((key, value) for key, value in pairs), span, is_map=True)

    def _number(self, token: Token) -> int | float:
        text = token.replace("_", "")
        if len(text) > MAX_DIGITS:
            self._report.add("bad-number", self._source, span_of(token), text=token[:20])
            return 0
        try:
            if token.type == "FLOAT":
                return float(text)
            base = {"0x": 16, "0b": 2}.get(text.lstrip("-")[:2].lower(), 10)
            return int(text, base)
        except ValueError:
            self._report.add("bad-number", self._source, span_of(token), text=token)
            return 0

    def _string(self, token: Token) -> str:
        try:
            text = json.loads(token, strict=False)
            text.encode()
        except ValueError as error:
            reason = "half a character" if isinstance(error, UnicodeEncodeError) else "an unknown escape"
            self._report.add("bad-escape", self._source, span_of(token), reason=reason)
            return ""
        return str(text)

    def _name(self, node: Node) -> Name:
        """A dotted path or a single identifier."""
        return Name(".".join(_identifiers(node)), span_of(node))


def _token(node: Node) -> Token:
    token = node.children[0]
    assert isinstance(token, Token)
    return token


def _identifiers(node: Node) -> Iterable[str]:
    if node.data == "ident":
        yield str(_token(node))
        return
    for child in node.children:
        assert isinstance(child, Tree)
        yield from _identifiers(child)
