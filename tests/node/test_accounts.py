"""What may cross a hub: as much as is answered, within the budget of a namespace."""

from __future__ import annotations

from collections import Counter

from node.accounts import AHEAD, BUDGET, FORGET, PAIRS, UNANSWERED, Accounts

ANN, BEA = b"ann", b"bea"
KIB = 1024


class Hub:
    def __init__(self) -> None:
        self.now = 0.0
        self.counters: Counter[str] = Counter()
        self.accounts = Accounts(self.counters)

    def sends(self, size: int, sender: bytes = b"a", receiver: bytes = b"b") -> bool:
        """From Ann's to Bea's."""
        return self.accounts.allow(ANN, BEA, sender, receiver, size, self.now)

    def answers(self, size: int = 100, sender: bytes = b"b", receiver: bytes = b"a") -> bool:
        return self.accounts.allow(BEA, ANN, sender, receiver, size, self.now)


def test_before_an_answer_64_kib_cross_and_after_it_8_mib() -> None:
    hub = Hub()
    assert hub.sends(UNANSWERED)
    assert not hub.sends(1)
    assert hub.answers()
    assert hub.sends(AHEAD)
    assert not hub.sends(1)
    assert hub.answers()
    assert hub.sends(AHEAD)
    assert hub.counters == {"crossed_bytes": UNANSWERED + 2 * AHEAD + 200, "crossing_refused": 2}


def test_only_the_receiver_answers_and_only_to_the_sender() -> None:
    hub = Hub()
    hub.sends(UNANSWERED)
    hub.answers(sender=b"c")
    hub.answers(receiver=b"c")
    hub.accounts.allow(ANN, BEA, b"b", b"a", 100, hub.now)  # Ann's device, in the receiver's name
    assert not hub.sends(1)


def test_what_is_refused_answers_nothing() -> None:
    hub = Hub()
    hub.sends(UNANSWERED)
    hub.answers(UNANSWERED + 1)
    assert not hub.sends(1)


def test_all_pairs_of_a_namespace_share_its_budget_and_leave_that_of_others_alone() -> None:
    hub = Hub()
    pairs = BUDGET // UNANSWERED
    assert all(hub.sends(UNANSWERED, number.to_bytes(4, "big")) for number in range(pairs))
    assert not hub.sends(1, b"one more")
    assert hub.answers(sender=b"b", receiver=b"somebody")
    assert hub.answers(receiver=(0).to_bytes(4, "big"))
    assert hub.sends(UNANSWERED, b"one more")


def test_a_silent_pair_begins_anew() -> None:
    hub = Hub()
    hub.sends(UNANSWERED)
    hub.now = FORGET - 1
    assert not hub.sends(1)
    hub.now = FORGET
    assert hub.sends(UNANSWERED)
    assert not hub.sends(1)


def test_too_many_pairs_are_refused_until_some_are_silent() -> None:
    hub = Hub()
    for number in range(PAIRS):
        assert hub.sends(1, number.to_bytes(4, "big"))
    assert not hub.sends(1, b"one more")
    assert hub.answers()
    hub.now = FORGET
    assert hub.sends(1, b"one more")
