"""The process host: what it starts, starts again, gives up, ends and remembers. Programs are real OS processes."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import trio
import trio.testing

from firefly.errors import InvalidArgument
from firefly.interfaces.core import (
    BadSpecification,
    NameTaken,
    ProcessKind,
    ProcessState,
    Role,
    Specification,
)
from node.attachment import Program
from node.home import Home
from node.host import BACK_OFF, FAILURES, Process, ProcessHost
from node.program import find_program
from node.store import DamagedStore, Store

PLUGINS = """
    import threading

    from firefly.interfaces.core import ResourceServer

    log = []

    class Steady(ResourceServer):
        async def start(self, context):
            self.context = context
            log.append(("start", context))

        async def stop(self):
            log.append(("stop", self.context.label))

    class Bare(ResourceServer):
        pass

    class Refusing(ResourceServer):
        async def start(self, context):
            raise RuntimeError("no floppy drive")

        async def stop(self):
            raise AttributeError("nothing to stop")

    class Fragile(ResourceServer):
        async def start(self, context):
            context.nursery.start_soon(self.break_down)

        async def break_down(self):
            import trio

            await trio.sleep(1)
            raise OSError("the disk is gone")

    class Endless(ResourceServer):
        async def start(self, context):
            import trio

            await trio.sleep_forever()

    class Exiting(ResourceServer):
        async def start(self, context):
            import sys

            sys.exit("not here")

    class Leaving(ResourceServer):
        async def start(self, context):
            context.nursery.start_soon(self.work)

        async def work(self):
            import trio

            try:
                await trio.sleep_forever()
            finally:
                raise OSError("it does not want to go")

    class Blocking(ResourceServer):
        blocking = True

        def start(self, context):
            log.append(("start", threading.current_thread().name))

        def stop(self):
            log.append(("stop", threading.current_thread().name))

    go, stuck = threading.Event(), threading.Event()

    class Hanging(Blocking):
        def start(self, context):
            stuck.set()
            go.wait(60)
"""
ENTRY_POINTS = """
    [glow.processes]
    steady = glow_test_plugins:Steady
    bare = glow_test_plugins:Bare
    refusing = glow_test_plugins:Refusing
    fragile = glow_test_plugins:Fragile
    endless = glow_test_plugins:Endless
    missing = glow_test_plugins:Missing
    exiting = glow_test_plugins:Exiting
    leaving = glow_test_plugins:Leaving
    blocking = glow_test_plugins:Blocking
    hanging = glow_test_plugins:Hanging
    list = glow_test_plugins:log
"""


class Table:
    """The node's resource table, as far as the host uses it."""

    def __init__(self) -> None:
        self.resources: dict[bytes, Any] = {}

    def add(self, resource: bytes, server: Any, access: int | None = None, label: str = "") -> None:
        self.resources[resource] = server, access

    def remove(self, resource: bytes) -> None:
        self.resources.pop(resource, None)


class Entry:
    """What a program registered."""

    proto = "test.Program"


async def attach(sock: socket.socket, program: Program, registered: Callable[[Any], None]) -> str:
    """Waits for the token, then for the end of the stream: the smallest node that a program can attach to."""
    sock.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    async with stream:
        if await stream.receive_some(16) == program.token:
            registered(Entry())
        while await stream.receive_some(64):
            """Whatever else it says."""
    return ""


ATTACH = """
    import os, sys, time
    def attach():
        os.write(int(os.environ["GLOW_ATTACH_FD"]), bytes.fromhex(os.environ["GLOW_ATTACH_TOKEN"]))
"""

Running = Callable[[], AbstractAsyncContextManager[ProcessHost]]


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An installed distribution with process classes of a stranger; returns what they logged."""
    site = tmp_path / "site"
    information = site / "glow_test_plugins-1.dist-info"
    information.mkdir(parents=True)
    (site / "glow_test_plugins.py").write_text(dedent(PLUGINS))
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: glow-test-plugins\nVersion: 1\n")
    (information / "entry_points.txt").write_text(dedent(ENTRY_POINTS))
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "glow_test_plugins", raising=False)
    import glow_test_plugins  # type: ignore[import-not-found]

    return glow_test_plugins.log


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def running(home: Home) -> Running:
    """A host on the home, as often as it is asked for: the second one is the node after a restart."""

    @asynccontextmanager
    async def run() -> AsyncIterator[ProcessHost]:
        store = Store(home.database)
        try:
            async with trio.open_nursery() as nursery:
                table: Any = Table()
                glow: Any = "the network"
                host = ProcessHost(home, store, table, nursery, glow, attach, lambda: None)
                await host.start()
                yield host
                nursery.cancel_scope.cancel()
        finally:
            store.close()

    return run


def builtin(program: str, label: str = "mine", **more: Any) -> Specification:
    return Specification(label, ProcessKind.BUILTIN, program, **more)


def script(source: str, label: str = "mine") -> Specification:
    """A Python program that starts quickly, with `attach()` at hand."""
    code = dedent(ATTACH) + dedent(source)
    return Specification(label, ProcessKind.PROGRAM, sys.executable, ["-I", "-S", "-c", code])


async def until(condition: Callable[[], bool]) -> None:
    """Polls for what another OS process does; the test's time limit is the only one."""
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 (another OS process sets no event of ours)
            await trio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_class_is_found_by_its_entry_point_and_given_its_context(
    plugins: Any, home: Home, running: Running
) -> None:
    async with running() as host:
        process = await host.create(builtin("steady", configuration={"colour": "red"}, access=Role.ADMIN))
        ((_, context),) = plugins
        assert (context.id, context.label, context.configuration) == (process.id, "mine", {"colour": "red"})
        assert context.folder == home.path / "processes" / process.id.hex()
        assert context.folder.is_dir()
        assert context.node == "the network"
        _, access = host._resources.resources[process.id]
        assert access == Role.ADMIN
        status = process.status()
        assert (status.state, status.proto, status.restarts) == (ProcessState.RUNNING, "glow.core.Resource", 0)
        assert status.started is not None
    assert [what for what, _ in plugins] == ["start", "stop"]


async def test_a_class_without_start_and_stop_will_do(plugins: Any, running: Running) -> None:
    async with running() as host:
        assert (await host.create(builtin("bare"))).state is ProcessState.RUNNING


async def test_a_restarted_node_runs_the_same_processes(plugins: Any, running: Running) -> None:
    async with running() as host:
        first = await host.create(builtin("steady", "one", configuration={"a": "b"}))
        second = await host.create(builtin("bare", "two"))
    async with running() as host:
        again = host.processes
        assert list(again) == [first.id, second.id]
        assert [process.specification for process in again.values()] == [first.specification, second.specification]
        assert {process.state for process in again.values()} == {ProcessState.RUNNING}


async def test_a_killed_process_is_forgotten_but_its_folder_stays(plugins: Any, home: Home, running: Running) -> None:
    async with running() as host:
        process = await host.create(builtin("steady"))
        status = await host.kill(process)
        assert (status.state, status.reason) == (ProcessState.STOPPED, "killed")
        assert host.find(process.id) is None
        assert process.id not in host._resources.resources
        assert home.process_folder(process.id).is_dir()
        assert (await host.create(builtin("steady"))).id != process.id
    async with running() as host:
        assert process.id not in host.processes


async def test_two_processes_cannot_have_one_label(plugins: Any, running: Running) -> None:
    async with running() as host:
        await host.create(builtin("bare"))
        with pytest.raises(NameTaken):
            await host.create(builtin("steady"))
        assert len(host.processes) == 1


BAD = [
    (builtin("nothing"), "there is no kind of process called 'nothing'; installed are: .*steady"),
    (builtin("missing"), "cannot be loaded: AttributeError"),
    (builtin("refusing"), "RuntimeError: no floppy drive"),
    (Specification("mine", ProcessKind.PROGRAM, "no-such-program"), "there is no program 'no-such-program'"),
    (Specification("mine", ProcessKind.PROGRAM, "bin/relative"), "the whole path"),
    (Specification("mine", ProcessKind.WASM, "steady"), "runs the kinds"),
    (builtin("steady", access=Role.GUEST), "lowest role"),
    (builtin("exiting"), "SystemExit: not here"),
    (builtin("list"), "no class of an interface's server"),
    (script("sys.exit('I am broken')"), "it exited with 1: I am broken"),
]


@pytest.mark.parametrize(("specification", "reason"), BAD, ids=[reason[:30] for _, reason in BAD])
async def test_what_cannot_run_is_refused_with_its_reason_and_forgotten(
    specification: Specification, reason: str, plugins: Any, running: Running
) -> None:
    async with running() as host:
        with pytest.raises(BadSpecification, match=reason):
            await host.create(specification)
        assert not host.processes
        assert await host._store.run(Store.processes) == []


async def test_a_bad_label_is_refused(plugins: Any, running: Running) -> None:
    async with running() as host:
        with pytest.raises(InvalidArgument):
            await host.create(builtin("steady", "../etc"))


async def test_which_kind_a_class_is_follows_from_the_class(plugins: Any, running: Running) -> None:
    async with running() as host:
        stranger = await host.create(builtin("steady", "one"))
        blocking = await host.create(builtin("blocking", "two"))
        assert stranger.status().kind is ProcessKind.PLUGIN
        assert blocking.status().kind is ProcessKind.THREAD
    async with running() as host:
        assert [process.status().kind for process in host.processes.values()] == [
            ProcessKind.PLUGIN,
            ProcessKind.THREAD,
        ]
    assert plugins.count(("start", "glow two")) == plugins.count(("stop", "glow two")) == 2


async def test_a_process_that_fails_while_it_is_ended_ends_alone(
    plugins: Any, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as host:
        process = await host.create(builtin("leaving"))
        assert (await host.kill(process)).state is ProcessState.STOPPED
        assert (await host.create(builtin("bare"))).state is ProcessState.RUNNING
    assert "it does not want to go" in caplog.text


async def test_a_process_whose_thread_is_stuck_is_not_started_beside_it(
    plugins: Any, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = sys.modules["glow_test_plugins"]
    monkeypatch.setattr("node.host.START_TIME", 0.2)
    monkeypatch.setattr("firefly.runtime.thread.STOP_TIME", 0.1)
    monkeypatch.setattr("firefly.runtime.thread.LONG", 0.0)
    async with running() as host:
        host._launch(process := Process(bytes(16), builtin("hanging")))
        await until(lambda: process.state is ProcessState.WAITING)
        assert process.status().reason.startswith("it did not serve within 0.2 s; busy in start for ")
        module.stuck.clear()
        await trio.sleep(BACK_OFF[0] * 2)
        assert (process.restarts, module.stuck.is_set()) == (0, False)
        module.go.set()
        await until(lambda: process.state is ProcessState.RUNNING)
        assert (process.restarts, process.status().reason) == (1, "")


async def test_a_failing_process_is_started_again_with_growing_pauses_and_then_given_up(
    plugins: Any, running: Running, autojump_clock: trio.testing.MockClock
) -> None:
    async with running() as host:
        process = await host.create(builtin("fragile"))
        begun = trio.current_time()
        while process.state is not ProcessState.FAILED:  # noqa: ASYNC110 (in virtual time)
            await trio.sleep(0.1)
        pauses = 0.2 + 0.4 + 0.8 + 1.6
        assert trio.current_time() - begun == pytest.approx(FAILURES * 1.0 + pauses, abs=0.2)
        assert process.restarts == FAILURES - 1
        assert process.reason == "given up after 5 failures in a minute: OSError: the disk is gone"
        assert process.id not in host._resources.resources
        assert (process.started, process.os_process) == (None, None)
        assert (await host.kill(process)).state is ProcessState.STOPPED


async def test_what_fails_seldom_is_never_given_up(
    plugins: Any, running: Running, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.host.FAILURE_TIME", 4.0)
    async with running() as host:
        process = await host.create(builtin("fragile"))
        while process.restarts < 12:
            assert process.state is not ProcessState.FAILED
            await trio.sleep(0.5)


async def test_a_class_that_never_starts_is_not_waited_for(
    plugins: Any, running: Running, autojump_clock: trio.testing.MockClock
) -> None:
    async with running() as host:
        with pytest.raises(BadSpecification, match="did not serve within 30 s"):
            await host.create(builtin("endless"))


async def test_a_program_attaches_with_its_token_and_lives_in_its_folder(home: Home, running: Running) -> None:
    async with running() as host:
        process = await host.create(script("attach(); open('here', 'w').close(); time.sleep(1000)"))
        status = process.status()
        assert (status.state, status.proto) == (ProcessState.RUNNING, "test.Program")
        assert status.os_process is not None
        assert alive(status.os_process)
        await until((home.process_folder(process.id) / "here").exists)
    assert not alive(status.os_process)


async def test_a_killed_program_is_started_again(running: Running) -> None:
    async with running() as host:
        process = await host.create(script("attach(); time.sleep(1000)"))
        first = process.os_process
        assert first is not None
        os.kill(first, 9)
        await until(lambda: process.state is ProcessState.WAITING)
        assert process.reason == "it was killed by signal 9 (Killed)"
        await until(lambda: process.state is ProcessState.RUNNING)
        assert process.restarts == 1
        assert process.os_process != first


async def test_the_last_line_of_a_programs_errors_is_the_reason(running: Running) -> None:
    async with running() as host:
        process = await host.create(script("attach(); sys.stderr.write('x' * 100000 + '\\n'); 1 / 0"))
        await until(lambda: process.state is ProcessState.WAITING)
        assert process.reason == "it exited with 1: ZeroDivisionError: division by zero"


async def test_a_program_that_ignores_being_terminated_is_killed_with_all_it_started(
    home: Home, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.child.STOP_TIME", 0.1)
    stubborn = """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = os.fork()
        if child:
            with open("child.new", "w") as file:
                file.write(str(child))
            os.rename("child.new", "child")
            attach()
        time.sleep(1000)
    """
    async with running() as host:
        process = await host.create(script(stubborn))
        child = int((home.process_folder(process.id) / "child").read_text())
        parent = process.os_process
        assert parent is not None
        await host.kill(process)
        assert not alive(parent)
        await until(lambda: not alive(child) or _is_zombie(child))


def _is_zombie(pid: int) -> bool:
    """Killed, but its new parent has not asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


async def test_a_program_that_leaves_its_node_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.program.STOP_TIME", 0.1)
    async with running() as host:
        process = await host.create(script("attach(); os.close(int(os.environ['GLOW_ATTACH_FD'])); time.sleep(1000)"))
        await until(lambda: process.state is ProcessState.WAITING)
        assert process.reason == "it left its node and did not end"


async def test_a_program_that_never_attaches_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.host.START_TIME", 0.2)
    async with running() as host:
        with pytest.raises(BadSpecification, match="did not serve within"):
            await host.create(script("time.sleep(1000)"))


async def test_what_holds_the_errors_open_does_not_hide_the_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.program.OUTPUT_TIME", 0.1)
    async with running() as host:
        process = await host.create(script("attach(); os.fork() or time.sleep(1000)"))
        await until(lambda: process.state is ProcessState.WAITING)
        assert process.reason == "it exited with 0"


async def test_a_damaged_specification_is_a_typed_error(home: Home, running: Running) -> None:
    store = Store(home.database)
    store.add_process(bytes(16), "mine", b"\xc1")
    store.close()
    with pytest.RaisesGroup(DamagedStore):
        async with running():
            raise AssertionError("unreachable")


def test_programs_are_found_like_a_shell_does() -> None:
    assert os.path.isabs(find_program("sh"))
    assert find_program(sys.executable) == sys.executable


def test_a_status_is_what_the_specification_says() -> None:
    status = Process(bytes(16), builtin("steady")).status()
    assert (status.label, status.kind, status.program) == ("mine", ProcessKind.BUILTIN, "steady")
    assert status.state is ProcessState.STARTING


async def test_of_a_program_that_failed_with_a_group_the_inner_exception_is_the_reason(running: Running) -> None:
    source = "raise ExceptionGroup('several', [ValueError('the inner one')])"
    async with running() as host:
        with pytest.raises(BadSpecification, match=r"it exited with 1: ValueError: the inner one$"):
            await host.create(script(source))
