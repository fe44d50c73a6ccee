"""Announcements on the loopback interface, by zeroconf itself: who is heard, and what strangers cost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from typing import Any

import pytest

from node.announcements import KEPT, LIFETIME, SERVICE, Adapter, Announcements, Heard, Names, Said
from node.directory import NamespaceKey
from node.recognition import Tokens, token_of, tokens_of

LOOPBACK = Adapter("127.0.0.1", (ip_interface("127.0.0.1/8"),))
KEY = NamespaceKey(bytes(range(32)))
ONE, OTHER = b"1" * 16, b"2" * 16
HOUR, PORT = 480_000, 4747
HOSTS = frozenset({"127.0.0.1"})
STRANGERS = 200
WAIT = 20.0


class Ear:
    """What an instance has heard; `until` waits for it."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._told = threading.Condition()

    def __call__(self, heard: Heard) -> None:
        with self._told:
            self.heard.append(heard)
            self._told.notify_all()

    def until(self, holds: Callable[[], Any]) -> None:
        with self._told:
            assert self._told.wait_for(holds, WAIT), self.heard


@contextmanager
def air(ear: Ear, tokens: Tokens, names: Names | None = None) -> Iterator[Announcements]:
    made = Announcements([LOOPBACK], names or Names(), ear)
    made.recognise(tokens)
    try:
        yield made
    finally:
        made.close()


OURS = tokens_of(KEY, HOUR, [ONE, OTHER])


def test_two_of_one_namespace_hear_each_other_and_when_one_leaves() -> None:
    one, other, names = Ear(), Ear(), Names()
    with air(other, OURS):
        with air(one, OURS, names) as speaking:
            speaking.announce(token_of(KEY, HOUR, ONE), PORT, HOSTS)
            other.until(lambda: other.heard)
            [heard] = other.heard[:1]
            assert heard == Heard(f"{names.instance}.{SERVICE}", ONE, (f"tcp://127.0.0.1:{PORT}",))
        other.until(lambda: other.heard[-1].leaves)
        assert other.heard[-1].address == ONE


def test_who_is_recognised_later_was_heard_before() -> None:
    ear = Ear()
    with air(ear, {}) as listening, air(Ear(), {}) as speaking:
        speaking.announce(token_of(KEY, HOUR, ONE), PORT, HOSTS)
        marker = Ear()
        with air(marker, OURS) as third:  # it speaks after the first, and is heard after it
            third.announce(token_of(KEY, HOUR, OTHER), PORT, HOSTS)
            marker.until(lambda: len({heard.address for heard in marker.heard}) >= 1)
            listening.recognise(OURS)
            ear.until(lambda: {heard.address for heard in ear.heard} >= {ONE})


def test_strangers_are_not_heard_nor_answered_however_many_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 announce themselves; what this node sends is what it would have sent without them."""
    ear = Ear()
    with air(ear, OURS) as listening, air(Ear(), {}) as speaking:
        sent: list[Any] = []
        send = listening._zeroconf.async_send
        monkeypatch.setattr(
            listening._zeroconf, "async_send", lambda *given, **named: (sent.append(given), send(*given, **named))
        )
        listening.announce(token_of(KEY, HOUR, ONE), PORT, HOSTS)
        ear.until(lambda: ear.heard)  # it hears itself, too
        own = len(sent)

        def announce(token: bytes) -> None:
            """Under names of its own, in zeroconf's thread."""
            speaking._names = Names()
            speaking._send(Said(token, PORT, HOSTS), LIFETIME)

        for token in [*(os.urandom(16) for _ in range(STRANGERS)), token_of(KEY, HOUR, OTHER)]:
            speaking._call(announce, token)
        ear.until(lambda: OTHER in {heard.address for heard in ear.heard})
        assert {heard.address for heard in ear.heard} == {ONE, OTHER}
        assert own == len(sent) == 1
        assert len(listening._kept) == STRANGERS + 2 <= KEPT


def test_an_announcement_sends_nobody_to_another_network() -> None:
    ear = Ear()
    with air(ear, OURS), air(Ear(), {}) as speaking:
        speaking._adapters = {"127.0.0.1": Adapter("127.0.0.1", (ip_interface("198.51.100.7/24"),))}
        speaking.announce(token_of(KEY, HOUR, ONE), PORT, frozenset({"198.51.100.7"}))
        ear.until(lambda: ear.heard)
        assert ear.heard[0].urls == ()
