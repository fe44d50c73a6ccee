"""A STUN server that tells whoever asks from where it was asked, and does nothing else (RFC 8489, Binding).

It keeps nothing of anybody, and answers with at most twice what it was asked, as the network carries both: so it is no
use for flooding others with answers to questions in their name.
"""

from __future__ import annotations

from ipaddress import ip_address

import trio
from aioice import stun

MAX_QUESTION = 548
"""Bytes of a question that is looked at (RFC 8489, section 6.1)."""
HEADERS = {4: 28, 6: 48}
"""Bytes of IP and UDP around a datagram."""
AMPLIFICATION = 2
BURST = 64
"""Datagrams that are answered before others have a turn."""


def answer(question: bytes, source: tuple[str, int]) -> bytes | None:
    """The answer to a datagram from an address; None if it deserves none."""
    if len(question) > MAX_QUESTION:
        return None
    try:
        asked = stun.parse_message(question)
    except (ValueError, KeyError, IndexError, TypeError, UnicodeDecodeError):
        return None
    if asked.message_method is not stun.Method.BINDING or asked.message_class is not stun.Class.REQUEST:
        return None
    address = ip_address(source[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    told = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, asked.transaction_id)
    told.attributes["XOR-MAPPED-ADDRESS"] = str(address), source[1]
    if "FINGERPRINT" in asked.attributes:
        told.add_fingerprint()
    response = bytes(told)
    around = HEADERS[address.version]
    return response if around + len(response) <= AMPLIFICATION * (around + len(question)) else None


async def serve(sock: trio.socket.SocketType) -> None:
    """Answers at a bound UDP socket, until it is cancelled."""
    count = 0
    while True:
        try:
            question, source = await sock.recvfrom(MAX_QUESTION + 1)
        except OSError:  # what an answer before has caused, such as a port that is closed by now
            continue
        response = answer(question, source[:2])
        if response is not None:
            try:
                await sock.sendto(response, source)
            except OSError:
                continue
        count += 1
        if count % BURST == 0:
            await trio.lowlevel.checkpoint()
