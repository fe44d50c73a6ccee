"""Links through commands: what goes wrong with a command is said, and nothing of it is left behind."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import trio
from trio.testing import MockClock

from firefly.errors import GlowError
from node.child import STOP_TIME
from node.links import LinkError, opened
from node.links.link import NotGlow
from tests.node.links.neighbours import SPLICE, WAIT, Neighbour, end_of, listening

WAITS = "import sys; sys.stdin.read()"


def python(code: str, *arguments: object) -> str:
    """The address of a command that is a Python program."""
    return "pipe:" + shlex.join([sys.executable, "-ISc", code, *map(str, arguments)])


def program(folder: Path, code: str, *arguments: object) -> str:
    """The address of a command that is a Python program of several lines."""
    path = folder / "program.py"
    path.write_text(f"import os, signal, socket, subprocess, sys\n{code}")
    return "pipe:" + shlex.join([sys.executable, "-IS", str(path), *map(str, arguments)])


def path_of(owner: Neighbour) -> str:
    """Where a pipe's far end finds its node."""
    return shlex.split(owner.url)[-1]


def says(text: str) -> str:
    return f"import os; os.write(1, {text.encode()!r})"


async def reason_of(url: str, tmp_path: Path) -> GlowError:
    """Why no link comes of an address."""
    async with listening("tcp", tmp_path) as (_, dialler):
        with trio.fail_after(WAIT), pytest.raises(GlowError) as caught:
            await dialler.manager.dial(url, None)
        assert not dialler.router.links
    return caught.value


BANNERS = {
    "Welcome to nas!\nLast login: today\n": "it began with 'Welcome to nas!'",
    "\n\n  Welcome\r\n": "it began with 'Welcome'",
    "\x1b[31mred\x07\n": r"it began with '\x1b[31mred\x07'",
    "<\u202etxt.exe>": r"it began with '<\u202etxt.exe>'",
    "x" * 5000: f"it began with '{'x' * 80}'",
}


@pytest.mark.parametrize("banner", BANNERS, ids=["lines", "empty lines", "escapes", "direction", "long"])
@pytest.mark.parametrize("after", ["", f"; {WAITS}"], ids=["and dies", "and waits"])
async def test_a_banner_is_quoted(banner: str, after: str, tmp_path: Path) -> None:
    error = await reason_of(python(says(banner) + after), tmp_path)
    assert isinstance(error, NotGlow)
    assert error.message == "the command printed something before the link"
    assert error.cause == BANNERS[banner]
    assert error.hint.startswith("see what it prints before the link, and silence it: ")


async def test_a_banner_that_is_shorter_than_the_head_of_a_frame_is_quoted_too(tmp_path: Path) -> None:
    error = await reason_of(python(says("hi")), tmp_path)
    assert error.cause == "it began with 'hi'"


DEATHS = {
    "raise SystemExit(0)": "the command exited with 0",
    "raise SystemExit(7)": "the command exited with 7",
    "import sys; sys.exit('ssh: no route to host\\n\\n')": "the command exited with 1: ssh: no route to host",
    "import os; os.kill(os.getpid(), 9)": "the command was killed by signal 9 (Killed)",
    "import os; os.write(2, b'error: no node\\ncause: x\\nhint: glow node\\n'); os._exit(9)": (
        "the command exited with 9: error: no node"
    ),
    "import os; os.write(2, b'noise ' * 2**18 + b'\\nlast'); os._exit(1)": "the command exited with 1: last",
}


@pytest.mark.parametrize("code", DEATHS, ids=["at once", "code", "words", "signal", "glow", "flood"])
async def test_a_command_that_dies_says_why(code: str, tmp_path: Path) -> None:
    error = await reason_of(python(code), tmp_path)
    assert isinstance(error, LinkError)
    assert error.message == DEATHS[code]
    assert error.hint.startswith("run it yourself and see what it says: ")


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    error = await reason_of("pipe:no-such-command --really", tmp_path)
    assert error.cause == "no-such-command: No such file or directory"
    assert "whole path" in error.hint


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    error = await reason_of(f"pipe:echo '$HOME' ; touch {tmp_path}/made", tmp_path)
    assert error.cause.startswith("it began with '$HOME ; touch /")
    assert not (tmp_path / "made").exists()


async def test_a_command_that_is_silent_is_given_up(tmp_path: Path, mock_clock: MockClock) -> None:
    mock_clock.autojump_threshold = 0.02
    error = await reason_of(python(WAITS), tmp_path)
    assert "no handshake within 5 s" in error.message


async def test_the_reason_of_a_lost_link_is_that_of_its_command(tmp_path: Path) -> None:
    once = """
    path = sys.argv[3]
    if os.path.exists(path): sys.exit("cut off again")
    open(path, "w").close()
    """
    async with listening("pipe", tmp_path) as (owner, dialler):
        url = program(
            tmp_path, f"{dedent(once)}\n{SPLICE}\nsys.exit('cut off')", os.getcwd(), path_of(owner), tmp_path / "once"
        )
        standing = dialler.manager.standing.keep([url], owner.key.public)
        await dialler.until(lambda: dialler.ups)
        assert (standing.state, standing.reason, standing.hint) == ("up", "", "")
        await owner.until(lambda: owner.ups)
        owner.ups[0].close("enough")
        with trio.fail_after(WAIT):
            while not standing.reason:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
        assert standing.reason in ("the command exited with 1: cut off", "the command exited with 1: cut off again")
        assert standing.hint.startswith("run it yourself")


async def test_through_something_like_nc(tmp_path: Path) -> None:
    code = "; ".join(
        (
            "import socket, sys",
            "sys.path.insert(0, sys.argv[1])",
            "from node.cli.splice import splice",
            "splice(socket.create_connection((sys.argv[2], sys.argv[3])), 0, 1)",
        )
    )
    async with listening("tcp", tmp_path) as (owner, dialler):
        host, port = owner.url.removeprefix("tcp://").split(":")
        link = await dialler.manager.dial(python(code, os.getcwd(), host, port), owner.key.public)
        await owner.until(lambda: owner.ups)
        dialler.send(owner.key.address, b"through a command")
        await owner.until(lambda: owner.arrived == [b"through a command"])
        assert (link.kind, owner.ups[0].kind) == ("pipe", "tcp")
        owner.ups[0].close("enough")
        await end_of(link)


# --- nothing is left behind

HOLD = """
held = os.open(sys.argv[-1], os.O_WRONLY)
subprocess.Popen([sys.executable, "-ISc", "import signal; signal.pause()"], pass_fds=[held])
"""
"""Holds a named pipe open together with what it has started."""
READY = "os.write(1, b'ready')"


class Fifo:
    """A named pipe whose end of file tells that all of its writers are gone."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def closed(self) -> None:
        """Returns once nobody holds it; fails if somebody goes on to."""
        with trio.fail_after(WAIT):
            await trio.lowlevel.wait_readable(self.reading)
        assert os.read(self.reading, 1) == b""


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "held")
    yield fifo
    os.close(fifo.reading)


async def test_it_ends_with_its_link_with_all_that_it_started(tmp_path: Path, fifo: Fifo) -> None:
    async with listening("pipe", tmp_path) as (owner, dialler):
        url = program(tmp_path, HOLD + SPLICE, os.getcwd(), path_of(owner), fifo.path)
        link = await dialler.manager.dial(url, owner.key.public)
        link.close("enough")
        await fifo.closed()


async def test_it_ends_with_the_node(tmp_path: Path, fifo: Fifo) -> None:
    async with listening("pipe", tmp_path) as (owner, dialler):
        url = program(tmp_path, HOLD + SPLICE, os.getcwd(), path_of(owner), fifo.path)
        await dialler.manager.dial(url, owner.key.public)
    await fifo.closed()


async def test_it_ends_when_no_link_comes_of_it(tmp_path: Path, fifo: Fifo) -> None:
    error = await reason_of(program(tmp_path, f"{HOLD}\n{READY}\nsys.stdin.read()", fifo.path), tmp_path)
    assert error.cause == "it began with 'ready'"
    await fifo.closed()


async def test_it_ends_when_the_dial_is_cancelled(tmp_path: Path, fifo: Fifo) -> None:
    url = program(tmp_path, f"{HOLD}\n{READY}\nsys.stdin.read()", fifo.path)
    with trio.fail_after(WAIT), trio.CancelScope() as scope:
        async with opened(url) as stream:
            assert await stream.read(5) == b"ready"
            scope.cancel()
            await trio.sleep_forever()
    await fifo.closed()


async def test_one_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path, fifo: Fifo, mock_clock: MockClock) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    async with opened(program(tmp_path, f"{deaf}\n{HOLD}\n{READY}\nsignal.pause()", fifo.path)) as stream:
        assert await stream.read(5) == b"ready"
        mock_clock.autojump_threshold = 0.02
    assert mock_clock.current_time() == pytest.approx(STOP_TIME)
    mock_clock.autojump_threshold = float("inf")
    await fifo.closed()
