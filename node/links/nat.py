"""What stands between this device and the others: what STUN servers see of a datagram's sender (RFC 5780, section 4.3).

Part of the program for data channels (datachannels.py): it runs on asyncio, and knows STUN by aioice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import ifaddr
from aioice import stun
from aiortc.rtcicetransport import parse_stun_turn_uri

from node.links.channels import BLOCKED

Address = tuple[str, int]
WAIT, TIMES = 0.5, 3
"""Seconds between two questions to a server that does not answer, and how often it is asked."""
OPEN = "nothing: its addresses are public"
SAME = "a NAT that gives it one address towards all"
OTHER = "a NAT that gives it another address towards each (symmetric)"
SOME = "a NAT"


class _Asking(asyncio.DatagramProtocol):
    """Keeps what the servers say, by the question."""

    def __init__(self) -> None:
        self.answers: dict[bytes, Address] = {}
        self.heard = asyncio.Event()

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.message_class is stun.Class.RESPONSE and "XOR-MAPPED-ADDRESS" in message.attributes:
            self.answers[message.transaction_id] = message.attributes["XOR-MAPPED-ADDRESS"]
            self.heard.set()


async def look(urls: Iterable[str]) -> str:
    """What this device is behind, as the servers at `urls` (stun: or turn:, over UDP) see it; empty without any."""
    servers = await _addresses(urls)
    if not servers:
        return ""
    transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(_Asking, local_addr=("0.0.0.0", 0))
    try:
        seen = await _ask(transport, asking, servers)
    finally:
        transport.close()
    return verdict(seen, own_addresses())


async def _addresses(urls: Iterable[str]) -> list[Address]:
    """Up to two servers, which show whether a NAT treats destinations alike."""
    found: list[Address] = []
    for url in urls:
        parsed = parse_stun_turn_uri(url)
        if parsed["scheme"] in ("stun", "turn") and parsed.get("transport", "udp") == "udp":
            try:
                entries = await asyncio.get_running_loop().getaddrinfo(parsed["host"], parsed["port"], family=2)
            except OSError:
                continue
            found += [(str(entry[4][0]), parsed["port"]) for entry in entries[:1]]
    return list(dict.fromkeys(found))[:2]


async def _ask(transport: asyncio.DatagramTransport, asking: _Asking, servers: Sequence[Address]) -> list[Address]:
    """What the servers that answer see, in their order."""
    questions = [stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST) for _ in servers]
    for _ in range(TIMES):
        for server, question in zip(servers, questions, strict=True):
            if question.transaction_id not in asking.answers:
                transport.sendto(bytes(question), server)
        try:
            async with asyncio.timeout(WAIT):
                while len(asking.answers) < len(servers):
                    asking.heard.clear()
                    await asking.heard.wait()
            break
        except TimeoutError:
            continue
    return [asking.answers[each.transaction_id] for each in questions if each.transaction_id in asking.answers]


def verdict(seen: Sequence[Address], own: Sequence[str]) -> str:
    """`seen`: what each server that answered sees; `own`: the addresses of this device."""
    if not seen:
        return BLOCKED
    if seen[0][0] in own:
        return OPEN
    if len(seen) < 2:
        return SOME
    return SAME if seen[0] == seen[1] else OTHER


def own_addresses() -> list[str]:
    return [str(ip_address(ip.ip)) for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
