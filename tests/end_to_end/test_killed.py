"""kill -9 at any moment: what was acknowledged is there, what was not leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import trio

import firefly
from firefly.errors import GlowError
from firefly.interfaces.kv import KV
from tests.end_to_end.devices import Device

ROUNDS = 50
NewDevice = Callable[..., Device]


async def put_until_killed(home: Path, prefix: str, after: int, kill: Callable[[], object]) -> set[str]:
    """Puts keys, eight at a time; `kill` is called once `after` are acknowledged. Returns the acknowledged ones."""
    acknowledged: set[str] = set()

    async def writer(kv: KV, number: int) -> None:
        count = 0
        while True:
            key = f"{prefix}-{number}-{count}"
            try:
                await kv.put(key, key.encode())
            except GlowError:
                return
            acknowledged.add(key)
            count += 1
            if len(acknowledged) == after:
                kill()

    async with firefly.connect(home) as glow:
        kv = await glow.open("self/settings", KV)
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(writer, kv, number)
    return acknowledged


def test_no_acknowledged_put_is_lost(device: NewDevice) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    nas = device("nas")
    nas.glow("create", "kv", "--label", "settings")
    expected: set[str] = set()
    for number in range(ROUNDS):
        kill = lambda: os.kill(nas.node.pid, signal.SIGKILL)  # type: ignore[union-attr]  # noqa: E731
        expected |= trio.run(put_until_killed, nas.home, f"round-{number}", chance.randrange(1, 40), kill)
        assert nas.stop(signal.SIGKILL) == -signal.SIGKILL
        nas.start("node")
    found = set(nas.glow("kv", "ls", "self/settings").split())
    assert expected <= found
    assert len(expected) >= ROUNDS


def test_a_cut_copy_leaves_nothing_and_continues(device: NewDevice, tmp_path: Path) -> None:
    nas = device("nas")
    laptop = device("laptop", nas)
    share = tmp_path / "share"
    share.mkdir()
    data = os.urandom(2**20) * 64
    (tmp_path / "big").write_bytes(data)
    nas.glow("create", "filesystem", "--label", "files", f"root={share}", "writable=yes")
    copying = laptop.popen("cp", str(tmp_path / "big"), "nas:big")
    while not any(path.stat().st_size > 2**20 for path in share.iterdir()):
        assert copying.poll() is None or (share / "big").exists()
        if (share / "big").exists():
            break
    nas.stop(signal.SIGKILL)
    copying.kill()
    copying.communicate()
    assert not (share / "big").exists() or (share / "big").read_bytes() == data
    nas.start("node")
    laptop.glow("--timeout", "30", "cp", str(tmp_path / "big"), "nas:big")
    assert hashlib.sha256((share / "big").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert [path.name for path in share.iterdir()] == ["big"]


def test_the_relay_is_killed_and_comes_back(device: NewDevice) -> None:
    relay = device("relay")
    nas, laptop = device("nas", relay), device("laptop", relay)
    nas.glow("create", "kv", "--label", "settings")
    assert laptop.run("--timeout", "20", "wait", "nas").returncode in (0, 2)
    laptop.glow("kv", "set", "nas/settings", "theme", "dark")
    relay.stop(signal.SIGKILL)
    off = laptop.run("--timeout", "10", "kv", "get", "nas/settings", "theme")
    assert off.returncode == 5
    assert "error:" in off.stderr
    assert "hint:" in off.stderr
    relay.start("node")
    back = laptop.run("--timeout", "40", "kv", "get", "nas/settings", "theme")
    while back.returncode == 5:  # the standing links are dialled with a growing pause, 30 s at most
        back = laptop.run("--timeout", "40", "kv", "get", "nas/settings", "theme")
    assert back.stdout.strip() == "dark"
