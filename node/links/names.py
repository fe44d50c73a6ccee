"""The names of multicast DNS behind which browsers hide their addresses (draft-ietf-mmusic-mdns-ice-candidates,
RFC 6762).

Part of the program for data channels (datachannels.py). aioice looks such names up, too, but drops an answer for any
record in it that dnspython takes amiss. All answers of Chromium hold one: an NSEC record with a compressed name, which
multicast DNS allows (RFC 6762, section 18.14).
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from node.links.nat import own_addresses

SUFFIX = ".local"
GROUP, PORT = "224.0.0.251", 5353
WAIT, TIMES = 1.0, 3
"""Seconds between two questions for a name (RFC 6762, section 5.2), and how often it is asked for."""
KINDS = {dns.rdatatype.A: IPv4Address, dns.rdatatype.AAAA: IPv6Address}


async def look_up(name: str) -> str:
    """The address of a device on the local networks. Raises OSError, also where no device has the name."""
    loop = asyncio.get_running_loop()
    sought = dns.name.from_text(name)
    with _socket() as sock:
        transport, asking = await loop.create_datagram_endpoint(lambda: _Asking(sought), sock=sock)
        try:
            for _ in range(TIMES):
                _ask(sock, sought)
                with suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(asking.answer), WAIT)
        finally:
            transport.close()
    raise TimeoutError(f"no device on this network says that it is {name}")


class _Asking(asyncio.DatagramProtocol):
    """Hears everybody's answers, until one is about the name."""

    def __init__(self, sought: dns.name.Name) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sought = sought

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        found = answer_in(data, self._sought)
        if found and not self.answer.done():
            self.answer.set_result(found)


def _socket() -> socket.socket:
    """A socket that hears the group on all networks. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for option in ("SO_REUSEADDR", "SO_REUSEPORT"):  # whoever else answers or asks on this device has the port, too
            if hasattr(socket, option):
                sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        sock.bind(("", PORT))
        for own in own_addresses():
            with suppress(OSError):  # that network has no multicast; the one that has the name may
                group = socket.inet_aton(GROUP) + socket.inet_aton(own)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    except OSError:
        sock.close()
        raise
    return sock


def _ask(sock: socket.socket, name: dns.name.Name) -> None:
    """Asks on all networks. A question each: Chromium takes no more in one message."""
    for kind in KINDS:
        question = dns.message.make_query(name, kind, flags=0, id=0).to_wire()
        for own in own_addresses():
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
                sock.sendto(question, (GROUP, PORT))


def answer_in(data: bytes, name: dns.name.Name) -> str:
    """The address that a message gives the name; empty if it gives none. What else is in it may be anything."""
    try:
        message = dns.message.from_wire(data, continue_on_error=True)
    except dns.exception.DNSException:
        return ""
    for records in message.answer if message.flags & dns.flags.QR else []:
        if records.name == name and records.rdtype in KINDS:
            for record in records:
                with suppress(ValueError):  # of another length than addresses of this kind have
                    return str(KINDS[records.rdtype](record.to_generic().data))
    return ""
