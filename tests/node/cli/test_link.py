"""`glow link`: what it says, and the far end of a pipe link as an OS process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firefly.home import socket_path
from firefly.interfaces.core import StandingLink
from node.cli.failures import NO_NODE, UsageError
from node.cli.link import check_quoting, links_text, names, outcome
from node.cli.output import Output
from node.cli.running import listen_of
from node.cli.splice import THREADS, splice
from tests.node.cli.test_running import PATIENCE, environment

PLAIN = Namespace(json=False, jsonl=False, quiet=False, verbose=False)


def standing(**more: object) -> StandingLink:
    known: dict[str, object] = {
        "urls": ["tcp://nas:4747", "pipe:ssh nas glow link stdio"],
        "key": None,
        "peer": "nas",
        "address": bytes(16),
        "state": "up",
        "reason": "",
        "hint": "",
        "url": "tcp://nas:4747",
        "kind": "tcp",
        "since": datetime.now(UTC),
        "next_attempt": None,
        "round_trip": 0.0012,
    }
    return StandingLink(**{**known, **more})  # type: ignore[arg-type]


def test_the_list_says_why_and_what_helps_and_when_it_is_tried_again() -> None:
    down = standing(
        state="waiting", kind="", url="", round_trip=None, next_attempt=12.0, reason="it died", hint="ssh nas"
    )
    text = links_text([standing(), down, down], Output(PLAIN))
    lines = text.splitlines()
    assert lines[0].split() == ["LINK", "TO", "STATE", "FOR", "NEXT", "KIND", "ROUND", "TRIP", "ADDRESSES", "WHY"]
    assert "tcp   1.2 ms" in lines[1]
    assert "waiting" in lines[2]
    assert "in 12 s" in lines[2]
    assert lines[2].endswith("tcp://nas:4747, pipe:ssh nas glow link stdio  it died")
    assert lines[4:] == ["hint: ssh nas"]
    assert outcome(standing()) == "linked with nas through tcp://nas:4747"
    assert "glow link ls" in outcome(down)
    assert "nas" in names(down)


def test_a_command_that_the_shell_took_apart_is_put_together_in_the_hint() -> None:
    check_quoting(["tcp://nas:1", "pipe:ssh nas glow link stdio"])
    with pytest.raises(UsageError) as caught:
        check_quoting(["pipe:ssh", "nas", "glow", "link", "stdio"])
    assert caught.value.hint == 'glow link add "pipe:ssh nas glow link stdio"'


def test_none_is_nowhere_and_goes_with_nothing_else() -> None:
    assert listen_of(None) is None
    assert listen_of(["tcp://0.0.0.0:1"]) == ["tcp://0.0.0.0:1"]
    assert listen_of(["none"]) == []
    with pytest.raises(UsageError):
        listen_of(["none", "tcp://0.0.0.0:1"])


# --- splice


class Spliced:
    """A splice in a thread: `node` and `far` are what is at its two sides."""

    def __init__(self) -> None:
        self.node, self.near = socket.socketpair()
        self.far, self.standard = socket.socketpair()
        self.outcome: list[bool | BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome.append(splice(self.near, self.standard.fileno(), self.standard.fileno()))
        except OSError as error:
            self.outcome.append(error)

    def ends(self) -> bool | BaseException:
        self._thread.join(PATIENCE)
        return self.outcome[0]

    def close(self) -> None:
        for sock in (self.node, self.far):
            sock.close()
        self._thread.join(PATIENCE)
        for sock in (self.near, self.standard):
            sock.shutdown(socket.SHUT_RDWR)
        for thread in [thread for thread in threading.enumerate() if thread.name == THREADS]:
            thread.join(PATIENCE)  # else it would go on with whatever gets the number of its descriptor next
        for sock in (self.near, self.standard):
            sock.close()


@pytest.fixture
def spliced() -> object:
    made = Spliced()
    yield made
    made.close()


def receive(sock: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        parts += sock.recv(2**20)
    return parts


def test_it_carries_both_ways_at_once(spliced: Spliced) -> None:
    data = os.urandom(3 * 2**20)
    writers = [threading.Thread(target=sock.sendall, args=(data,)) for sock in (spliced.node, spliced.far)]
    for writer in writers:
        writer.start()
    assert receive(spliced.far, len(data)) == data
    assert receive(spliced.node, len(data)) == data
    for writer in writers:
        writer.join(PATIENCE)


def test_who_reads_nothing_slows_the_other_side_only(spliced: Spliced) -> None:
    spliced.node.setblocking(False)
    taken = 0
    while True:  # until nothing more is taken, which the first full buffer in the row does
        try:
            taken += spliced.node.send(bytes(2**16))
        except BlockingIOError:
            break
    assert taken < 2**23
    spliced.far.sendall(b"the other way is free")
    spliced.node.setblocking(True)
    assert receive(spliced.node, 21) == b"the other way is free"


def test_it_says_which_side_ended(spliced: Spliced) -> None:
    spliced.node.sendall(b"last words")
    spliced.node.close()
    assert receive(spliced.far, 10) == b"last words"
    assert spliced.ends() is True


def test_the_end_of_the_input_is_an_end(spliced: Spliced) -> None:
    spliced.far.sendall(b"last words")
    assert receive(spliced.node, 10) == b"last words"
    spliced.far.shutdown(socket.SHUT_WR)
    assert spliced.ends() is False


# --- stdio, as an OS process


def stdio(home: Path, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "node.cli.main", "link", "stdio"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **{"stdin": subprocess.PIPE, **more},
    )


def test_stdio_without_a_node(tmp_path: Path) -> None:
    with stdio(tmp_path / "home") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (NO_NODE, b"")
    assert err.startswith(b"error: no node runs at ")
    assert b"hint: " in err


def test_stdio_joins_its_streams_with_the_control_socket(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        for ended_by_node in (True, False):
            with stdio(tmp_path) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(b"there")
                process.stdin.flush()
                node, _ = listener.accept()
                with node:
                    assert receive(node, 6) == b"pthere"
                    node.sendall(b"back")
                    assert process.stdout.read(4) == b"back"
                    if ended_by_node:
                        node.close()
                        process.wait(PATIENCE)
                    out, err = process.communicate(timeout=PATIENCE)
            assert out == b""
            if ended_by_node:
                assert process.returncode == 1
                assert err.startswith(b"error: the node of this device ended the link")
            else:
                assert (process.returncode, err) == (0, b"")
    path.unlink()


def test_stdio_is_not_for_a_terminal(tmp_path: Path) -> None:
    ours, terminal = os.openpty()
    try:
        with stdio(tmp_path, stdin=terminal) as process:
            out, err = process.communicate(timeout=PATIENCE)
    finally:
        os.close(ours)
        os.close(terminal)
    assert (process.returncode, out) == (2, b"")
    assert b'hint: on the other device: glow link add "pipe:ssh' in err
