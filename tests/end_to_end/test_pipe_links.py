"""Two devices without an open port, linked through a command, which is killed and comes back."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.end_to_end.devices import Device, children_of

NewDevice = Callable[..., Device]
LIMIT = 60.0
RELAY = """
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def upwards():
    while data := os.read(0, 65536): sock.sendall(data)
    os._exit(0)
threading.Thread(target=upwards, daemon=True).start()
while data := sock.recv(65536): os.write(1, data)
"""
"""What `nc HOST PORT` does."""


def closed(new: NewDevice) -> tuple[Device, Device]:
    """Two devices of one namespace, neither of which listens anywhere, nor is linked."""
    nas = new("nas")
    laptop = new("laptop", nas)
    for device in (nas, laptop):
        device.stop()
        ready = device.start("node", "--listen", "none")
        assert ready["listening"] == []
    unlink(laptop)
    return nas, laptop


def unlink(device: Device) -> None:
    """Removes what the invite left: the addresses of the inviter."""
    [link] = device.json("link", "ls")
    for url in link["urls"]:
        device.glow("link", "rm", url)
    assert device.json("link", "ls") == []


def stdio_of(device: Device) -> str:
    """What reaches its node through a command, as `ssh nas glow link stdio` does from another machine."""
    glow = [sys.executable, "-P", "-m", "node.cli.main", "link", "stdio"]
    return "pipe:" + shlex.join(["env", f"GLOW_HOME={device.home}", f"PYTHONPATH={os.getcwd()}", *glow])


def link_of(device: Device, holds: Callable[[Any], Any]) -> Any:
    """The only standing link, once `holds` is true of it."""
    end = time.monotonic() + LIMIT
    while True:
        [link] = device.json("link", "ls")
        if holds(link):
            return link
        assert time.monotonic() < end, link


def test_two_devices_without_a_port(device: NewDevice) -> None:
    nas, laptop = closed(device)
    nas.glow("create", "kv", "--label", "settings")
    assert laptop.run("--timeout", "10", "ping", "-n", "1", "nas").returncode in (3, 5)
    url = stdio_of(nas)
    assert laptop.json("link", "add", url)["state"] == "up"
    assert nas.json("status")["links"][0]["kind"] == "pipe"
    while "settings" not in laptop.run("ls", "nas").stdout:  # its directory is on its way
        time.sleep(0.05)
    laptop.glow("kv", "set", "nas/settings", "theme", "dark")
    assert nas.glow("kv", "get", "self/settings", "theme").strip() == "dark"
    assert laptop.node is not None
    [child] = children_of(laptop.node.pid)
    os.kill(child, signal.SIGKILL)
    link_of(laptop, lambda link: link["state"] == "up" and children_of(laptop.node.pid) not in ([child], []))
    assert laptop.glow("kv", "get", "nas/settings", "theme").strip() == "dark"
    nas.stop()
    link = link_of(laptop, lambda link: "no node runs at" in link["reason"])
    assert link["reason"].startswith("the command exited with 9: error: no node runs at ")
    assert "run it yourself" in link["hint"]
    assert laptop.json("status")["links"][0]["reason"] == link["reason"]
    nas.start("node")
    link_of(laptop, lambda link: link["state"] == "up")
    laptop.stop()
    laptop.start("node")
    link_of(laptop, lambda link: link["state"] == "up")  # it is kept
    [child] = children_of(laptop.node.pid)
    assert "dialled no more" in laptop.glow("link", "rm", "nas")
    assert laptop.json("link", "ls") == []
    while child in children_of(laptop.node.pid):
        time.sleep(0.05)


def test_nothing_is_left_behind_when_the_node_is_killed(device: NewDevice) -> None:
    nas, laptop = closed(device)
    laptop.glow("link", "add", stdio_of(nas))
    assert laptop.node is not None
    [child] = children_of(laptop.node.pid)
    laptop.stop(signal.SIGKILL)
    end = time.monotonic() + LIMIT
    while "link" in command_of(child):
        assert time.monotonic() < end
        time.sleep(0.05)


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode().replace("\0", " ")
    except OSError:
        return ""


def test_through_a_tunnel_to_a_port_as_nc_makes_it(device: NewDevice) -> None:
    nas = device("nas")
    laptop = device("laptop", nas)
    laptop.stop()
    status = nas.json("status")
    port, key = status["listening"][0].rpartition(":")[2], status["key"]
    laptop.start("node", "--listen", "none")
    unlink(laptop)
    program = laptop.home / "relay.py"
    program.write_text(RELAY)
    command = shlex.join([sys.executable, "-IS", str(program), "127.0.0.1", port])
    laptop.glow("link", "add", f"pipe:{command}", "--key", key)
    assert link_of(laptop, lambda link: link["state"] == "up")["kind"] == "pipe"
    assert nas.json("status")["links"][0]["kind"] == "tcp"


def test_what_is_wrong_with_a_command_is_said_and_the_node_goes_on(device: NewDevice) -> None:
    nas = device("nas")
    added = nas.run("link", "add", "pipe:echo Welcome to nas")
    assert (added.returncode, added.stdout) == (0, "kept; it is dialled until it is there: glow link ls\n")
    assert "printed something before the link: it began with 'Welcome to nas'" in added.stderr
    assert "hint: see what it prints before the link, and silence it: echo Welcome to nas" in added.stderr
    listed = nas.glow("link", "ls")
    assert "it began with 'Welcome to nas'" in listed
    assert "hint: see what it prints" in nas.glow("status")
    assert nas.run("link", "add", "pipe:ssh", "nas").returncode == 2
    assert nas.run("link", "add", "pipe:'x").returncode == 1
    assert nas.run("link", "rm", "elsewhere").returncode == 3
    assert nas.run("ping", "-n", "1", "self").returncode == 0
