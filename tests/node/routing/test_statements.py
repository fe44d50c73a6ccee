"""The store against a model: whatever comes in whatever order, the best of each slot is kept, within the bounds."""

import math

from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import Envelope
from node.routing.statements import Outcome, Place, Statement, Statements
from tests.node.routing.test_flooding import Notes


class Few(Notes):
    limit = 3
    lifetime = 10.0


class Lasting(Notes):
    name = "lasting"
    lifetime = math.inf


FEW, LASTING = Few(), Lasting()


def statement(slot: int, rank: int, identity: int = 0, born: float = 0.0, kind: Notes = FEW) -> Statement:
    identifier = bytes([slot, rank, identity]) + bytes(29)
    subject = bytes([slot]) * 32
    place = Place(bytes(32), bytes([slot]), rank, subject)
    return Statement(kind, place, Envelope(kind.name, b"", bytes(32), identifier), b"data", born)


offers = st.builds(
    statement, slot=st.integers(0, 2), rank=st.integers(1, 5), identity=st.integers(0, 2), kind=st.just(LASTING)
)


@given(st.lists(offers), st.randoms(use_true_random=False))
def test_any_order_ends_in_the_same_set(offered: list[Statement], random: object) -> None:
    stores = Statements(), Statements()
    for one in offered:
        stores[0].offer(one, 0.0)
    for one in reversed(offered):
        stores[1].offer(one, 0.0)
    best = {
        slot: min(ids)
        for slot in {one.place.slot for one in offered}
        for top in [max(one.place.rank for one in offered if one.place.slot == slot)]
        for ids in [[one.envelope.id for one in offered if (one.place.slot, one.place.rank) == (slot, top)]]
    }
    for store in stores:
        assert {held.place.slot: held.envelope.id for held in store} == best
        assert len(store) == len(best)
        for held in store:
            assert store.by_id(held.envelope.id) is held
            assert store.about(held.place.slot * 32) == [held]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5), st.sampled_from([0.0, 1.0, 9.0, 11.0]))))
def test_bounds_hold_and_nothing_comes_back_below_its_rank(steps: list[tuple[int, int, float]]) -> None:
    store, now = Statements(), 0.0
    highest: dict[int, tuple[int, float]] = {}
    for slot, rank, pause in steps:
        now += pause
        for gone in store.expire(now):
            assert gone.expires <= now
            highest[gone.place.slot[0]] = (gone.place.rank, now + 10.0)
        outcome = store.offer(statement(slot, rank, born=now), now)
        below, until = highest.get(slot, (0, 0.0))
        if outcome is Outcome.NEW:
            assert rank > below or now >= until
        assert len(store.on_shelf(bytes(32), FEW.name)) == len(store) <= FEW.limit
        assert store.next_expiry() > now


def test_outcomes() -> None:
    store = Statements()
    assert store.offer(statement(1, 2), 0.0) is Outcome.NEW
    assert store.offer(statement(1, 2), 0.0) is Outcome.KNOWN
    assert store.offer(statement(1, 1), 0.0) is Outcome.OLDER
    assert store.offer(statement(1, 3, born=-10.0), 0.0) is Outcome.EXPIRED
    assert store.offer(statement(2, 1), 0.0) is Outcome.NEW
    assert store.offer(statement(3, 1), 0.0) is Outcome.NEW
    assert store.offer(statement(4, 1), 0.0) is Outcome.FULL
    assert store.offer(statement(1, 3), 0.0) is Outcome.NEW
    assert store.get((bytes(32), "note", bytes([9]))) is None
    assert store.get((b"nowhere", "note", bytes([1]))) is None
    assert store.on_shelf(b"nowhere", "note") == []


def test_of_equal_rank_the_lower_id_wins() -> None:
    store = Statements()
    store.offer(statement(1, 1, 5), 0.0)
    assert store.offer(statement(1, 1, 4), 0.0) is Outcome.NEW
    assert store.offer(statement(1, 1, 5), 0.0) is Outcome.OLDER


def test_statements_without_a_lifetime_stay_and_leave_no_memory() -> None:
    store = Statements()
    lasting = statement(1, 1, kind=LASTING)
    store.offer(lasting, 0.0)
    assert store.next_expiry() == math.inf
    assert store.expire(1e9) == []
    store.remove(lasting, 0.0)
    assert store.offer(lasting, 0.0) is Outcome.NEW


def test_expiries_of_what_was_superseded_do_not_pile_up() -> None:
    store = Statements()
    for rank in range(250):
        store.offer(statement(1, rank, born=rank / 100), rank / 100)
    assert len(store._expiries) <= 2 * len(store) + 65
    assert store.next_expiry() == 12.49


def test_age_is_whole_seconds_and_never_negative() -> None:
    one = statement(1, 1, born=5.0)
    assert (one.age(4.0), one.age(5.9), one.age(8.0)) == (0, 0, 3)
