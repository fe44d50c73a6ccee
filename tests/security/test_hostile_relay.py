"""A certified relay that reads, changes, repeats, reorders and invents packets causes delay and nothing else.

laptop - relay - nas are real nodes; the relay's switch is the attacker.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from firefly.packet import (
    BULK,
    DATA,
    HANDSHAKE,
    HEADER_SIZE,
    INTERACTIVE,
    UNREACHABLE,
    UnreachableReason,
    pack_header,
    pack_unreachable,
)
from firefly.runtime import ArgumentStream
from tests.firefly.runtime.probe import Probe, ProbeServer
from tests.node.family import LIMIT, Family, family

SECRET = b"the treasure is below the third oak"
LABEL = "treasure-map"
Tamper = Callable[[bytes], list[bytes]]


class Vault(ProbeServer):
    def __init__(self) -> None:
        self.seen: list[int] = []

    def echo(self, data: bytes) -> bytes:
        return data

    def once(self, number: int) -> int:
        self.seen.append(number)
        return number

    def note(self, number: int) -> None:
        self.seen.append(number)

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        async for item in items:
            self.seen.append(item)
        return number


class Relay:
    """The relay's switch in the hands of an attacker. `tamper` says what goes on in place of a packet."""

    def __init__(self, all_three: Family) -> None:
        self.router = all_three.relay._node.router
        self.seen: list[bytes] = []
        self.changed = 0
        self.tamper: Tamper = lambda packet: [packet]
        self._forward = self.router._forward
        self.router._forward = self._instead  # type: ignore[method-assign]

    def _instead(self, packet: bytes, arrival: Any) -> None:
        packet = bytes(packet)
        self.seen.append(packet)
        sent = self.tamper(packet) if packet[0] & 15 == DATA else [packet]
        self.changed += sent != [packet]
        for each in sent:
            self._forward(each, arrival)

    def invent(self, packet: bytes) -> None:
        """Sends a packet of the attacker's own."""
        self._forward(packet, None)
        self.router.flush()


@asynccontextmanager
async def attacked(folder: Path) -> AsyncIterator[tuple[Relay, Vault, Probe, Family]]:
    async with family(folder) as all_three:
        relay, vault = Relay(all_three), Vault()
        resource = await all_three.nas.serve(LABEL, vault)
        probe = all_three.laptop.at(all_three.nas.address, resource, Probe)
        with trio.fail_after(LIMIT):
            assert await probe.echo(b"before") == b"before"
            yield relay, vault, probe, all_three


async def test_a_relay_reads_neither_values_nor_labels_nor_methods(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (relay, _, probe, _):
        big = SECRET * 2000
        assert await probe.echo(SECRET) == SECRET
        assert await probe.echo(big) == big
        passed = b"".join(relay.seen)
        assert len(passed) > 2 * len(big)  # it did go through here
        for secret in (SECRET, LABEL.encode(), b"probe.Probe", b"echo", b"before"):
            assert secret not in passed


def flip(chance: random.Random) -> Tamper:
    """One bit of every tenth packet, anywhere behind the header."""

    def tamper(packet: bytes) -> list[bytes]:
        if chance.random() > 0.1:
            return [packet]
        damaged = bytearray(packet)
        damaged[chance.randrange(HEADER_SIZE, len(packet))] ^= 1 << chance.randrange(8)
        return [bytes(damaged)]

    return tamper


def repeat(chance: random.Random) -> Tamper:
    """Every packet again, and an old one with it."""
    old: list[bytes] = []

    def tamper(packet: bytes) -> list[bytes]:
        old.append(packet)
        return [packet, chance.choice(old), packet]

    return tamper


def reorder(chance: random.Random) -> Tamper:
    """Holds packets back, and lets several go in any order."""
    held: list[bytes] = []

    def tamper(packet: bytes) -> list[bytes]:
        held.append(packet)
        if len(held) < 3 and chance.random() < 0.15:
            return []
        chance.shuffle(held)
        released = held[:]
        held.clear()
        return released

    return tamper


def swap_lane(chance: random.Random) -> Tamper:
    """Calls some bulk packets interactive and the other way round, which is authenticated too: they are lost."""

    def tamper(packet: bytes) -> list[bytes]:
        if chance.random() > 0.1:
            return [packet]
        priority = {INTERACTIVE: BULK, BULK: INTERACTIVE}.get(packet[2], packet[2])
        return [packet[:2] + bytes((priority,)) + packet[3:]]

    return tamper


@pytest.mark.parametrize("attack", [flip, repeat, reorder, swap_lane])
async def test_every_call_is_run_once_and_every_stream_keeps_its_order(
    tmp_path: Path, attack: Callable[[random.Random], Tamper]
) -> None:
    async with attacked(tmp_path) as (relay, vault, probe, _):
        relay.tamper = attack(random.Random(7))
        for number in range(50):
            assert await probe.once(number) == number
            data = os.urandom(50)
            assert await probe.echo(data) == data
        assert await probe.total(1, range(50, 3000)) == 1
        for number in range(3000, 3100):
            await probe.note(number)
        assert await probe.once(3100) == 3100
        assert vault.seen == list(range(3101))
        assert relay.changed >= 10


async def test_what_a_relay_invents_ends_nothing(tmp_path: Path) -> None:
    """Packets in the name of others: hints that lie, sessions that are not, handshakes of nobody."""
    async with attacked(tmp_path) as (relay, _, probe, all_three):
        laptop, nas = all_three.laptop.address, all_three.nas.address
        sessions = all_three.nas._node.peers.sessions
        opened = sessions.counters["opened"]
        theirs = next(packet for packet in relay.seen if packet[0] & 15 == DATA and packet[8:24] == nas)
        chance = random.Random(7)
        for _ in range(200):
            for kind, payload in (
                (DATA, chance.randbytes(60)),
                (DATA, theirs[HEADER_SIZE : HEADER_SIZE + 8] + chance.randbytes(60)),
                (HANDSHAKE, chance.randbytes(200)),
                (UNREACHABLE, chance.randbytes(40)),
                *((UNREACHABLE, pack_unreachable(reason, theirs[HEADER_SIZE:])) for reason in UnreachableReason),
            ):
                relay.invent(pack_header(kind, INTERACTIVE, len(payload), nas, laptop) + payload)
        assert await probe.echo(b"after") == b"after"
        assert sessions.counters["opened"] == opened
        assert sum(sessions.counters.values()) > 200  # they did arrive, and were counted
