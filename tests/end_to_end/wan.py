"""A stretch of bad network between two network namespaces: packets take their time, some never arrive (Linux, root).

    python wan.py NAMESPACE DEVICE NAMESPACE DEVICE [--delay SECONDS] [--loss SHARE] [--seed N]

It makes a TUN device in each namespace and carries what one sends to the other. It says `ready` once both are there,
and ends, and the devices with it, at the end of its input. Each line that it reads is a command:

    close    from now on each end is told so by a TCP reset, at once where a connection is open
    open     it carries again
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
MTU_ROOM = 65536
READS = 64
"""Packets that one end may send before the other has its turn."""
IPV4 = struct.Struct(">BBHHHBBH4s4s")
TCP = struct.Struct(">HHIIBBHHH")
IP_TCP = 6
FIN, SYN, RST, ACK = 1, 2, 4, 16


def enter(namespace: str) -> None:
    """Has this OS process go on in a named network namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}", "rb") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")


def open_tun(namespace: str, device: str) -> int:
    """A new TUN device in a namespace; it is there for as long as the returned descriptor is open. Raises OSError."""
    enter(namespace)
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def checksum(data: bytes) -> int:
    """RFC 1071."""
    words = struct.unpack(f">{len(data) // 2}H", data)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def segment(source: bytes, target: bytes, ports: tuple[int, int], sequence: int, answered: int, flags: int) -> bytes:
    """An IPv4 packet with a TCP segment without data."""

    def tcp(check: int) -> bytes:
        return TCP.pack(*ports, sequence, answered, 5 << 4, flags, 0, check, 0)

    def ip(check: int) -> bytes:
        return IPV4.pack(0x45, 0, IPV4.size + TCP.size, 0, 0, 64, IP_TCP, check, source, target)

    pseudo = source + target + struct.pack(">HH", IP_TCP, TCP.size)
    return ip(checksum(ip(0))) + tcp(checksum(pseudo + tcp(0)))


def reset_of(packet: bytes) -> bytes | None:
    """The reset that tells the sender of a TCP packet that its connection is over; None for what needs none."""
    if len(packet) < IPV4.size + TCP.size or packet[0] >> 4 != 4 or packet[9] != IP_TCP:
        return None
    offset = (packet[0] & 15) * 4
    source_port, target_port, sequence, answered, _, flags, *_ = TCP.unpack_from(packet, offset)
    if flags & RST:
        return None
    source, target, ports = packet[12:16], packet[16:20], (target_port, source_port)
    if flags & ACK:
        return segment(target, source, ports, answered, 0, RST)
    length = len(packet) - offset - (packet[offset + 12] >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
    return segment(target, source, ports, 0, (sequence + length) & 0xFFFFFFFF, RST | ACK)


def connection_of(packet: bytes) -> bytes:
    """Addresses and ports, which name a connection in one direction."""
    offset = (packet[0] & 15) * 4
    return packet[12:20] + packet[offset : offset + 4]


class Direction:
    """What one end sends, on its way to the other. `closed`: nothing passes, and each sender is told so."""

    def __init__(self, source: int, target: int, delay: float, loss: float, chance: random.Random) -> None:
        self.source = source
        self.closed = False
        self._target = target
        self._delay = delay
        self._loss = loss
        self._chance = chance
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._open: dict[bytes, bytes] = {}

    def take(self, now: float) -> None:
        """Reads what was sent."""
        for _ in range(READS):
            try:
                packet = os.read(self.source, MTU_ROOM)
            except (BlockingIOError, OSError):  # nothing left, or the device is down
                return
            if self.closed:
                self._refuse(reset_of(packet))
                continue
            if packet[0] >> 4 == 4 and packet[9] == IP_TCP:
                self._open[connection_of(packet)] = packet
            if self._chance.random() >= self._loss:
                self._waiting.append((now + self._delay, packet))

    def give(self, now: float) -> float | None:
        """Writes what has taken its time; returns the seconds until the next is due, None if there is none."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            write(self._target, waiting.popleft()[1])
        return waiting[0][0] - now if waiting else None

    def close(self) -> None:
        """Nothing passes any more, and who has a connection is told so."""
        self.closed = True
        self._waiting.clear()
        for packet in self._open.values():
            self._refuse(reset_of(packet))
        self._open.clear()

    def _refuse(self, reset: bytes | None) -> None:
        if reset is not None:
            write(self.source, reset)


def write(descriptor: int, packet: bytes) -> None:
    """Puts a packet into a device; it is lost if that is down or full, as on any network."""
    try:
        os.write(descriptor, packet)
    except OSError:
        return


def relay(ends: tuple[int, int], delay: float, loss: float, seed: int) -> None:
    """Carries packets until the input ends."""
    chance = random.Random(seed)
    both = [Direction(*pair, delay, loss, chance) for pair in (ends, ends[::-1])]
    by_source = {direction.source: direction for direction in both}
    poll = select.epoll()
    for descriptor in (sys.stdin.fileno(), *by_source):
        poll.register(descriptor, select.EPOLLIN)
    while True:
        now = time.monotonic()
        due = [seconds for direction in both if (seconds := direction.give(now)) is not None]
        for descriptor, _ in poll.poll(min(due, default=None)):
            if descriptor in by_source:
                by_source[descriptor].take(time.monotonic())
            elif not obey(os.read(descriptor, 4096), both):
                return


def obey(commands: bytes, both: list[Direction]) -> bool:
    """Follows what was read; false at the end of the input."""
    for command in commands.split():
        for direction in both:
            if command == b"close":
                direction.close()
            else:
                direction.closed = False
    return bool(commands)


def main() -> None:
    parser = argparse.ArgumentParser(description="A stretch of bad network between two network namespaces.")
    parser.add_argument("ends", nargs=4, metavar="NAMESPACE DEVICE")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each packet takes, one way")
    parser.add_argument("--loss", type=float, default=0.0, help="share of the packets that never arrive")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    first, first_device, second, second_device = arguments.ends
    ends = open_tun(first, first_device), open_tun(second, second_device)
    print("ready", flush=True)
    relay(ends, arguments.delay, arguments.loss, arguments.seed)


if __name__ == "__main__":
    main()
