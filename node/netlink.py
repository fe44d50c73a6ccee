"""What Linux tells of its network: that something has changed, the addresses, the ways out (man 7 rtnetlink).

The numbers are those of linux/netlink.h, rtnetlink.h, if_addr.h and if.h. Android may refuse: OSError.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_address

import trio

ROUTE = 0  # the protocol of what is asked here
GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK; IFADDR and ROUTE of IPv4 and of IPv6
REQUEST, DUMP = 0x1, 0x300
ERROR, DONE = 2, 3
GETLINK, GETADDR, GETROUTE = 18, 22, 26
RUNNING = 0x1 | 0x40  # IFF_UP, IFF_RUNNING
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
UNUSABLE = 0x40 | 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
ADDRESS = struct.Struct("=BBBBI")  # family, length of the prefix, flags, scope, index
WAY = struct.Struct("=BBBBBBBBI")  # family, length of the destination, and what is not needed here
ATTRIBUTE = struct.Struct("=HH")  # length, type
READ = 64 * 2**10
ANSWER_TIME = 1.0
"""Seconds that the kernel may take, which answers at once."""

Attributes = dict[int, bytes]
Address = IPv4Address | IPv6Address


class Changes:
    """Hears of every change. Raises OSError where nobody may."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, ROUTE)
        try:
            self._sock.bind((0, GROUPS))
        except OSError:
            self._sock.close()
            raise

    async def wait(self) -> None:
        """Until something has changed since `forget`."""
        await trio.lowlevel.wait_readable(self._sock)

    def forget(self) -> None:
        """Drops what was told so far. Raises OSError."""
        while True:
            try:
                self._sock.recv(READ)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more has changed than the kernel could keep for us
                    raise

    def close(self) -> None:
        self._sock.close()


def addresses() -> list[Address]:
    """Those of this device that can be used now: their interface is up and runs. Raises OSError."""
    with closing(_open()) as sock:
        links = (LINK.unpack_from(body) for body in _ask(sock, GETLINK, LINK.pack(0, 0, 0, 0, 0), DUMP))
        running = {index for _, _, index, flags, _ in links if flags & RUNNING == RUNNING}
        return [
            found for body in _ask(sock, GETADDR, ADDRESS.pack(0, 0, 0, 0, 0), DUMP) for found in _usable(body, running)
        ]


def way_out(outside: str) -> str:
    """The gateway, or else the interface, by which packets to an address leave; empty if none do. Raises OSError."""
    address = ip_address(outside)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    question = WAY.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    question += ATTRIBUTE.pack(ATTRIBUTE.size + len(address.packed), RTA_DST) + address.packed
    with closing(_open()) as sock:
        try:
            body = next(_ask(sock, GETROUTE, question))
        except OSError as error:
            if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL):  # as the route says
                return ""
            raise
    found = _attributes(body, WAY.size)
    if RTA_GATEWAY in found:
        return str(ip_address(found[RTA_GATEWAY]))
    return socket.if_indextoname(int.from_bytes(found.get(RTA_OIF, b""), sys.byteorder))


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, ROUTE)
    sock.settimeout(ANSWER_TIME)
    return sock


def _ask(sock: socket.socket, kind: int, body: bytes, flags: int = 0) -> Iterator[bytes]:
    """The answers to a question: what follows their headers. Raises OSError."""
    sock.send(HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, 1, 0) + body)
    while True:
        data = sock.recv(READ)
        at = 0
        while at + HEADER.size <= len(data):
            length, kind, *_ = HEADER.unpack_from(data, at)
            answer = data[at + HEADER.size : at + length]
            if kind == DONE:
                return
            if kind == ERROR:
                number = -int.from_bytes(answer[:4], sys.byteorder, signed=True)
                raise OSError(number, os.strerror(number))
            yield answer
            at += max(length + 3 & ~3, HEADER.size)


def _usable(body: bytes, running: set[int]) -> Iterator[Address]:
    _, _, flags, _, index = ADDRESS.unpack_from(body)
    found = _attributes(body, ADDRESS.size)
    flags |= int.from_bytes(found.get(IFA_FLAGS, b""), sys.byteorder)
    packed = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)  # where the two differ, the latter is the other end's
    if index in running and packed and not flags & UNUSABLE:
        yield ip_address(packed)


def _attributes(body: bytes, at: int) -> Attributes:
    found = {}
    while at + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, at)
        found[kind] = body[at + ATTRIBUTE.size : at + length]
        at += max(length + 3 & ~3, ATTRIBUTE.size)
    return found
