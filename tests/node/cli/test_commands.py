"""Commands against a node that runs, as a person gives them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from node import start
from node.cli.main import main


@dataclass
class Shown:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Glow = Callable[..., Awaitable[Shown]]


@pytest.fixture
async def glow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Glow]:
    """Runs commands against a node called laptop that shares tmp_path/share."""
    monkeypatch.setenv("GLOW_HOME", str(tmp_path / "home"))
    (tmp_path / "share").mkdir()

    async def run(*words: str) -> Shown:
        capsys.readouterr()
        code = await trio.to_thread.run_sync(main, words)
        captured = capsys.readouterr()
        return Shown(code, captured.out, captured.err)

    async with start(tmp_path / "home", name="laptop", listen=["tcp://127.0.0.1:0"]):
        made = await run("create", "filesystem", f"root={tmp_path / 'share'}", "writable=yes")
        assert made.code == 0, made.err
        yield run


async def test_status(glow: Glow, tmp_path: Path) -> None:
    shown = await glow("status")
    assert shown.out.startswith("laptop  admin, up ")
    data = (await glow("status", "--json")).data
    assert (data["name"], data["home"], data["role"]) == ("laptop", str(tmp_path / "home"), "admin")
    assert data["nodes"][0]["how"] == "this node"


async def test_alone_it_shows_the_status(glow: Glow) -> None:
    assert (await glow()).out.startswith("laptop  admin")


async def test_ls_of_everything_of_a_node_and_of_a_folder(glow: Glow, tmp_path: Path) -> None:
    (tmp_path / "share" / "folder").mkdir()
    (tmp_path / "share" / "letter").write_bytes(b"hello")
    everything = (await glow("ls", "--json")).data
    assert [(node["name"], [r["label"] for r in node["resources"]]) for node in everything] == [("laptop", ["files"])]
    assert "files" in (await glow("ls")).out
    assert [r["label"] for r in (await glow("ls", "laptop", "--json")).data] == ["files"]
    assert (await glow("ls", "self:")).out == "folder/\nletter\n"
    assert (await glow("ls", "self/files")).out == "folder/\nletter\n"
    listed = (await glow("ls", "self:", "--json")).data
    assert [(entry["name"], entry["kind"], entry["size"]) for entry in listed] == [
        ("folder", "folder", 0),
        ("letter", "file", 5),
    ]
    assert (await glow("ls", "self:letter")).out == "letter\n"
    lines = (await glow("ls", "self:", "--jsonl")).out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["folder", "letter"]
    assert "     5 B  " in (await glow("ls", "-l", "self:")).out


async def test_files(glow: Glow, tmp_path: Path) -> None:
    share = tmp_path / "share"
    (tmp_path / "letter").write_bytes(b"hello\n")
    for words in (
        ("mkdir", "self:a"),
        ("mkdir", "-p", "self:a", "self:b/c"),
        ("cp", str(tmp_path / "letter"), "self:a"),
        ("mv", "self:a/letter", "self:b/c"),
        ("cp", "-r", "self:b", "self:d"),
        ("rm", "-r", "self:b"),
        ("rm", "-f", "self:nothing"),
    ):
        shown = await glow(*words)
        assert (shown.code, shown.out) == (0, ""), (words, shown.err)
    assert (share / "d" / "c" / "letter").read_bytes() == b"hello\n"
    assert sorted(path.name for path in share.iterdir()) == ["a", "d"]
    await glow("cp", "-r", "self:", str(tmp_path / "back"))
    assert (tmp_path / "back" / "d" / "c" / "letter").read_bytes() == b"hello\n"


async def test_the_report_of_a_copy(glow: Glow, tmp_path: Path) -> None:
    (tmp_path / "share" / "letter").write_bytes(b"hello")
    for unchanged in (0, 1):
        report = (await glow("cp", "--json", "self:letter", str(tmp_path / "copy"))).data
        assert (report["files"], report["bytes"], report["unchanged"], report["failed"]) == (1, 5, unchanged, [])


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["ls", "nowhere"], 3, "'nowhere'"),
        (["ls", "self/nothing"], 3, "known here: files"),
        (["cat", "self:nothing"], 1, "'nothing'"),
        (["cp", "self:nothing", "x"], 1, "nothing"),
        (["cp", "self:", "x"], 2, "glow cp -r"),
        (["cp", "self/nothing:x", "x"], 3, "hint: glow ls"),
        (["mkdir", "self:a/b"], 1, "error: "),
        (["mv", "self:x", "self:y"], 1, "error: "),
        (["rm", "self:x"], 1, "error: "),
        (["kill", "nothing"], 3, "hint: glow ps self"),
        (["create", "nonsense"], 1, "nonsense"),
        (["create", "filesystem", "root=/nowhere/at/all"], 7, "taken"),
        (["kv", "get", "self/files", "x"], 1, "no key-value store"),
        (["ping", "nowhere"], 3, "nowhere"),
        (["trace", "nowhere"], 3, "nowhere"),
        (["join", "glow-join:nonsense"], 1, "error: "),
    ],
)
async def test_errors(glow: Glow, words: list[str], code: int, text: str) -> None:
    shown = await glow(*words)
    assert (shown.code, shown.out) == (code, ""), shown.err
    assert shown.err.startswith("error: ")
    assert text in shown.err


async def test_cat(glow: Glow, tmp_path: Path) -> None:
    (tmp_path / "share" / "letter").write_bytes(b"hello\n")
    assert (await glow("cat", "self:letter", "self:letter")).out == "hello\nhello\n"
    assert (await glow("cat", "self:letter", "--offset", "1", "--size", "2")).out == "el"


async def test_several_at_once_partly(glow: Glow, tmp_path: Path) -> None:
    (tmp_path / "share" / "there").write_bytes(b"")
    shown = await glow("rm", "self:there", "self:nothing")
    assert shown.code == 6
    assert "self:nothing" in shown.err
    assert not (tmp_path / "share" / "there").exists()


async def test_a_store(glow: Glow) -> None:
    assert (await glow("create", "kv", "--label", "settings")).out == "settings is running\n"
    store = "self/settings"
    assert (await glow("kv", "set", store, "theme", "dark", "--json")).data == {"key": "theme", "revision": 1}
    assert (await glow("kv", "set", store, "font", "mono", "--expected", "0")).code == 0
    assert (await glow("kv", "set", store, "font", "serif", "--expected", "0")).code == 7
    assert (await glow("kv", "get", store, "theme", "--json")).data["value"] == "dark"
    assert (await glow("kv", "ls", store)).out == "font\ntheme\n"
    assert (await glow("kv", "ls", store, "th", "--json")).data[0]["key"] == "theme"
    assert "theme = dark" in (await glow("kv", "ls", "-l", store)).out
    assert (await glow("kv", "del", store, "theme")).out == "theme is deleted\n"
    assert (await glow("kv", "del", store, "theme", "--json")).data == {"key": "theme", "existed": False}
    gone = await glow("kv", "get", store, "theme")
    assert (gone.code, gone.out) == (1, "")
    assert "hint: glow kv ls self/settings" in gone.err


async def test_processes(glow: Glow) -> None:
    assert (await glow("create", "kv", "--access", "admin")).code == 0
    processes = (await glow("ps", "--json")).data
    assert [(p["label"], p["state"], p["kind"]) for p in processes] == [
        ("files", "running", "builtin"),
        ("kv", "running", "builtin"),
    ]
    assert "files  running" in (await glow("ps", "self")).out
    assert (await glow("ls", "self", "--json")).data[1]["access"] == "admin"
    assert (await glow("kill", "self/kv")).code == 0
    assert (await glow("kill", processes[0]["id"])).code == 0
    assert (await glow("ps", "--json")).data == []


async def test_ping_and_trace(glow: Glow) -> None:
    data = (await glow("ping", "self", "-n", "2", "--json")).data
    assert (data["name"], data["asked"], data["answered"]) == ("laptop", 2, 2)
    lines = (await glow("ping", "self", "-n", "2", "--jsonl")).out.splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2]
    assert [hop["name"] for hop in (await glow("trace", "self", "--json")).data] == ["laptop"]


async def test_calls_without_stubs(glow: Glow) -> None:
    await glow("create", "kv")
    assert "def put(" in (await glow("call", "self/kv")).out
    assert "get" in (await glow("call", "self/kv", "--json")).data["methods"]
    assert (await glow("call", "self/kv.put", "key=theme", "value=dark", "--json")).data == 1
    assert (await glow("call", "self/kv.get", "key=theme")).out == "dark\n"
    assert (await glow("call", "self/kv.get", "key=nothing")).out == "null\n"
    assert (await glow("call", "self/kv.put", "key=theme", "value=x", "expected=9")).code == 7
    table = (await glow("call", "self.resources", f"node={(await glow('status', '--json')).data['address']}")).out
    assert table.splitlines()[0].split() == ["ID", "LABEL", "PROTO", "ACCESS"]
    assert (await glow("call", "self/kv.entry", "key=theme")).out.startswith("key")


async def test_streams_are_called_item_by_item(glow: Glow, tmp_path: Path) -> None:
    (tmp_path / "share" / "letter").write_bytes(b"hello")
    assert (await glow("call", "self/files.read", "path=letter")).out == "hello\n"
    await glow("create", "kv")
    await glow("kv", "set", "self/kv", "a", "1")
    watched = await glow("call", "self/kv.watch", "since=0", "--json", "--timeout", "0.3")
    assert watched.code == 5
    assert watched.data["key"] == "a"
    (tmp_path / "sent").write_bytes(b"written")
    assert (await glow("call", "self/files.write", "path=new", f"data=@{tmp_path / 'sent'}")).code == 0
    assert (tmp_path / "share" / "new").read_bytes() == b"written"


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["self/files.stats"], 1, "hint: glow call self/files.stat"),
        (["self/files.stat"], 1, "hint: def stat("),
        (["self/files.stat", "path"], 1, "hint: "),
        (["self/files.stat", "way=x"], 1, "hint: "),
        (["self/files.list", "path=", "limit=many"], 1, "limit"),
        (["self/files.stat", "path=nothing"], 1, "'nothing'"),
        (["self/nothing.stat"], 3, "known here: files"),
        (["self:nothing.stat"], 2, "hint: "),
    ],
)
async def test_wrong_calls(glow: Glow, words: list[str], code: int, hint: str) -> None:
    shown = await glow("call", *words)
    assert (shown.code, shown.out) == (code, ""), shown.err
    assert hint in shown.err


async def test_invites(glow: Glow) -> None:
    shown = await glow("invite", "--name", "nas", "--yes", "--json")
    assert shown.data["link"].startswith("glow-join:")
    assert shown.data["name"] == "nas"
    assert (await glow("invite", "--yes")).out.startswith("glow join glow-join:")


async def test_a_link_is_read_from_standard_input(glow: Glow, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("glow-join:nonsense\n"))
    shown = await glow("join", "-")
    assert shown.code == 1
    assert "invite link" in shown.err or "namespace" in shown.err


async def test_a_second_node_at_the_same_home(glow: Glow) -> None:
    shown = await glow("node")
    assert shown.code == 1
    assert "hint" in shown.err


async def test_a_limit_of_time(glow: Glow) -> None:
    await glow("create", "kv")
    shown = await glow("kv", "watch", "self/kv", "--timeout", "0.05")
    assert (shown.code, shown.out) == (5, "")
    assert "--timeout" in shown.err


async def test_another_node_by_flag(glow: Glow) -> None:
    assert (await glow("--node", "nowhere", "ps")).code == 3
    assert (await glow("--node", "laptop", "ps")).code == 0
