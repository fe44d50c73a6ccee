"""Who may send next: priorities, weights, turns, budgets and bounds."""

from collections import Counter
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.packet import BULK, CONTROL, DATA, INTERACTIVE, pack_header
from node.queues import AHEAD, BULK_QUANTUM, INTERACTIVE_QUANTUM, MINIMUM_ROOM, WEIGHT, Flow, LinkQueue

BUDGET = 64 * 1024


class Source:
    """A flow of `count` packets of one size, marked with its name."""

    def __init__(self, name: str, priority: int = INTERACTIVE, size: int = 1000, count: int = 10**9) -> None:
        self.destination = name.encode().ljust(16)
        self.priority = priority
        self.name = name
        self.size = size
        self.left = count
        self.budgets: list[int] = []

    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        assert link == "link"
        self.budgets.append(budget)
        if not self.left:
            return None
        self.left -= 1
        return self.name.encode().ljust(self.size, b".")


class Joining(Source):
    """A session's lane: makes packets that fill the budget."""

    def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
        self.size = min(max(budget, 1), 65_536)
        return super().next_packet(budget, now, link)


def name(packet: bytes) -> str:
    return packet.split(b".")[0].decode()


def shares(queue: LinkQueue, bundles: int, budget: int = BUDGET) -> Counter[str]:
    """Bytes per source over some bundles."""
    sent: Counter[str] = Counter()
    for _ in range(bundles):
        for packet in queue.next_bundle(budget, 0.0):
            sent[name(packet)] += len(packet)
    return sent


def filled(*sources: tuple[Source, Hashable]) -> LinkQueue:
    queue = LinkQueue("link")
    for source, arrival in sources:
        queue.ready(source, arrival)
    return queue


def test_an_empty_queue_has_nothing() -> None:
    queue = LinkQueue("link")
    assert not queue
    assert queue.next_bundle(BUDGET, 0.0) == []
    assert queue.counters.bundles == 0


def test_one_flow_fills_the_budget_and_no_more() -> None:
    queue = filled((Source("a"), None))
    bundle = queue.next_bundle(BUDGET, 0.0)
    assert BUDGET - MINIMUM_ROOM - 1000 <= sum(map(len, bundle)) <= BUDGET
    assert (queue.counters.bundles, queue.counters.packets) == (1, len(bundle))
    assert queue.counters.bytes == sum(map(len, bundle))


def test_a_flow_that_has_nothing_takes_part_again_when_it_is_ready() -> None:
    source = Source("a", count=2)
    queue = filled((source, None))
    assert len(queue.next_bundle(BUDGET, 0.0)) == 2
    assert not queue
    source.left = 1
    queue.ready(source)
    queue.ready(source)
    assert len(queue.next_bundle(BUDGET, 0.0)) == 1
    assert not queue


def test_one_packet_always_fits() -> None:
    queue = filled((Source("big", size=69_000, count=2), None))
    assert [len(packet) for packet in queue.next_bundle(4096, 0.0)] == [69_000]
    assert [len(packet) for packet in queue.next_bundle(10, 0.0)] == [69_000]
    assert queue.next_bundle(10, 0.0) == []


def test_a_packet_that_does_not_fit_opens_the_next_bundle() -> None:
    small, big = Source("small", size=3000, count=1), Source("big", size=60_000, count=1)
    queue = filled((small, None), (big, None))
    assert [name(packet) for packet in queue.next_bundle(8192, 0.0)] == ["small"]
    assert queue
    assert [name(packet) for packet in queue.next_bundle(8192, 0.0)] == ["big"]
    assert not queue.next_bundle(8192, 0.0)
    assert queue.counters.bytes == 63_000


@given(
    st.lists(
        st.builds(
            Source,
            st.sampled_from("abcdef"),
            st.sampled_from([CONTROL, INTERACTIVE, BULK]),
            st.integers(40, 70_000),
            st.integers(0, 20),
        ),
        max_size=6,
    ),
    st.integers(1, 256 * 1024),
)
def test_nothing_is_lost_or_sent_twice_and_no_budget_is_passed(sources: list[Source], budget: int) -> None:
    counts = sum(source.left for source in sources)
    total = sum(source.left * source.size for source in sources)
    queue = filled(*((source, number % 3) for number, source in enumerate(sources)))
    sent = []
    while bundle := queue.next_bundle(budget, 0.0):
        assert len(bundle) == 1 or sum(map(len, bundle)) <= budget
        sent += bundle
    assert not queue
    assert len(sent) == counts == queue.counters.packets
    assert sum(map(len, sent)) == total == queue.counters.bytes


def test_control_goes_first() -> None:
    queue = filled((Source("bulk", BULK), None), (Source("call"), None), (Source("control", CONTROL, 100, 3), None))
    names = [name(packet) for packet in queue.next_bundle(BUDGET, 0.0)]
    assert names[:4] == ["control"] * 3 + ["call"]


def test_interactive_and_bulk_share_by_weight() -> None:
    queue = filled((Source("bulk", BULK), None), (Source("call"), None))
    sent = shares(queue, 200)
    assert sent["call"] / sent["bulk"] == pytest.approx(WEIGHT, rel=0.1)


def test_weight_holds_for_big_packets_too() -> None:
    queue = filled((Joining("bulk", BULK), None), (Source("call", size=100), None))
    sent = shares(queue, 400)
    assert sent["call"] / sent["bulk"] == pytest.approx(WEIGHT, rel=0.2)


def test_a_call_does_not_wait_behind_bulk() -> None:
    bulk, call = Source("bulk", BULK, 60_000), Source("call", size=100, count=1)
    queue = filled((bulk, None))
    shares(queue, 50)
    queue.ready(call)
    assert "call" in [name(packet) for packet in queue.next_bundle(BUDGET, 0.0)]


def test_bulk_alone_gets_everything() -> None:
    queue = filled((Source("bulk", BULK), None))
    assert shares(queue, 10)["bulk"] > 10 * (BUDGET - MINIMUM_ROOM - 1000)


@pytest.mark.parametrize("priority", [INTERACTIVE, BULK])
def test_flows_share_evenly_whatever_their_packets_sizes(priority: int) -> None:
    sizes = {"a": 64, "b": 1500, "c": 9000, "d": 69_000}
    queue = filled(*((Source(key, priority, size), None) for key, size in sizes.items()))
    sent = shares(queue, 300)
    assert max(sent.values()) - min(sent.values()) <= 2 * (69_672 + BULK_QUANTUM)


def test_arrival_links_share_evenly_however_many_flows_they_bring() -> None:
    crowd = [(Source(f"crowd{number}"), "crowd") for number in range(50)]
    queue = filled(*crowd, (Source("own"), None), (Source("other"), "other"))
    sent = shares(queue, 400)
    of_crowd = sum(size for key, size in sent.items() if key.startswith("crowd"))
    assert of_crowd == pytest.approx(sent["own"], rel=0.05)
    assert sent["other"] == pytest.approx(sent["own"], rel=0.05)


def test_inside_an_arrival_link_flows_share_evenly() -> None:
    crowd = [(Source(f"crowd{number}", BULK), "crowd") for number in range(7)]
    sent = shares(filled(*crowd, (Source("own", BULK), None)), 1000)
    of_crowd = [size for key, size in sent.items() if key.startswith("crowd")]
    assert max(of_crowd) - min(of_crowd) <= 3 * BULK_QUANTUM


def test_a_flow_that_comes_late_is_not_owed_the_past() -> None:
    early, late = Source("early"), Source("late")
    queue = filled((early, None))
    shares(queue, 100)
    queue.ready(late)
    sent = shares(queue, 100)
    assert sent["early"] == pytest.approx(sent["late"], rel=0.02)


def test_a_flow_sees_the_room_that_is_left() -> None:
    source = Source("a", count=3)
    filled((source, None)).next_bundle(BUDGET, 0.0)
    assert source.budgets == [BUDGET, BUDGET - 1000, BUDGET - 2000, BUDGET - 3000]


def test_a_flow_may_announce_others_while_it_is_asked() -> None:
    queue = LinkQueue("link")
    other = Source("other", count=1)

    class Waker(Source):
        def next_packet(self, budget: int, now: float, link: Hashable) -> bytes | None:
            queue.ready(other)
            return super().next_packet(budget, now, link)

    queue.ready(Waker("waker", count=1))
    assert sorted(map(name, queue.next_bundle(BUDGET, 0.0))) == ["other", "waker"]


def transit(destination: str, source: str, size: int = 100, priority: int = INTERACTIVE) -> bytes:
    header = pack_header(DATA, priority, size, destination.encode().ljust(16), source.encode().ljust(16))
    return header + bytes(size)


def test_transit_packets_take_turns_with_local_flows() -> None:
    queue = filled((Source("local", size=1000, count=100), None))
    for number in range(100):
        assert queue.forward(transit("far", str(number % 5), 960), "arrival")
    assert queue.transit.charged > 0
    first = queue.next_bundle(BUDGET, 0.0)
    local = sum(packet.startswith(b"local") for packet in first)
    assert abs(2 * local - len(first)) <= 2 * INTERACTIVE_QUANTUM / 1000
    while queue:
        queue.next_bundle(BUDGET, 0.0)
    assert queue.counters.packets == 200
    assert queue.transit.charged == 0


def test_withdraw_hands_back_what_shall_leave_by_another_link() -> None:
    stays, goes, control = Source("stays"), Source("goes", BULK), Source("control", CONTROL)
    queue = filled((stays, None), (goes, None), (control, None))
    queue.forward(transit("stays", "x"), "arrival")
    queue.forward(transit("goes", "x"), "arrival")
    queue.forward(transit("goes", "hint"), None)
    flows, packets = queue.withdraw(lambda destination, arrival: destination == stays.destination)
    assert flows == [goes]
    assert packets == [(transit("goes", "x"), "arrival"), (transit("goes", "hint"), None)]
    names = {name(packet) for packet in queue.next_bundle(BUDGET, 0.0)}
    assert "goes" not in names
    queue.ready(goes)
    flows, _ = queue.withdraw(lambda destination, arrival: False)
    assert sorted(flow.destination.strip() for flow in flows) == [b"goes", b"stays"]


def test_a_flow_is_a_flow() -> None:
    flow: Flow = Source("a")
    assert flow.priority == INTERACTIVE
    assert WEIGHT * INTERACTIVE_QUANTUM == AHEAD
