"""Flows of forwarded packets: order, bounds, and what comes out when routes change."""

from hypothesis import given
from hypothesis import strategies as st

from firefly.packet import BULK, CONTROL, DATA, HEADER_SIZE, INTERACTIVE, pack_header
from node.transit import FLOWS_PER_ARRIVAL, OVERHEAD, Transit, TransitFlow


def packet(destination: int = 1, source: int = 2, size: int = 10, priority: int = INTERACTIVE) -> bytes:
    header = pack_header(DATA, priority, size, destination.to_bytes(16, "big"), source.to_bytes(16, "big"))
    return header + bytes(size)


class Ready:
    def __init__(self) -> None:
        self.flows: list[TransitFlow] = []

    def __call__(self, flow: TransitFlow, arrival: object) -> None:
        if flow not in self.flows:
            self.flows.append(flow)

    def drain(self) -> list[bytes]:
        out = []
        for flow in self.flows:
            while (packet := flow.next_packet(0, 0.0, "link")) is not None:
                out.append(packet)
        self.flows.clear()
        return out


def test_packets_of_a_flow_keep_their_order_and_views_are_copied() -> None:
    ready = Ready()
    transit = Transit(ready)
    packets = [packet(size=size) for size in range(5)]
    frame = bytearray(b"".join(packets))
    for start, one in zip([0, 40, 81, 123, 166], packets, strict=True):
        assert transit.forward(memoryview(frame)[start : start + len(one)], "arrival")
    frame[:] = bytes(len(frame))
    assert len(ready.flows) == 1
    assert ready.drain() == packets
    assert transit.charged == 0


def test_flows_are_told_apart_by_arrival_priority_and_both_addresses() -> None:
    ready = Ready()
    transit = Transit(ready)
    for one in (packet(1, 2), packet(1, 3), packet(2, 2), packet(1, 2, priority=BULK)):
        transit.forward(one, "a")
        transit.forward(one, "a")
        transit.forward(one, "b")
    assert len(ready.flows) == 8


def test_what_may_not_be_forwarded_is_counted() -> None:
    transit = Transit(Ready())
    for bad in (packet(priority=CONTROL), packet(priority=3), packet()[: HEADER_SIZE - 1], b""):
        assert not transit.forward(bad, "a")
    assert transit.counters.unforwardable == 4


def test_a_full_flow_drops_its_newest() -> None:
    ready = Ready()
    transit = Transit(ready, flow_limit=3 * (HEADER_SIZE + 10 + OVERHEAD))
    assert [transit.forward(packet(), "a") for _ in range(4)] == [True, True, True, False]
    assert transit.forward(packet(source=9), "a")
    assert transit.counters.flow_full == 1
    assert len(ready.drain()) == 4


def test_nobody_fills_the_link_for_all_others() -> None:
    charge = HEADER_SIZE + 10 + OVERHEAD
    transit = Transit(Ready(), link_limit=100 * charge)
    taken = [sum(transit.forward(packet(source=source), hog) for source in range(200)) for hog in ("a", "b", "c")]
    assert taken[0] == 50
    assert all(taken)
    assert transit.forward(packet(), "late")
    assert transit.charged <= 100 * charge
    assert transit.counters.link_full == 600 - sum(taken)


def test_an_inventor_of_sources_shares_one_flow() -> None:
    ready = Ready()
    transit = Transit(ready)
    for source in range(FLOWS_PER_ARRIVAL + 100):
        assert transit.forward(packet(source=source), "a")
    assert len(ready.flows) == FLOWS_PER_ARRIVAL + 1
    assert len(ready.drain()) == FLOWS_PER_ARRIVAL + 100


def test_withdrawn_packets_come_out_in_order_with_their_arrival() -> None:
    ready = Ready()
    transit = Transit(ready)
    for size in range(3):
        transit.forward(packet(1, size=size), "a")
        transit.forward(packet(2, size=size), "b")
    leaving = transit.withdraw(lambda destination, arrival: destination[-1] == 2)
    assert leaving == [(packet(1, size=size), "a") for size in range(3)]
    assert ready.drain() == [packet(2, size=size) for size in range(3)]
    assert transit.charged == 0


def test_a_flow_begun_again_after_a_withdrawal_is_not_forgotten_with_the_old_one() -> None:
    ready = Ready()
    transit = Transit(ready)
    transit.forward(packet(), "a")
    transit.withdraw(lambda destination, arrival: False)
    transit.forward(packet(), "a")
    old, new = ready.flows
    assert old.next_packet(0, 0.0, "link") is None
    transit.forward(packet(), "a")
    assert ready.flows == [old, new]


def test_all_packets_of_a_shared_flow_come_out() -> None:
    ready = Ready()
    transit = Transit(ready)
    for source in range(FLOWS_PER_ARRIVAL + 3):
        transit.forward(packet(destination=source), "a")
    assert len(transit.withdraw(lambda destination, arrival: True)) == 3


def test_the_account_of_a_dead_link_goes_and_its_packets_are_sent() -> None:
    ready = Ready()
    transit = Transit(ready)
    transit.forward(packet(), "a")
    transit.arrival_gone("a")
    transit.arrival_gone("never there")
    assert ready.drain() == [packet()]
    assert transit.charged == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 300), st.booleans())))
def test_the_charge_is_that_of_what_is_held(steps: list[tuple[int, str, int, bool]]) -> None:
    ready = Ready()
    transit = Transit(ready, flow_limit=1000, link_limit=3000)
    held = 0
    for source, arrival, size, pull in steps:
        if pull and ready.flows:
            taken = ready.flows[0].next_packet(0, 0.0, "link")
            if taken is None:
                ready.flows.pop(0)
            else:
                held -= len(taken) + OVERHEAD
        elif transit.forward(packet(source=source, size=size), arrival):
            held += HEADER_SIZE + size + OVERHEAD
        assert transit.charged == held <= 3000
