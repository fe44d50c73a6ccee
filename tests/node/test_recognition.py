"""Who is recognised on a network, and by whom."""

from __future__ import annotations

import os

from node.directory import NamespaceKey
from node.recognition import TOKEN_SIZE, hour_of, token_of, tokens_of

OURS, THEIRS = NamespaceKey(bytes(range(32))), NamespaceKey(bytes(32))
ADDRESSES = [bytes([number]) * 16 for number in range(5)]


def test_a_node_is_recognised_in_its_hour_and_in_those_beside_it() -> None:
    tokens = tokens_of(OURS, 100, ADDRESSES)
    for hour in (99, 100, 101):
        assert [tokens[token_of(OURS, hour, address)] for address in ADDRESSES] == ADDRESSES
    for hour in (98, 102):
        assert not any(token_of(OURS, hour, address) in tokens for address in ADDRESSES)


def test_without_the_key_nobody_is_recognised() -> None:
    tokens = tokens_of(THEIRS, 100, ADDRESSES)
    assert not any(token_of(OURS, 100, address) in tokens for address in ADDRESSES)
    assert os.urandom(TOKEN_SIZE) not in tokens


def test_tokens_of_one_node_tell_nothing_of_each_other() -> None:
    """All differ, from hour to hour and from node to node."""
    found = {token_of(OURS, hour, address) for hour in range(50) for address in ADDRESSES}
    assert len(found) == 250
    assert {len(token) for token in found} == {TOKEN_SIZE}


def test_an_hour_has_3600_seconds() -> None:
    assert [hour_of(0.0), hour_of(3599.9), hour_of(3600.0)] == [0, 0, 1]
