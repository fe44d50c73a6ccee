"""Devices behind NATs of all six kinds: all 36 ordered pairs work at once by the hub, then as directly as can be."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.end_to_end import coturn, nats
from tests.end_to_end.nat_pairs import expected, measure, table, world
from tests.end_to_end.nats import Nat

FIRST_CALL = 3.0
"""Seconds that the first answered call may take; twice as much is asserted, for machines that have other work."""


def test_every_pair_is_as_direct_as_its_nats_allow(tmp_path: Path) -> None:
    if reason := nats.missing() or coturn.missing():
        pytest.skip(reason)
    with world(tmp_path) as made:
        pairs = trio.run(measure, made)
    slowest = max(pair.first_call for pair in pairs)
    linked = sorted(pair.linked for pair in pairs if pair.linked is not None)
    print(f"\n{table(pairs)}\nslowest first call {slowest:.2f} s; linked after {linked[0]:.1f} to {linked[-1]:.1f} s")
    assert len(pairs) == 36
    assert {pair.name: pair.path for pair in pairs} == {pair.name: expected(pair.caller, pair.called) for pair in pairs}
    assert slowest < 2 * FIRST_CALL
    blocked = [pair.said for pair in pairs if Nat.UDP_BLOCKED in (pair.caller, pair.called)]
    assert all("lets no UDP through" in said for said in blocked), blocked
