"""So many times per second, each source by itself."""

from firefly.rate import Rate


def test_each_source_has_its_own_seconds() -> None:
    rate = Rate(2)
    assert [rate.allows("a", 0.0) for _ in range(3)] == [True, True, False]
    assert rate.allows("b", 0.5)
    assert not rate.allows("a", 0.9)
    assert [rate.allows("a", 1.0) for _ in range(3)] == [True, True, False]


def test_a_source_that_is_gone_leaves_nothing() -> None:
    rate = Rate(1)
    rate.allows("a", 0.0)
    rate.forget("a")
    rate.forget("a")
    assert rate.allows("a", 0.0)
