"""Statements between meshes: what is kept, passed on, asked for, made to wait, refused."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import Envelope, sign
from firefly.errors import BadEnvelope, BadMessage, BadRecord, ProtocolError
from node.routing import Place, Record, Refusal, Statement
from node.routing.exchange import WAITING_BYTES, WANTED, Exchange, Waiting
from node.routing.messages import DIGESTS, Have, Pair, Signed, Want, decode_message, encode_message
from node.routing.record import KIND, RECORD_SIZE, sign_record
from node.routing.statements import Statements
from tests.node.routing.network import HOME, WORK, Network, key_of, line


class Notes:
    """A kind of statement for the tests: `[namespace, slot, rank, subject]`; it certifies its subject."""

    name = "note"
    limit = 3
    size = 4096
    lifetime = 100.0
    introduces = False

    def __init__(self, network: Network | None = None) -> None:
        self.network = network
        self.said: list[str] = []

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        try:
            namespace, slot, rank, subject = msgspec.msgpack.decode(envelope.body)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise BadRecord("a note is malformed") from error
        return Refusal.EXPIRED if rank < 0 else Place(namespace, slot, rank, subject)

    def kept(self, statement: Statement, now: float) -> None:
        self.said.append(f"kept {statement.place.rank}")
        if self.network is not None and statement.place.subject is not None:
            self.network.unknown.discard(statement.place.subject)

    def dropped(self, statement: Statement, now: float) -> None:
        self.said.append(f"dropped {statement.place.rank}")


class Introductions(Notes):
    name = "introduction"
    introduces = True


def note(
    slot: bytes = b"slot", rank: int = 1, subject: bytes | None = None, *, kind: str = "note", namespace: bytes = HOME
) -> bytes:
    return sign(kind, msgspec.msgpack.encode([namespace, slot, rank, subject]), key_of(77))


def signed(data: bytes, age: int = 0) -> bytes:
    return encode_message(Signed(age, data))


def record_of(number: int, sequence: int = 1, namespace: bytes = HOME, **more: Any) -> bytes:
    key = key_of(number)
    return sign_record(Record(namespace, key.address, b"of peers", sequence, **more), key)


def chain(length: int) -> tuple[Network, list[Notes]]:
    """Converged nodes in a row that know notes."""
    network = Network()
    notes = [Notes(network) for _ in range(length)]
    for number, kind in enumerate(notes, 1):
        network.add(number, kinds=[kind, Introductions(network)])
    for number in range(1, length):
        network.connect(number, number + 1)
    network.run(1.0)
    return network, notes


def test_a_statement_reaches_everybody_once() -> None:
    network, notes = chain(4)
    network.connect(4, 1)
    network.run(1.0)
    network.hosts[1].mesh.flooding.publish(note(), network.now)
    network.run(1.0)
    assert [kind.said for kind in notes] == [["kept 1"]] * 4


def test_the_higher_rank_wins_whatever_the_order() -> None:
    network, notes = chain(2)
    end = network.hosts[1].ends[2][0]
    for rank in (2, 1, 3, 2):
        network.hosts[1].mesh.receive_topology(end, signed(note(rank=rank)), network.now)
    network.run(1.0)
    assert notes[0].said == ["kept 2", "kept 3"]
    assert notes[1].said == ["kept 3"]
    assert network.hosts[1].mesh.flooding.counters["older"] == 2


def test_who_sends_something_old_is_told_the_new() -> None:
    network, _ = chain(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    one.mesh.receive_topology(end, signed(note(rank=2)), network.now)
    assert one.mesh.next_payload(end, network.now) is None
    one.mesh.receive_topology(end, signed(note(rank=1)), network.now)
    assert one.mesh.next_payload(end, network.now) == signed(note(rank=2))


def test_a_statement_superseded_while_it_waits_is_sent_once_with_its_age() -> None:
    network, _ = chain(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    for rank in range(1, 50):
        one.mesh.flooding.publish(note(rank=rank), network.now)
    assert one.mesh.outgoing(end, network.now + 7.9) == [signed(note(rank=49), 7)]


def test_a_neighbour_that_shows_what_it_holds_is_not_sent_it() -> None:
    network, _ = chain(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    one.mesh.flooding.publish(note(), network.now)
    one.mesh.receive_topology(end, signed(note()), network.now)
    assert one.mesh.outgoing(end, network.now) == []


def test_only_what_differs_travels_over_a_new_link() -> None:
    network, notes = chain(2)
    for number, slot in ((1, b"a"), (2, b"b")):
        network.hosts[number].mesh.flooding.publish(note(slot), network.now)
    network.run(1.0)
    network.disconnect(1, 2)
    network.hosts[1].mesh.flooding.publish(note(b"c"), network.now)
    network.run(10.0)
    before = notes[1].said.copy(), network.hosts[1].mesh.flooding.counters["known"]
    network.connect(1, 2)
    network.run(0.01)
    assert notes[1].said == [*before[0], "kept 1"]
    assert network.hosts[1].mesh.flooding.counters["known"] == before[1]


def test_differences_are_told_in_pieces() -> None:
    exchange = Exchange("link")
    exchange.namespaces = frozenset([HOME])
    exchange.offer(HOME, "note", [number.to_bytes(32, "big") for number in range(DIGESTS + 5)])
    exchange.offer(WORK, "note", [bytes(32)])
    sizes = []
    while (payload := exchange.next_payload(Statements(), 0.0)) is not None:
        message = decode_message(payload)
        assert isinstance(message, Have)
        sizes.append(len(message.digests))
    assert sizes == [DIGESTS, 5]


def test_a_lying_have_is_bounded() -> None:
    network, _ = chain(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    for part in range(6):
        digests = [(part * DIGESTS + number).to_bytes(32, "big") for number in range(DIGESTS)]
        one.mesh.receive_topology(end, encode_message(Have(HOME, "note", digests)), network.now)
    asked = [decode_message(payload) for payload in one.mesh.outgoing(end, network.now)]
    assert sum(len(message.ids) for message in asked if isinstance(message, Want)) == WANTED
    assert one.mesh.flooding.counters["unasked"] == 2 * DIGESTS


def test_a_want_for_what_we_lack_or_may_not_tell_is_not_answered() -> None:
    network = Network()
    one = network.add(1, [HOME, WORK], kinds=[Notes()])
    network.add(2)
    end = network.connect(1, 2)[0]
    network.run(1.0)
    one.mesh.flooding.publish(note(namespace=WORK), network.now)
    secret = one.mesh.flooding.store.on_shelf(WORK, "note")[0].envelope.id
    one.mesh.receive_topology(end, encode_message(Want([secret, bytes(32)])), network.now)
    assert one.mesh.outgoing(end, network.now) == []


def test_what_an_unknown_key_signed_waits_for_its_certificate_which_is_asked_for() -> None:
    network, _ = chain(3)
    stranger = key_of(9)
    network.unknown.add(stranger.public)
    one, two, end = network.hosts[1], network.hosts[2], network.hosts[1].ends[2][0]
    two.mesh.flooding.publish(note(b"certificate", 1, stranger.public), network.now)
    network.unknown.add(stranger.public)
    one.mesh.receive_topology(end, signed(record_of(9), 5), network.now)
    assert stranger.address not in one.mesh.areas[HOME].records
    assert one.mesh.outgoing(end, network.now) == [encode_message(Want([stranger.public]))]
    two.mesh.receive_topology(end.other, encode_message(Want([stranger.public])), network.now)
    network.run(0.1)
    assert stranger.address in one.mesh.areas[HOME].records
    kept = one.mesh.flooding.store.get((HOME, KIND, stranger.address))
    assert kept is not None
    assert kept.age(network.now) == 5


def test_what_waits_is_bounded_and_the_oldest_goes() -> None:
    waiting = Waiting(100)
    assert waiting.add(b"1", b"signer", b"x" * 60, 0.0) == 0
    assert waiting.add(b"1", b"signer", b"x" * 60, 0.0) == 0
    assert waiting.add(b"2", b"other", b"y" * 40, 0.0) == 0
    assert waiting.add(b"3", b"signer", b"z" * 50, 1.0) == 1
    assert b"1" not in waiting
    assert waiting.bytes == 90
    assert waiting.take(b"signer") == [(b"z" * 50, 1.0)]
    assert waiting.bytes == 40
    assert waiting.add(b"4", b"signer", b"z" * 101, 1.0) == 2
    assert waiting.bytes == 0


@pytest.mark.parametrize("forged", ["bit", "signer"])
def test_a_forged_statement_changes_nothing_and_ends_the_link(forged: str) -> None:
    network = line(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    fields = msgspec.msgpack.decode(record_of(2, 2**40))
    if forged == "bit":
        fields[3] = bytes([fields[3][0] ^ 1]) + fields[3][1:]
    else:
        fields[2] = key_of(1).public
    before = dict(one.mesh.areas[HOME].records)
    with pytest.raises(BadEnvelope):
        one.mesh.receive_topology(end, signed(msgspec.msgpack.encode(fields)), network.now)
    assert one.mesh.areas[HOME].records == before
    assert one.mesh.flooding.counters["forged"] == 1


def test_malformed_payloads_and_records_end_the_link() -> None:
    network = line(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    with pytest.raises(BadMessage):
        one.mesh.receive_topology(end, b"\xc1", network.now)
    with pytest.raises(BadRecord):
        one.mesh.receive_topology(end, signed(sign(KIND, b"\x90", key_of(2))), network.now)
    with pytest.raises(BadRecord, match="bigger"):
        one.mesh.receive_topology(end, signed(sign(KIND, bytes(RECORD_SIZE), key_of(2))), network.now)
    assert one.mesh.flooding.counters["malformed"] == 3


def test_replayed_and_outlived_records_change_nothing() -> None:
    network = line(3)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    three = key_of(3).address
    kept = one.mesh.flooding.store.get((HOME, KIND, three))
    assert kept is not None
    before = dict(one.mesh.areas[HOME].records)
    one.mesh.receive_topology(end, signed(kept.data), network.now)
    one.mesh.receive_topology(end, signed(record_of(3, 5)), network.now)
    one.mesh.receive_topology(end, signed(record_of(8), 75 * 60), network.now)
    assert one.mesh.areas[HOME].records == before
    counters = one.mesh.flooding.counters
    assert (counters["known"], counters["older"], counters["expired"]) == (1, 1, 1)


def test_an_expired_record_is_not_revived_by_a_late_copy() -> None:
    network = line(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    late = record_of(9, 7)
    one.mesh.receive_topology(end, signed(late), network.now)
    network.run(75 * 60 + 1)
    assert key_of(9).address not in one.mesh.areas[HOME].records
    one.mesh.receive_topology(end, signed(late), network.now)
    assert key_of(9).address not in one.mesh.areas[HOME].records
    one.mesh.receive_topology(end, signed(record_of(9, 8)), network.now)
    assert key_of(9).address in one.mesh.areas[HOME].records


def test_records_of_the_revoked_of_foreign_namespaces_and_of_unknown_kinds_are_counted() -> None:
    network = Network()
    one = network.add(1, [HOME, WORK])
    network.add(2)
    end = network.connect(1, 2)[0]
    network.run(0.1)
    network.refused.add(key_of(8).public)
    before = len(one.mesh.flooding.store)
    for data in (
        record_of(8),
        record_of(2, 2**40, namespace=WORK),
        record_of(2, 2**40, namespace=bytes(32)),
        sign("mystery", b"", key_of(2)),
    ):
        one.mesh.receive_topology(end, signed(data), network.now)
    one.mesh.receive_topology(end, encode_message(Have(WORK, KIND, [bytes(32)])), network.now)
    one.mesh.receive_topology(end, encode_message(Have(HOME, "mystery", [bytes(32)])), network.now)
    counters = one.mesh.flooding.counters
    assert (counters["not_certified"], counters["unknown_namespace"], counters["unknown_kind"]) == (1, 1, 1)
    assert counters["foreign"] == 3
    assert len(one.mesh.flooding.store) == before
    assert one.mesh.outgoing(end, network.now) == []


def test_a_full_shelf_takes_nothing_new_but_news_of_what_it_holds() -> None:
    network, notes = chain(1)
    flooding = network.hosts[1].mesh.flooding
    for number in range(5):
        flooding.publish(note(bytes([number]), 1), network.now)
    flooding.publish(note(bytes([0]), 2), network.now)
    assert notes[0].said == ["kept 1"] * 3 + ["kept 2"]
    assert flooding.counters["full"] == 2


def test_records_are_bounded_per_namespace() -> None:
    network = line(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    for number in range(100, 2200):
        one.mesh.receive_topology(end, signed(record_of(number)), network.now)
    assert len(one.mesh.areas[HOME].records) == 2048
    assert one.mesh.flooding.counters["full"] == 2100 - 2046


def test_one_sided_edges_attract_nothing() -> None:
    network = line(4)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    everybody = {key_of(number).address: 1 for number in range(1, 5)}
    one.mesh.receive_topology(end, signed(record_of(9, 1, neighbours=everybody)), network.now)
    network.run(1.0)
    assert one.mesh.path(key_of(9).address) == []
    assert one.path_to(network.hosts[4]) == [key_of(number).address for number in (2, 3, 4)]


def test_uncertified_links_carry_introductions_and_pairing_only() -> None:
    network = Network()
    one = network.add(1, kinds=[Notes(), Introductions(network)])
    two = network.add(2, kinds=[Notes(), Introductions(network)])
    one.mesh.flooding.publish(note(b"home"), network.now)
    ends = network.connect(1, 2, namespaces=[])
    one.mesh.flooding.introduce(ends[0], [note(b"one", kind="introduction"), note(b"two"), record_of(1)])
    one.mesh.flooding.send_pair(ends[0], 1, b"proof")
    network.run(1.0)
    assert [held.place.slot for held in two.mesh.flooding.store] == [b"one"]
    assert two.mesh.flooding.counters["uncertified"] == 2
    assert two.pairs == [(ends[1], 1, b"proof")]
    (held,) = one.mesh.flooding.store.on_shelf(HOME, "note")
    one.mesh.receive_topology(ends[0], encode_message(Want([held.envelope.id])), 1.0)
    one.mesh.receive_topology(ends[0], encode_message(Have(HOME, "note", [bytes(32)])), 1.0)
    assert one.mesh.outgoing(ends[0], 1.0) == []


def test_a_certificate_may_certify_the_link_it_came_by() -> None:
    """A kind may report to the mesh from inside of `kept`."""
    network = Network()
    notes = Introductions(network)
    one, two = network.add(1), network.add(2, kinds=[notes])
    two.mesh.flooding.publish(record_of(2, 5), network.now)
    end = network.connect(1, 2, namespaces=[])[1]
    kept = notes.kept

    def certify(statement: Statement, now: float) -> None:
        kept(statement, now)
        two.mesh.link_certified(end, [HOME], now)

    notes.kept = certify  # type: ignore[method-assign]
    two.mesh.receive_topology(end, signed(note(subject=one.key.public, kind="introduction")), network.now)
    messages = [decode_message(payload) for payload in two.mesh.outgoing(end, network.now)]
    assert any(isinstance(message, Have) for message in messages)


def test_expired_and_dropped_statements_are_reported_to_their_kind() -> None:
    network, notes = chain(2)
    flooding = network.hosts[1].mesh.flooding
    flooding.publish(note(b"a", 1), network.now)
    flooding.publish(note(b"b", 2), network.now)
    network.run(1.0)
    dropped = flooding.store.get((HOME, "note", b"b"))
    assert dropped is not None
    flooding.drop(dropped, network.now)
    network.run(100.0)
    assert notes[0].said == ["kept 1", "kept 2", "dropped 2", "dropped 1"]
    assert sorted(notes[1].said) == ["dropped 1", "dropped 2", "kept 1", "kept 2"]


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda body: signed(sign(KIND, body, key_of(2)))))
def test_random_payloads_change_nothing_and_end_the_link(payload: bytes) -> None:
    network = line(2)
    one, end = network.hosts[1], network.hosts[1].ends[2][0]
    before = dict(one.mesh.areas[HOME].records)
    with suppress(ProtocolError):
        one.mesh.receive_topology(end, payload, network.now)
    assert one.mesh.areas[HOME].records == before
    assert one.hop_to(network.hosts[2]) == 2


def test_payloads_of_a_link_that_is_gone_are_counted() -> None:
    network = line(2)
    flooding = network.hosts[1].mesh.flooding
    flooding.receive("gone", encode_message(Pair(1, b"")), 0.0)
    assert flooding.counters["stray"] == 1
    assert flooding.next_payload("gone", 0.0) is None
    flooding.send_pair("gone", 1, b"")
    assert flooding.counters["unsaid"] == 1


def test_a_flood_of_a_certified_neighbour_leaves_what_one_record_takes() -> None:
    """Ever newer records of its own, of keys that nobody certified, and questions: all that a member can say."""
    network, _ = chain(3)
    middle = network.hosts[2]
    flooding, end, onward = middle.mesh.flooding, middle.ends[1][0], middle.ends[3][0]
    before, now = len(flooding.store), network.now
    first = 10**15
    for count in range(3000):
        middle.mesh.receive_topology(end, signed(record_of(1, first + count)), now)
    assert len(flooding.store) == before
    assert len(flooding.store._expiries) <= 2 * before + 64
    strangers = range(200, 300)
    network.unknown |= {key_of(number).public for number in strangers}
    attached = tuple(number.to_bytes(16, "big") for number in range(250))
    for number in strangers:
        middle.mesh.receive_topology(end, signed(record_of(number, attached=attached)), now)
        middle.mesh.receive_topology(end, encode_message(Want([key_of(number).public])), now)
    exchange = flooding._exchanges[end]
    assert exchange.waiting.bytes <= WAITING_BYTES
    assert flooding.counters["waited_in_vain"] > 0
    assert len(exchange._wanted) <= WANTED
    told = [decode_message(payload) for payload in middle.mesh.outgoing(onward, now)]
    assert [message.envelope for message in told if isinstance(message, Signed)] == [record_of(1, first + 2999)]
