"""No total goes backwards, whatever ends, and there are never more of them than is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from firefly.session import Counters
from node.queues import LinkQueue
from node.totals import MAX_PEERS, OTHERS, Totals, count_link


@dataclass(eq=False)
class End:
    """As much of a link as is counted."""

    peer_address: bytes
    kind: str = "tcp"
    sent_bytes: int = 0
    received_bytes: int = 0
    queue: LinkQueue = field(default_factory=lambda: LinkQueue("link"))


@dataclass(eq=False)
class Talk:
    """As much of a session as is counted."""

    peer_address: bytes
    counters: Counters = field(default_factory=Counters)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000), st.booleans())))
def test_no_total_goes_backwards(events: list[tuple[int, int, bool]]) -> None:
    totals, links, sessions = Totals(), dict[int, End](), dict[int, Talk]()
    sent = before = 0
    for number, size, ends in events:
        link = links.setdefault(number, End(bytes([number])))
        session = sessions.setdefault(number, Talk(bytes([number])))
        link.sent_bytes += size
        session.counters.resent += size
        sent += size
        if ends:
            totals.link_ended(links.pop(number))
            totals.session_ended(sessions.pop(number), {"busy": 1})
        counted = totals.links(links.values())
        assert sum(each["sent"] for each in counted.values()) == sent >= before
        assert sum(each["resent"] for each in totals.sessions(sessions.values()).values()) == sent
        before = sent
    assert totals.calls["busy"] == sum(ends for _, _, ends in events)


def test_64_peers_have_totals_of_their_own_for_good() -> None:
    totals = Totals()
    ends = [End(number.to_bytes(2, "big"), sent_bytes=1) for number in range(200)]
    for end in ends[:100]:
        totals.link_ended(end)
    for end in ends:
        totals.session_ended(Talk(end.peer_address), {})
    counted = totals.links(ends[100:])
    assert len(counted) == len(totals.sessions([])) == MAX_PEERS + 1
    assert counted[OTHERS, "tcp"]["sent"] == 200 - MAX_PEERS
    assert all(counted[end.peer_address, "tcp"]["sent"] == 1 for end in ends[:MAX_PEERS])


def test_drops_are_counted_by_reason() -> None:
    end = End(b"peer", sent_bytes=5, received_bytes=7)
    end.queue.forward(b"too short", "arrival")
    zero = dict.fromkeys(("packets", "flow_full", "link_full"), 0)
    assert count_link(end) == Counter({"sent": 5, "received": 7, "unforwardable": 1} | zero)
