"""The STUN responder: the answer of RFC 8489 to a Binding request, and to nothing else."""

from __future__ import annotations

import asyncio
import socket

import pytest
import trio
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from node.links.nat import SOME, look
from signaling.stun import AMPLIFICATION, HEADERS, MAX_QUESTION, answer, serve

SOURCE = ("192.0.2.1", 32853)
IDENTIFIER = bytes.fromhex("b7e7a701bc34d686fa87dfae")
"""The transaction of the sample requests of RFC 5769."""


def binding() -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, IDENTIFIER))


def test_the_transaction_of_rfc_5769_is_answered_with_the_address_of_its_sample_response() -> None:
    """Section 2.2 maps the same source to the same attribute, a147e112a643 behind the family."""
    question = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, IDENTIFIER)
    question.add_fingerprint()
    response = answer(bytes(question), SOURCE)
    assert response is not None
    assert bytes.fromhex("002000080001a147e112a643") in response
    parsed = stun.parse_message(response)
    assert parsed.transaction_id == IDENTIFIER
    assert parsed.attributes["XOR-MAPPED-ADDRESS"] == SOURCE
    assert "FINGERPRINT" in parsed.attributes  # as it was in the question


def test_ipv6_is_answered_with_the_address_of_rfc_5769() -> None:
    """Section 2.3."""
    response = answer(binding(), ("2001:db8:1234:5678:11:2233:4455:6677", 32853))
    assert response is not None
    assert bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9") in response


def test_an_ipv4_address_on_an_ipv6_socket_is_told_as_what_it_is() -> None:
    response = answer(binding(), ("::ffff:192.0.2.1", 32853))
    assert response is not None
    assert stun.parse_message(response).attributes["XOR-MAPPED-ADDRESS"] == SOURCE


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"\0" * 19,
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)),
        binding()[:-1],
        binding() + b"\0",
        binding() + bytes(MAX_QUESTION),
    ],
)
def test_nothing_else_is_answered(question: bytes) -> None:
    assert answer(question, SOURCE) is None


@given(st.binary(max_size=600), st.booleans())
def test_whatever_comes_is_answered_with_at_most_twice_as_much(noise: bytes, whole: bool) -> None:
    question = binding()[:20] + noise if whole else noise
    for source, version in ((SOURCE, 4), (("2001:db8::1", 9), 6)):
        response = answer(question, source)
        if response is not None:
            assert len(response) + HEADERS[version] <= AMPLIFICATION * (len(question) + HEADERS[version])


async def test_a_client_finds_out_its_address(nursery: trio.Nursery) -> None:
    """The one that nodes use, after noise that the server must outlive."""
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    with sock:
        nursery.start_soon(serve, sock)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
            for _ in range(100):
                noise.sendto(b"noise", sock.getsockname())
        url = f"stun:127.0.0.1:{sock.getsockname()[1]}"
        said = await trio.to_thread.run_sync(lambda: asyncio.run(look([url])))
        assert said not in ("", SOME)
        nursery.cancel_scope.cancel()
