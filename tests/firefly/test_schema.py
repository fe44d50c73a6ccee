from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.interfaces import core, filesystem, kv
from firefly.schema import MAX_SIZE, BadSchema, Proto, dump, load

INT = {"kind": "i64"}
REF = {"kind": "Ref", "name": "x.A"}
STREAM = {"kind": "Stream", "of": [INT]}


def schema(*declarations: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({"format": 1, "library": "x", "declarations": declarations} | changes).encode()


def alias(kind: dict[str, Any], name: str = "x.A") -> dict[str, Any]:
    return {"kind": "alias", "name": name, "type": kind}


def proto(*methods: dict[str, Any], bases: list[str] | None = None, name: str = "x.P") -> dict[str, Any]:
    return {"kind": "proto", "name": name, "methods": methods, "bases": bases or []}


def method(**changes: Any) -> dict[str, Any]:
    return {"name": "m", "path": "x/P.m", "selector": 1} | changes


@pytest.mark.parametrize("data", [core.SCHEMA, filesystem.SCHEMA, kv.SCHEMA])
def test_every_stub_carries_a_sound_schema(data: bytes) -> None:
    assert load(dump(load(data))) == load(data)


def test_methods_are_looked_up_with_all_that_are_inherited() -> None:
    interface = load(core.SCHEMA)
    assert [part.simple for part in interface.lineage("glow.core.Node")] == ["Node", "Process", "Resource"]
    methods = interface.methods("glow.core.Node")
    assert list(methods)[-2:] == ["status", "describe"]
    assert methods["describe"].path == "glow.core/Resource.describe"
    assert {path.selector for path in methods.values()} == {path.selector for path in core.NodeServer.methods}


def test_a_base_that_comes_twice_is_listed_once() -> None:
    data = schema(
        proto(name="x.A"), proto(name="x.B", bases=["x.A"]), proto(name="x.C", bases=["x.A"]),
        proto(bases=["x.B", "x.C"]),
    )  # fmt: skip
    assert [part.name for part in load(data).lineage("x.P")] == ["x.P", "x.B", "x.C", "x.A"]


@pytest.mark.parametrize("name", ["x.P", "x.A", ""])
def test_a_proto_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(BadSchema, match="no proto"):
        load(schema(alias(INT))).proto(name)


DEEP = [alias({"kind": "Ref", "name": f"x.A{i + 1}"}, f"x.A{i}") for i in range(200)] + [alias(INT, "x.A200")]
WIDE = [alias({"kind": "Map", "of": [{"kind": "Ref", "name": f"x.A{i + 1}"}] * 2}, f"x.A{i}") for i in range(60)]
BAD = {
    "not JSON": b"{",
    "not UTF-8": b'{"format": 1, "library": "\xff"}',
    "too large": b" " * (MAX_SIZE + 1),
    "another format": schema(format=2),
    "another shape": schema(declarations={}),
    "unknown declaration": schema({"kind": "table", "name": "x.T"}),
    "nested too deep": b'{"format":1,"library":"x","declarations":[{"kind":"alias","type":' + b'{"of":[' * 5000,
    "twice one name": schema(alias(INT), alias(INT)),
    "a name that is none": schema(alias(INT, "x.__import__('os')")),
    "an empty name": schema(alias(INT, "")),
    "a field's name": schema({"kind": "struct", "name": "x.S", "fields": [{"name": "a b", "type": INT}]}),
    "an argument's name": schema(proto(method(arguments=[{"name": "1", "type": INT}]))),
    "two fields of one name": schema({"kind": "struct", "name": "x.S", "fields": [{"name": "a", "type": INT}] * 2}),
    "two methods of one name": schema(proto(method(), method())),
    "two arguments of one name": schema(proto(method(arguments=[{"name": "a", "type": INT}] * 2))),
    "a selector over 32 bits": schema(proto(method(selector=2**32))),
    "a negative code": schema({"kind": "error", "name": "x.E", "code": -1}),
    "an unknown type": schema(alias({"kind": "Pointer"})),
    "a reference to nothing": schema(alias({"kind": "Ref", "name": "x.B"})),
    "a reference to an error": schema(
        {"kind": "error", "name": "x.E", "code": 300}, alias({"kind": "Ref", "name": "x.E"})
    ),
    "a base that is none": schema(alias(INT), proto(bases=["x.A"])),
    "an error that is none": schema(alias(INT), proto(method(throws=["x.A"]))),
    "too few parts": schema(alias({"kind": "Map", "of": [INT]})),
    "too many parts": schema(alias({"kind": "bool", "of": [INT]})),
    "a stream in a type": schema(alias({"kind": "Stream", "of": [INT]})),
    "a stream in a stream": schema(proto(method(result={"kind": "Stream", "of": [STREAM]}))),
    "two streams": schema(proto(method(arguments=[{"name": name, "type": STREAM} for name in "ab"]))),
    "a joined number": schema(alias({"kind": "Both", "of": [INT]})),
    "a lying length": schema(alias({"kind": "String", "bound": 2**40})),
    "a negative length": schema(alias({"kind": "Array", "of": [INT], "size": -1})),
    "an alias of itself": schema(alias(REF)),
    "an alias in a circle": schema(alias({"kind": "Array", "of": [{"kind": "Ref", "name": "x.B"}]}), alias(REF, "x.B")),
    "a proto that is its own base": schema(proto(bases=["x.P"])),
    "a long chain": schema(*DEEP),
    "a type that explodes": schema(*WIDE, alias(INT, "x.A60")),
    "bases without end": schema(
        *(proto(name=f"x.P{i}", bases=[f"x.P{i + 1}"]) for i in range(200)), proto(name="x.P200")
    ),
    "too many declarations": schema(*(alias(INT, f"x.A{i}") for i in range(5000))),
}  # fmt: skip


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_not_sound_is_refused(data: bytes) -> None:
    with pytest.raises(BadSchema):
        load(data)


def test_structs_may_lead_back_to_themselves() -> None:
    tree = {"kind": "struct", "name": "x.A", "fields": [{"name": "of", "type": {"kind": "Array", "of": [REF]}}]}
    assert load(schema(tree)).by_name.keys() == {"x.A"}


TEXT = kv.SCHEMA.decode()


@given(st.integers(0, len(TEXT)), st.integers(0, 30), st.text(max_size=5))
def test_a_damaged_schema_is_refused_or_sound(place: int, removed: int, inserted: str) -> None:
    data = (TEXT[:place] + inserted + TEXT[place + removed :]).encode(errors="surrogatepass")
    try:
        interface = load(data)
    except BadSchema:
        return
    for declaration in interface.declarations:
        if isinstance(declaration, Proto):
            assert interface.methods(declaration.name) is not None
