"""Clients made at run time against real servers, and every construct of the language through them."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firefly import runtime
from firefly.dynamic import MAX_VALUE, DynamicStub, Offered, client
from firefly.errors import GlowError, InvalidArgument, NoSuchMethod
from firefly.interfaces import core, kv
from firefly.schema import BadSchema
from firefly.testing import serving
from idl.checker import check_files
from idl.generate import generate
from idl.report import Report

EVERYTHING = Path(__file__).parents[1] / "idl" / "generators" / "everything.firefly"
SCALARS = (
    '{"a": true, "b": 1, "c": -1, "d": 2, "e": 3, "f": 4, "g": 18446744073709551615, "h": -128, "i": 5, "j": 6, '
    '"k": 7, "l": 1, "m": 0.5, "n": "x", "o": "base64:AP8=", "p": "000102030405060708090a0b0c0d0e0f", '
    '"q": "2026-01-02T03:04:05Z", "r": 90, "s": "61626364"}'
)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    [(path, text)] = generate(check_files([EVERYTHING], Report()), tmp_path_factory.mktemp("generated")).items()
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("dynamic_everything", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def make_house(every: Any) -> Any:
    class Door(every.DoorServer):  # type: ignore[misc]
        def knock(self, times: int) -> str:
            return f"knocked {times}"

    class House(every.HouseServer):  # type: ignore[misc]
        heard: list[str]

        def scalars(self, value: Any) -> Any:
            if value.n == "refuse":
                raise every.Refused("no", every.ShapeCircle(2.0))
            return value

        def composite(self, value: Any) -> Any:
            return value

        def shapes(self, values: Any) -> Any:
            return [*values, every.ShapeUnknown(99, {"a": 1})]

        def optional(self, value: int | None, color: Any) -> int | None:
            return None if value is None else value + color

        def list(self, self_: int, runtime_: str, from_: int) -> Any:
            return [runtime_] * (self_ + from_)

        def glass(self) -> Any:
            class Glass(every.DoorAndWindowServer):  # type: ignore[misc]
                def look(self) -> Any:
                    return every.Color.RED

            return Glass()

        async def up(self, name: str, data: runtime.ArgumentStream[bytes], tail: int) -> int:
            return sum([len(part) async for part in data]) + tail

        async def down(self, count: int) -> Any:
            for index in range(count):
                yield every.ShapeCircle(float(index))

        async def both(self, items: runtime.ArgumentStream[Any]) -> Any:
            async for tree in items:
                yield tree.value

        def bell(self, text: str) -> None:
            self.heard.append(text)

    house = House()
    house.heard = []
    return house


async def call(stub: DynamicStub, name: str, *words: str) -> Any:
    """What `glow call` does: parses, calls, and shows."""
    offered = stub.offered[name]
    made = stub.invoke(offered, offered.parse(words))
    if offered.streams:
        async with made as items:
            return [offered.plain(item) async for item in items]
    return offered.plain(await made)


@pytest.fixture
def house_client(every: Any) -> type[DynamicStub]:
    return client(every.SCHEMA, "test.everything.House")


async def test_a_client_needs_nothing_but_the_description(every: Any) -> None:
    async with serving(make_house(every), core.Resource) as resource:
        description = await resource.describe()
    stub = client(description.schema, description.proto)
    async with serving(make_house(every), stub) as house:
        assert await call(house, "optional", "value=5", "color=red") == 6
        assert await call(house, "optional") is None


async def test_scalars_are_written_and_shown(every: Any, house_client: type[DynamicStub]) -> None:
    async with serving(make_house(every), house_client) as house:
        answer = await call(house, "scalars", f"value={SCALARS}")
    assert answer == {
        "a": True, "b": 1, "c": -1, "d": 2, "e": 3, "f": 4, "g": 2**64 - 1, "h": -128, "i": 5, "j": 6, "k": 7,
        "l": 1.0, "m": 0.5, "n": "x", "o": "base64:AP8=", "p": "000102030405060708090a0b0c0d0e0f",
        "q": "2026-01-02T03:04:05Z", "r": 90.0, "s": "61626364",
    }  # fmt: skip


async def test_composites_are_written_and_shown(every: Any, house_client: type[DynamicStub]) -> None:
    value = (
        'value={"names": ["a"], "pair": [1, 2], "table": {"red": ["x"], "-3": []}, "maybe": null, "inner": '
        '{"from": 1}, "tree": {"value": 1, "children": [{"value": 2}]}, '
        '"shape": {"square": {"side": 1, "list": ["nothing"]}}}'
    )
    async with serving(make_house(every), house_client) as house:
        answer = await call(house, "composite", value)
    assert answer == {
        "names": ["a"], "pair": [1, 2], "table": {"RED": ["x"], "BLUE": []}, "maybe": None,
        "inner": {"from": 1, "class": "c"},
        "tree": {"value": 1, "children": [{"value": 2, "children": []}]},
        "shape": {"square": {"side": 1.0, "list": [{"nothing": None}]}},
        "numbers": {"1": {"x": 0.5}}, "color": "BLUE", "unknown": 77, "default": "raw", "import": "old",
    }  # fmt: skip


async def test_unions_streams_messages_and_capabilities(
    every: Any, house_client: type[DynamicStub], tmp_path: Path
) -> None:
    served = make_house(every)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 600_000)
    trees = tmp_path / "trees"
    trees.write_text('[{"value": 4}, {"value": 5}]')
    async with serving(served, house_client) as house:
        shown = await call(house, "shapes", 'values=[{"circle": 1}, {"tree": {"value": 3}}, "nothing"]')
        assert shown == [
            {"circle": 1.0}, {"tree": {"value": 3, "children": []}}, {"nothing": None}, {"99": {"a": 1}},
        ]  # fmt: skip
        assert await call(house, "down", "count=2") == [{"circle": 0.0}, {"circle": 1.0}]
        assert await call(house, "up", "name=n", "data=abc") == 3 + 7
        assert await call(house, "up", "name=n", f"data=@{large}", "tail=0") == 600_000
        assert await call(house, "both", f"items=@{trees}") == [4, 5]
        assert await call(house, "list", "self=0", "runtime=x=y", "from=2") == ["x=y", "x=y"]
        assert "GlassServer" not in await call(house, "glass")
        glass = house.offered["glass"]
        made = await house.invoke(glass, glass.parse([]))
        assert isinstance(made, DynamicStub)
        assert await call(made, "look") == "RED"
        assert await call(house, "bell", "text=dong") is None
        with pytest.raises(NoSuchMethod):
            await call(house, "stop")
    assert served.heard == ["dong"]


async def test_declared_errors_have_the_fields_of_the_generated_ones(
    every: Any, house_client: type[DynamicStub]
) -> None:
    async with serving(make_house(every), house_client) as house:
        with pytest.raises(GlowError) as refused:
            await call(house, "scalars", "value=" + SCALARS.replace('"x"', '"refuse"'))
    error: Any = refused.value
    assert (error.name, error.name_, error.code_) == ("test.everything.Refused", "no", 3)


def test_a_client_offers_the_same_methods_as_the_generated_stub(every: Any, house_client: type[DynamicStub]) -> None:
    generated = {method.name: method for method in every.HouseServer.methods}
    assert house_client.offered.keys() == generated.keys()
    for name, offered in house_client.offered.items():
        made, known = offered.method, generated[name]
        for part in ("path", "selector", "notify", "idempotent", "scope", "since", "deprecated", "lane"):
            assert getattr(made, part) == getattr(known, part)
        assert made.errors.keys() == known.errors.keys()
        assert len(made.arguments.__struct_fields__) == len(known.arguments.__struct_fields__)


PUT: Offered = client(kv.SCHEMA, "glow.kv.KV").offered["put"]


def test_a_signature_is_written_in_the_language() -> None:
    assert PUT.signature() == (
        "def put(key: Name, value: Bytes, expected: u64? = null, ttl: Duration? = null): u64 throws Conflict"
    )


def test_words_become_typed_values(tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"\x00\xff")
    assert PUT.parse(["key=a", "value=dark"]).values == ("a", b"dark", None, None)
    assert PUT.parse(["value=hex:00ff", "key=", "ttl=1", "expected=null"]).values == ("", b"\x00\xff", None, 1.0)
    assert PUT.parse(["key=@a", f"value=@{picture}"]).values == ("@a", b"\x00\xff", None, None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["key=a"], "needs value"),
        ([], "needs key, value"),
        (["key"], "not written NAME=VALUE"),
        (["key=a", "key=b"], "given twice"),
        (["keys=a"], "no argument 'keys'"),
        (["key=a", "value=b", "expected=x"], "expected is no u64"),
        (["key=a", "value=b", "expected=1.5"], "expected is no u64"),
        (["key=a", "value=b", "expected=true"], "expected is no u64"),
        (["key=a", "value=b", "ttl=[1]"], "ttl is no Duration"),
        (["key=a", "value=base64:!"], "value is no Bytes"),
        (["key=a", "value=hex:0"], "value is no Bytes"),
    ],
)
def test_words_that_do_not_fit_say_why(words: list[str], says: str) -> None:
    with pytest.raises(InvalidArgument, match=says) as refused:
        PUT.parse(words)
    assert refused.value.hint


def test_a_missing_or_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PUT.parse(["key=a", f"value=@{tmp_path / 'missing'}"])
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(MAX_VALUE + 1)
    with pytest.raises(InvalidArgument, match="too large"):
        PUT.parse(["key=a", f"value=@{huge}"])


def test_capabilities_cannot_be_written_down(house_client: type[DynamicStub]) -> None:
    for name, word in (("pass_door", 'door="x"'), ("doors", 'doors={"a": 1}'), ("ways", 'ways=[{"through": 1}]')):
        with pytest.raises(InvalidArgument, match="capability"):
            house_client.offered[name].parse([word])


def test_structs_inside_structs_without_an_end_are_refused() -> None:
    declarations: list[dict[str, Any]] = [
        {"kind": "struct", "name": f"x.S{index}", "fields": [
            {"name": "a", "type": {"kind": "Optional", "of": [{"kind": "Ref", "name": f"x.S{index + 1}"}]}},
        ]}
        for index in range(3000)
    ]  # fmt: skip
    arguments = [{"name": "a", "type": {"kind": "Ref", "name": "x.S0"}}]
    method = {"name": "m", "path": "x/P.m", "selector": 1, "arguments": arguments}
    declarations += [{"kind": "struct", "name": "x.S3000"}, {"kind": "proto", "name": "x.P", "methods": [method]}]
    data = json.dumps({"format": 1, "library": "x", "declarations": declarations}).encode()
    offered = client(data, "x.P").offered["m"]
    with pytest.raises(BadSchema, match="too deep"):
        _ = offered.method
