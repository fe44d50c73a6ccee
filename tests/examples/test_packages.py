"""The example packages as a user has them: built, installed into a folder, found and run by a real node."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

import firefly
from firefly.interfaces.core import ProcessState, ProcessStatus
from tests.end_to_end.devices import Device, first

EXAMPLES = Path(__file__).parents[2] / "examples"
LIMIT = 30.0


def install(example: str, build: Path, site: Path) -> None:
    """What `pip install --target` does, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(build)]
    subprocess.run(command, cwd=EXAMPLES / example, check=True, capture_output=True, timeout=120)
    (wheel,) = build.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with both packages, which nodes and this test find."""
    folder = tmp_path_factory.mktemp("installed")
    for example in ("plugin_notes", "thread_sensor"):
        install(example, folder / example, folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.fspath(folder / "site"))
        patch.syspath_prepend(folder / "site")
        yield folder / "site"


@pytest.fixture(scope="module")
def nas(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    device = first(tmp_path_factory.mktemp("devices"))
    try:
        yield device
    finally:
        if device.node is not None:
            device.stop()


@asynccontextmanager
async def opened(device: Device, label: str, stub: Any) -> AsyncIterator[tuple[firefly.Glow, Any]]:
    with trio.fail_after(LIMIT):
        async with firefly.connect(device.home) as glow:
            yield glow, await glow.open(f"self/{label}", stub)


async def status_of(glow: firefly.Glow, label: str, state: ProcessState) -> ProcessStatus:
    """The status of a process once it is in that state."""
    with trio.fail_after(LIMIT):
        while True:
            (found,) = [status for status in await glow.node.processes() if status.label == label]
            if found.state is state:
                return found
            await trio.sleep(0.02)


def test_a_plugin_of_another_package(nas: Device) -> None:
    notes = importlib.import_module("glow_notes.notes")
    created = nas.run("create", "notes", "--label", "ideas")
    assert (created.returncode, created.stdout) == (0, "ideas is running\n")
    assert "may do whatever the node may" in created.stderr
    assert nas.json("call", "self/ideas.write", "text=buy floppies")["number"] == 1
    wrong = nas.run("call", "self/ideas.read", "number=7")
    assert wrong.returncode == 1
    assert "NoSuchNote" in wrong.stderr
    (shown,) = nas.json("ps")
    assert (shown["label"], shown["kind"], shown["proto"]) == ("ideas", "plugin", "notes.Notes")

    async def work() -> Path:
        async with opened(nas, "ideas", notes.Notes) as (glow, ideas):
            assert (await ideas.write("and a drive")).number == 2
            await ideas.erase(1)
            with pytest.raises(notes.NoSuchNote):
                await ideas.read(1)
            assert [note.text for note in await ideas.all()] == ["and a drive"]
            status = await status_of(glow, "ideas", ProcessState.RUNNING)
            return nas.home / "processes" / status.id.hex() / "notes.json"

    file = trio.run(work)
    nas.stop()
    whole = file.read_bytes()
    file.write_bytes(b"[damaged")
    nas.start("node")

    async def damaged() -> None:
        async with firefly.connect(nas.home) as glow:
            broken = await status_of(glow, "ideas", ProcessState.WAITING)
            assert "DecodeError" in broken.reason
            file.write_bytes(whole)
            again = await status_of(glow, "ideas", ProcessState.RUNNING)
            assert again.restarts >= 1
            ideas = await glow.open("self/ideas", notes.Notes)
            assert [note.text for note in await ideas.all()] == ["and a drive"]

    trio.run(damaged)


def test_a_process_whose_handlers_block(nas: Device, tmp_path: Path) -> None:
    sensor = importlib.import_module("glow_sensor.sensor")
    refused = nas.run("create", "sensor", f"root={tmp_path / 'none'}")
    assert refused.returncode == 1
    assert "is no folder" in refused.stderr
    root = tmp_path / "disk"
    root.mkdir()
    nas.glow("create", "sensor", "--label", "disk", f"root={root}")
    assert nas.json("call", "self/disk.measure")["total"] > 0
    assert [shown["kind"] for shown in nas.json("ps") if shown["label"] == "disk"] == ["thread"]

    async def elsewhere() -> AsyncIterator[Any]:
        for day in range(1, 29):
            yield sensor.Reading(datetime(2024, 1, day, tzinfo=UTC), day, 100)

    async def cut() -> AsyncIterator[Any]:
        yield sensor.Reading(datetime(2023, 1, 1, tzinfo=UTC), 1, 100)
        raise RuntimeError("the source is gone")

    async def work() -> None:
        async with opened(nas, "disk", sensor.Sensor) as (glow, disk):
            assert await disk.restore(elsewhere()) == 28
            with pytest.raises(RuntimeError, match="the source is gone"):
                await disk.restore(cut())
            found = [reading.free async for reading in disk.readings()]
            assert found[:-1] == list(range(1, 29))
            await disk.forget(3)
            assert len([reading async for reading in disk.readings()]) == 3
            root.rmdir()
            with pytest.raises(sensor.NotMounted):
                await disk.measure()
            root.mkdir()
            await disk.measure()
            (status,) = [status for status in await glow.node.processes() if status.label == "disk"]
            assert (status.state, status.restarts, status.reason) == (ProcessState.RUNNING, 0, "")

    trio.run(work)
    nas.stop()
    nas.start("node")
    assert len(nas.glow("--json", "call", "self/disk.readings").splitlines()) == 4
