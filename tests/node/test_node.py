"""What a node does with what its store gives back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from firefly.keys import NodeKey
from firefly.runtime import open_workers
from node.certificates import MEMBER, certify
from node.home import Home
from node.identity import create_identity, keep, load_node_key, user_key
from node.node import Node
from node.store import Store


async def test_statements_are_taken_in_any_order_and_sequences_only_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    words = create_identity(home, "nas")
    namespace, key = user_key(words).public, load_node_key(home)
    member = NodeKey.generate()
    store = Store(home.database)
    keep(store, namespace, certify(key, namespace, member.public, MEMBER, time.time()), member.public)
    sequences = []
    for order in (1, -1):
        async with open_workers() as workers, trio.open_nursery() as nursery:
            node = Node(home, store, key, nursery, workers)
            statements = store.statements()[::order]
            monkeypatch.setattr(store, "statements", lambda statements=statements: statements)
            node.load()
            monkeypatch.undo()
            assert node.book.role(namespace, member.public) == MEMBER
            sequences.append(node.mesh.sequence(namespace))
            nursery.cancel_scope.cancel()
    assert sequences[1] > sequences[0]
    store.close()


async def test_what_rests_on_an_expired_certificate_ends(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    words = create_identity(home, "nas")
    namespace, key = user_key(words).public, load_node_key(home)
    store = Store(home.database)
    member = NodeKey.generate()
    keep(store, namespace, certify(key, namespace, member.public, MEMBER, time.time()), member.public)
    async with open_workers() as workers, trio.open_nursery() as nursery:
        node = Node(home, store, key, nursery, workers)
        node.load()
        assert node.caller_of(member.public).role == MEMBER
        node.book._clock = lambda: time.time() + 40 * 86400
        node._certificates_changed()
        assert node.caller_of(member.public).role == 0
        nursery.cancel_scope.cancel()
    store.close()
