"""The generated stubs, called for real: every construct of the language goes through them and back."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from firefly import runtime
from firefly.errors import InvalidArgument, NoSuchMethod
from firefly.testing import serving
from idl.checker import check_files
from idl.generate import generate
from idl.generators.python_names import NameClash
from idl.report import Report

EVERYTHING = Path(__file__).with_name("everything.firefly")
SCALARS = {
    "a": True, "b": 255, "c": -(2**63), "d": 255, "e": 2**16 - 1, "f": 2**32 - 1, "g": 2**64 - 1, "h": -128,
    "i": -(2**15), "j": -(2**31), "k": 2**63 - 1, "l": 0.5, "m": 1e300, "n": "ä", "o": b"\0", "p": b"i" * 16,
    "q": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "r": 1.5, "s": b"1234",
}  # fmt: skip


def write(folder: Path, *files: Path) -> list[Path]:
    report = Report()
    libraries = check_files(files, report)
    report.raise_errors()
    made = generate(libraries, folder)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return list(made)


def from_text(folder: Path, text: str) -> str:
    source = folder / "given.firefly"
    source.write_text(text, encoding="utf-8")
    [path] = write(folder, source)
    return path.read_text(encoding="utf-8")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"generated_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    [path] = write(tmp_path_factory.mktemp("generated"), EVERYTHING)
    module = load(path)
    yield module
    del sys.modules[module.__name__]


def make_door(every: Any, name: str = "door") -> Any:
    class Door(every.DoorServer):  # type: ignore[misc]
        def knock(self, times: int) -> str:
            return f"{name} {times}"

    return Door()


def make_house(every: Any) -> Any:
    class House(every.HouseServer):  # type: ignore[misc]
        bells: list[str]

        def scalars(self, value: Any) -> Any:
            if value.n == "refuse":
                raise every.Refused("no", every.ShapeCircle(2.0))
            if value.n == "gone":
                raise every.Gone
            return value

        async def composite(self, value: Any) -> Any:
            return value

        def shapes(self, values: Any) -> Any:
            return values

        def optional(self, value: int | None, color: Any) -> int | None:
            assert isinstance(color, every.Color)
            return None if value is None else value + color

        async def pass_door(self, door: Any, spare: Any) -> Any:
            return make_door(every, await (spare or door).knock())

        async def doors(self, doors: Any) -> Any:
            return [make_door(every, await doors[key].knock()) for key in sorted(doors)]

        async def ways(self, ways: Any) -> Any:
            return [await self.way(way) for way in ways]

        async def way(self, way: Any) -> Any:
            match way:
                case every.WayThrough(door):
                    return every.WayThrough(make_door(every, await door.knock(8)))
                case every.WayOver(wall, doors):
                    return every.WayOver(wall, [make_door(every, await door.knock(9)) for door in doors])

        def glass(self) -> Any:
            class Glass(every.DoorAndWindowServer):  # type: ignore[misc]
                def knock(self, times: int) -> str:
                    return "clink"

                def look(self) -> Any:
                    return every.Color.RED

            return Glass()

        def list(self, self_: int, runtime_: str, from_: int) -> Any:
            return [runtime_] * (self_ + from_)

        async def up(self, name: str, data: runtime.ArgumentStream[bytes], tail: int) -> int:
            return sum([len(part) async for part in data]) + tail

        async def down(self, count: int) -> AsyncIterator[Any]:
            for index in range(count):
                yield every.ShapeCircle(float(index))

        async def both(self, items: runtime.ArgumentStream[Any]) -> AsyncIterator[int]:
            async for tree in items:
                yield tree.value

        def stop_(self) -> None:
            self.bells.append("stopped")

        def bell(self, text: str) -> None:
            self.bells.append(text)

    house = House()
    house.bells = []
    return house


async def test_scalars_come_back_as_they_were_sent(every: Any) -> None:
    value = every.Scalars(**SCALARS)
    async with serving(make_house(every), every.House) as house:
        assert await house.scalars(value) == value


@pytest.mark.parametrize(
    "field",
    [
        {"b": 256}, {"c": 2**63}, {"d": -1}, {"h": 128}, {"g": 2**64}, {"n": 1}, {"p": b"short"}, {"s": b"12345"},
        {"q": datetime(2026, 1, 2)}, {"a": 1}, {"r": "long"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_wrong_value_raises_in_the_caller(every: Any, field: dict[str, Any]) -> None:
    async with serving(make_house(every), every.House) as house:
        with pytest.raises(InvalidArgument):
            await house.scalars(every.Scalars(**(SCALARS | field)))


async def test_composites_come_back_as_they_were_sent(every: Any) -> None:
    tree = every.Tree(1, [every.Tree(2), every.Tree(3, [every.Tree(4)])])
    value = every.Composite(
        names=["a", "b"],
        pair=[1, 2],
        table={every.Color.RED: ["x"], every.Color.BLUE: []},
        maybe=None,
        inner=every.CompositeInner(5),
        tree=tree,
        shape=every.ShapeSquare(1.5, [every.ShapeNothing(), every.ShapeTree(tree)]),
        numbers={-7: {"y": 0.25}},
    )
    async with serving(make_house(every), every.House) as house:
        answer = await house.composite(value)
    assert answer == value
    assert answer.inner.class_ == "c"
    assert answer.color is every.Color.BLUE
    assert (answer.default, answer.import_) == (b"raw", "old")


async def test_every_variant_of_a_union_is_told_apart_by_match(every: Any) -> None:
    sent = [every.ShapeCircle(1.0), every.ShapeSquare(2.0), every.ShapeNothing(), every.ShapeTree(every.Tree(3))]
    found = []
    async with serving(make_house(every), every.House) as house:
        for shape in await house.shapes(sent):
            match shape:
                case every.ShapeCircle(radius):
                    found.append(radius)
                case every.ShapeSquare(side=side, list=inner):
                    found.append((side, inner))
                case every.ShapeNothing():
                    found.append(None)
                case every.ShapeTree(tree):
                    found.append(tree)
    assert found == [1.0, (2.0, []), None, every.Tree(3)]


async def test_what_this_version_does_not_know_survives(every: Any) -> None:
    unknown = every.ShapeUnknown(99, ["what", {"ever": 1}])
    async with serving(make_house(every), every.House) as house:
        assert await house.shapes([unknown]) == [unknown]
        assert await house.optional(1, every.Color(50)) == 51
    assert every.Color(50).value == 50


async def test_optionals_and_defaults(every: Any) -> None:
    async with serving(make_house(every), every.House) as house:
        assert await house.optional() is None
        assert await house.optional(5) == 5 + every.Color.GREEN
        assert await house.list(1, "x") == ["x"] * 4


async def test_declared_errors_arrive_as_themselves(every: Any) -> None:
    async with serving(make_house(every), every.House) as house:
        with pytest.raises(every.Refused) as refused:
            await house.scalars(every.Scalars(**(SCALARS | {"n": "refuse"})))
        with pytest.raises(every.Gone):
            await house.scalars(every.Scalars(**(SCALARS | {"n": "gone"})))
    assert (refused.value.name_, refused.value.why, refused.value.code_) == ("no", every.ShapeCircle(2.0), 3)


async def test_capabilities_pass_both_ways_alone_in_lists_and_in_unions(every: Any) -> None:
    async with serving(make_house(every), every.House) as house:
        door = await house.pass_door(make_door(every, "mine"))
        assert await door.knock(2) == "mine 1 2"
        assert await (await house.pass_door(door, make_door(every, "spare"))).knock(3) == "spare 1 3"
        one, two = await house.doors({"b": make_door(every, "two"), "a": make_door(every, "one")})
        assert (await one.knock(), await two.knock()) == ("one 1 1", "two 1 1")
        ways = [every.WayThrough(make_door(every, "in")), every.WayOver(3, [make_door(every, "over")])]
        through, over = await house.ways(ways)
        assert await through.value.knock() == "in 8 1"
        assert (over.wall, await over.doors[0].knock()) == (3, "over 9 1")
        glass = await house.glass()
        assert isinstance(glass, every.Door)
        assert isinstance(glass, every.Window)
        assert (await glass.knock(), await glass.look()) == ("clink", every.Color.RED)


async def test_streams_go_both_ways(every: Any) -> None:
    async with serving(make_house(every), every.House) as house:
        assert await house.up("name", [b"abc", b"de"]) == 5 + 7
        assert [shape.value async for shape in house.down(3)] == [0.0, 1.0, 2.0]
        assert [value async for value in house.both([every.Tree(4), every.Tree(5)])] == [4, 5]


async def test_messages_and_methods_without_a_result(every: Any) -> None:
    house = make_house(every)
    async with serving(house, every.House) as stub:
        await stub.bell()
        await stub.bell("dong")
        await stub.stop()
        with pytest.raises(NoSuchMethod):
            await stub.none()
        description = await stub.describe()
    assert house.bells == ["ding", "dong", "stopped"]
    assert description.proto == "test.everything.House"
    assert description.schema == every.SCHEMA


def test_a_missing_tail_takes_its_defaults_and_an_unknown_tail_is_ignored(every: Any) -> None:
    decode = msgspec.msgpack.decode
    short, long = msgspec.msgpack.encode([1]), msgspec.msgpack.encode([1, [], "more", {}])
    assert decode(short, type=every.Tree) == decode(long, type=every.Tree) == every.Tree(1, [])
    arguments = every._HOUSE_LIST.arguments
    assert decode(msgspec.msgpack.encode([1, "x"]), type=arguments) == arguments(1, "x", 3)
    shape = every.Shape.from_wire([2, [1.5, [], "more"]])
    assert shape == every.Shape.from_wire([2, [1.5]], lambda kind, value: value) == every.ShapeSquare(1.5)


def test_collections_of_defaults_are_not_shared(every: Any) -> None:
    assert every.Defined().list == [1, 2]
    assert every.Defined().list is not every.Defined().list
    assert every.ShapeSquare(1.0).list is not every.ShapeSquare(1.0).list


def test_methods_are_listed_once_with_all_that_are_inherited(every: Any) -> None:
    names = [method.name for method in every.HouseServer.methods]
    assert len(names) == len(set(names))
    assert {"describe", "knock", "look", "scalars", "bell"} <= set(names)
    assert every._HOUSE_BELL.path == "test.everything/House.old_bell"
    assert every._HOUSE_SCALARS.scope == ("value",)
    assert every._HOUSE_SCALARS.idempotent
    assert every._HOUSE_BELL.notify


def test_constants_have_their_values(every: Any) -> None:
    assert (every.LIMIT, every.HALF, every.GREETING, every.SIZE) == (256, 0.5, 'say "hi"', 4)
    assert every.FALLBACK is every.Color.GREEN


def test_the_same_source_gives_the_same_bytes(every: Any, tmp_path: Path) -> None:
    [again] = write(tmp_path, EVERYTHING)
    assert again.read_bytes() == Path(every.__file__).read_bytes()
    assert again.read_text(encoding="utf-8").startswith("# Made from everything.firefly by `glow idl generate`.")


def test_the_result_is_formatted(every: Any) -> None:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--diff", every.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_result_passes_mypy_strict(every: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), every.__file__]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stdout


def test_libraries_of_ones_own_import_one_another_as_siblings(tmp_path: Path) -> None:
    (tmp_path / "shared.firefly").write_text("library home.shared\nproto Lamp { def on() }\nenum Power { LOW = 1 }\n")
    user = tmp_path / "room.firefly"
    user.write_text(
        "library home.room\nimport home.shared as s\nproto Room : s.Lamp { def set(power: s.Power = LOW): s.Lamp }\n"
    )
    target = tmp_path / "stubs"
    target.mkdir()
    room, shared = write(target, user)
    assert (room.name, shared.name) == ("room.py", "shared.py")
    text = room.read_text(encoding="utf-8")
    assert "\nfrom . import shared as _shared\n" in text
    assert "class Room(_shared.Lamp):" in text
    assert "power: _shared.Power = _shared.Power.LOW" in text


def test_a_base_that_others_imply_is_left_out_so_that_python_finds_an_order(tmp_path: Path) -> None:
    text = from_text(
        tmp_path,
        "library given\nproto A {}\nproto B : A {}\nproto C : A, B {}\nproto D : A {}\nproto E : B, D {}\n"
        "proto F : D, B {}\nproto G : E, F {}\n",
    )
    load(tmp_path / "given.py")
    assert "class C(B):" in text
    assert "class E(B, D):" in text
    assert "class F(B, D):" in text


@pytest.mark.parametrize(
    ("text", "clash"),
    [
        ("proto A {}\ntype AServer = int", "`AServer`"),
        ("union A { 1: b }\ntype AB = int", "`AB`"),
        ("type int_ = i8\ntype int = i16", "`int_`"),
        ("type A = struct { __a: i8 }", "two underscores"),
        ("proto A { def b()  def B() }", "`_ABArguments`"),
    ],
)
def test_names_that_python_cannot_tell_apart_are_refused(tmp_path: Path, text: str, clash: str) -> None:
    with pytest.raises(NameClash, match=clash):
        from_text(tmp_path, f"library given\n{text}\n")


def test_a_declaration_named_like_a_builtin_of_python_gets_an_underscore(tmp_path: Path) -> None:
    from_text(
        tmp_path, "library given\ntype int = i8\ntype list = Array[int]\ntype runtime = struct { msgspec: list }\n"
    )
    module = load(tmp_path / "given.py")
    assert msgspec.json.decode(b"[[1]]", type=module.runtime_) == module.runtime_([1])
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"[[300]]", type=module.runtime_)
