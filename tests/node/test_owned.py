"""Programs that belong to a process: real OS processes that end with their owner."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import trio

import node
from firefly.errors import Denied
from firefly.interfaces.core import BadSpecification, ProcessKind, ProcessState, Role, Specification
from tests.node.family import LIMIT, LISTEN

PLUGIN = """
    import sys
    from firefly.interfaces.core import ResourceServer

    owners = []

    class Owner(ResourceServer):
        async def start(self, context):
            owners.append(self)
            program = context.configuration["program"]
            label = context.configuration.get("label", "mine-1")
            self.program = context.programs.start(label, [sys.executable, "-c", program], {"colour": "red"})
"""
SERVES = """
from firefly import serve
from firefly.interfaces.core import ResourceServer
class Program(ResourceServer):
    async def start(self, context):
        (context.folder / "started").write_text(context.configuration["colour"])
serve(Program)
"""


@pytest.fixture
def owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """An installed distribution with a process that owns a program; returns those that were started."""
    information = tmp_path / "site" / "glow_test_owner-1.dist-info"
    information.mkdir(parents=True)
    (tmp_path / "site" / "glow_test_owner.py").write_text(dedent(PLUGIN))
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: glow-test-owner\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[glow.processes]\nowner = glow_test_owner:Owner\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "glow_test_owner", raising=False)
    import glow_test_owner  # type: ignore[import-not-found]

    found: list[Any] = glow_test_owner.owners
    return found


def owner(**configuration: str) -> Specification:
    return Specification("mine", ProcessKind.PLUGIN, "owner", [], {"program": SERVES, **configuration})


async def status_of(glow: node.RunningNode, label: str) -> Any:
    return next(status for status in await glow.node.processes() if status.label == label)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_shows_is_nobody_elses_and_ends_with_its_owner(tmp_path: Path, owners: list[Any]) -> None:
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        made = await glow.node.create(owner())
        program = owners[0].program
        with trio.fail_after(LIMIT):
            await program.serving()
        status = await status_of(glow, "mine-1")
        assert (status.state, status.kind, status.id) == (ProcessState.RUNNING, ProcessKind.PROGRAM, program.id)
        assert (tmp_path / "home" / "processes" / made.id.hex() / "started").read_text() == "red"
        assert [resource.label for resource in await glow.node.resources(glow.address)] == ["mine"]
        with pytest.raises(Denied, match="belongs to the process mine"):
            await glow.node.kill(program.id)
        await glow.node.kill(made.id)
        assert await glow.node.processes() == []
        assert not alive(status.os_process)
    async with node.start(tmp_path / "home") as glow:
        assert await glow.node.processes() == []


async def test_it_is_started_again_and_killed_when_its_owner_says(tmp_path: Path, owners: list[Any]) -> None:
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        await glow.node.create(owner())
        program = owners[0].program
        with trio.fail_after(LIMIT):
            await program.serving()
            program.restart("it is in the way")
            assert (program.serves, program.reason) == (False, "it is in the way")
            await program.serving()
            assert (await status_of(glow, "mine-1")).restarts == 1
            os.kill((await status_of(glow, "mine-1")).os_process, signal.SIGKILL)
            await program.ended()
            assert "signal 9" in program.reason
            assert not program.failing
            await program.serving()
            assert program.reason == ""
            number = (await status_of(glow, "mine-1")).os_process
            await program.kill()
        assert not alive(number)
        assert [status.label for status in await glow.node.processes()] == ["mine"]


async def test_one_that_never_serves_is_not_given_up(tmp_path: Path, owners: list[Any], monkeypatch: Any) -> None:
    monkeypatch.setattr("node.host.BACK_OFF", (0.0, 0.0))
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        await glow.node.create(owner(program="raise SystemExit('no power')"))
        program = owners[0].program
        with trio.fail_after(LIMIT):
            await program.settled()
            while (await status_of(glow, "mine-1")).restarts < 7:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        assert (await status_of(glow, "mine-1")).state is not ProcessState.FAILED


async def test_a_label_that_is_taken_is_said(tmp_path: Path, owners: list[Any]) -> None:
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        with pytest.raises(BadSpecification, match="mine"):
            await glow.node.create(owner(label="mine"))
        assert await glow.node.processes() == []


async def test_a_program_of_this_device_may_not_call_it(tmp_path: Path, owners: list[Any]) -> None:
    """It is called with a member's rights, which are not enough."""
    async with node.start(tmp_path / "home", name="nas", listen=LISTEN) as glow:
        await glow.node.create(owner())
        program = owners[0].program
        with trio.fail_after(LIMIT):
            await program.serving()
        entry = glow.network.host.resources[program.id]
        caller = glow.network.local_caller(True)
        assert caller.role == Role.MEMBER
        request: Any = None
        with pytest.raises(Denied):
            entry.request(None, 0, request, caller)
