"""Who belongs to a namespace: one verifier for certificates, the user key, an administrator, a node and never more."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import open_envelope, sign
from firefly.errors import BadEnvelope, BadRecord
from firefly.keys import NodeKey
from node.certificates import (
    ADMIN,
    DAY,
    GUEST,
    LIFE,
    MEMBER,
    RELAY,
    RENEW_AFTER,
    TOLERANCE,
    Certificate,
    certify,
    check_chain,
    decode_certificate,
)
from node.routing import Place, Refusal, Standing
from tests.firefly.mutation import garbage
from tests.node.namespace import ADMIN_1, ADMIN_2, NAS, NOW, PHONE, SPACE, STRANGER, USER, Book, admin, member


def signed(signer: NodeKey, **changes: Any) -> bytes:
    """A member's certificate with something else in it."""
    body = Certificate(SPACE, NAS.public, MEMBER, int(NOW), int(NOW) + DAY)
    return sign("certificate", msgspec.msgpack.encode(msgspec.structs.replace(body, **changes)), signer)


def test_the_chain_is_user_key_administrator_node() -> None:
    book = Book(admin(), member(), member(PHONE, GUEST))
    assert [book.role(SPACE, key.public) for key in (ADMIN_1, NAS, PHONE, STRANGER)] == [ADMIN, MEMBER, GUEST, 0]
    assert book.is_admin(SPACE, ADMIN_1.public)
    assert not book.is_admin(SPACE, NAS.public)
    assert book.keys(SPACE) == [ADMIN_1.public, NAS.public, PHONE.public]
    assert book.changes == 3
    found = book.find(SPACE, NAS.public)
    assert found is not None
    assert (found.signer, found.certificate.key) == (ADMIN_1.public, NAS.public)


def test_relays_are_hubs_as_long_as_they_are_nothing_else() -> None:
    book = Book(admin(), member(), member(PHONE, RELAY))
    assert book.hubs(SPACE) == [PHONE.address]
    assert book.hubs(bytes(32)) == []
    book.offer(member(PHONE, MEMBER, now=NOW + 60))
    assert book.hubs(SPACE) == []
    book.offer(member(PHONE, RELAY, now=NOW + 120))
    book.clock.now = NOW + 31 * DAY
    assert book.hubs(SPACE) == []


def test_who_has_had_a_certificate_is_known_by_address() -> None:
    book = Book(admin(), member())
    assert book.lists(SPACE, NAS.address)
    assert not book.lists(SPACE, STRANGER.address)
    assert not book.lists(bytes(32), NAS.address)
    book.clock.now = NOW + 31 * DAY
    assert book.lists(SPACE, NAS.address)
    place = book.accept(open_envelope(admin(ADMIN_1, NOW + 31 * DAY)), 0.0)
    assert isinstance(place, Place)
    for data in (member(), member(PHONE)):
        certificate = decode_certificate(open_envelope(data).body)
        book.dropped(book.statement(data, Place(SPACE, certificate.slot, 0)), 0.0)
    assert not book.lists(SPACE, NAS.address)


@pytest.mark.parametrize("role", [MEMBER, GUEST, RELAY])
def test_each_role_lives_30_days_and_an_administrator_two_years(role: int) -> None:
    assert decode_certificate(open_envelope(member(role=role)).body).expires == NOW + 30 * DAY
    assert decode_certificate(open_envelope(admin()).body).expires == NOW + 730 * DAY


REFUSED = [
    ("a member certifies", lambda: member(PHONE, signer=NAS), Refusal.NOT_CERTIFIED),
    ("a member makes an administrator", lambda: certify(NAS, SPACE, PHONE.public, ADMIN, NOW), Refusal.NOT_CERTIFIED),
    ("so does an administrator", lambda: certify(ADMIN_1, SPACE, PHONE.public, ADMIN, NOW), Refusal.NOT_CERTIFIED),
    ("the user key certifies a member", lambda: member(PHONE, signer=USER), Refusal.NOT_CERTIFIED),
    ("a stranger certifies", lambda: member(signer=STRANGER), Refusal.UNKNOWN_SIGNER),
    ("a stranger certifies itself", lambda: member(STRANGER, signer=STRANGER), Refusal.UNKNOWN_SIGNER),
    ("a stranger administrates", lambda: certify(STRANGER, SPACE, NAS.public, ADMIN, NOW), Refusal.NOT_CERTIFIED),
    ("another namespace", lambda: signed(ADMIN_1, namespace=STRANGER.public), Refusal.UNKNOWN_NAMESPACE),
    ("over", lambda: member(now=NOW - 30 * DAY - TOLERANCE - 1), Refusal.EXPIRED),
    ("of the future", lambda: member(now=NOW + TOLERANCE + 1), Refusal.EXPIRED),
]


@pytest.mark.parametrize(("make", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(make: Any, refusal: Refusal) -> None:
    book = Book(admin(), member())
    assert book.offer(make()) is refusal
    assert (book.role(SPACE, PHONE.public), book.role(SPACE, NAS.public)) == (0, MEMBER)


MALFORMED = [
    ("no role", {"role": 0}),
    ("an unknown role", {"role": 5}),
    ("ends before it begins", {"expires": int(NOW)}),
    ("a member for longer than 30 days", {"expires": int(NOW) + LIFE[MEMBER] + 1}),
    ("an administrator for longer than 2 years", {"role": ADMIN, "expires": int(NOW) + LIFE[ADMIN] + 1}),
    ("a short key", {"key": b"short"}),
    ("a time before all time", {"issued": -1}),
]


@pytest.mark.parametrize("changes", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed_is_the_fault_of_whoever_passes_it_on(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        Book(admin()).offer(signed(ADMIN_1, **changes))


def test_five_minutes_between_two_clocks_do_not_matter() -> None:
    book = Book(admin())
    assert isinstance(book.offer(member(now=NOW + TOLERANCE)), Place)
    assert isinstance(book.offer(member(PHONE, now=NOW - 30 * DAY - TOLERANCE + 1)), Place)


def test_a_certificate_ends_with_its_time_and_its_signers() -> None:
    book = Book(admin(), member(now=NOW + 1))
    book.clock.now = NOW + 30 * DAY + TOLERANCE + 2
    assert book.role(SPACE, NAS.public) == 0
    assert book.standing(SPACE, NAS.public, 0.0) is Standing.REFUSED
    assert book.is_admin(SPACE, ADMIN_1.public)
    book.clock.now = NOW + LIFE[ADMIN] + TOLERANCE - 10 * DAY
    assert isinstance(book.offer(member(now=book.clock.now)), Place)
    assert book.role(SPACE, NAS.public) == MEMBER
    book.clock.now = NOW + LIFE[ADMIN] + TOLERANCE + 1
    assert book.role(SPACE, NAS.public) == 0
    assert book.keys(SPACE) == []
    assert book.offer(member(PHONE, now=book.clock.now)) is Refusal.NOT_CERTIFIED


def test_the_newer_certificate_of_a_node_supersedes() -> None:
    book = Book(admin(), member(role=GUEST))
    newer, older = book.offer(member(now=NOW + 60)), book.offer(member(role=RELAY, now=NOW - 60))
    assert isinstance(newer, Place)
    assert isinstance(older, Place)
    assert newer.slot == older.slot
    assert newer.rank > older.rank
    assert newer.subject == NAS.public
    assert book.role(SPACE, NAS.public) == MEMBER


def test_no_administrator_takes_anothers_administration_away() -> None:
    book = Book(admin(ADMIN_1), admin(ADMIN_2), member(ADMIN_2, GUEST, now=NOW + 60))
    assert book.role(SPACE, ADMIN_2.public) == ADMIN
    assert book.keys(SPACE) == [ADMIN_1.public, ADMIN_2.public]
    assert book.due_for_renewal(SPACE) == []


def test_an_administrator_whose_time_is_over_is_what_else_it_was_certified_for() -> None:
    late = NOW + LIFE[ADMIN] + TOLERANCE + 1
    book = Book(admin(ADMIN_1))
    book.clock.now = NOW + DAY * 20
    assert isinstance(book.offer(admin(ADMIN_2, now=book.clock.now)), Place)
    book.clock.now = late
    assert isinstance(book.offer(member(ADMIN_1, now=late, signer=ADMIN_2)), Place)
    assert book.role(SPACE, ADMIN_1.public) == MEMBER


def test_standing_is_what_routing_asks() -> None:
    book = Book(admin(), member())
    assert book.standing(SPACE, NAS.public, 0.0) is Standing.CERTIFIED
    assert book.standing(SPACE, PHONE.public, 0.0) is Standing.UNKNOWN
    assert book.standing(STRANGER.public, NAS.public, 0.0) is Standing.UNKNOWN


def test_what_is_dropped_counts_no_more() -> None:
    data = member()
    book = Book(admin(), data)
    place = book.accept(open_envelope(data), 0.0)
    assert isinstance(place, Place)
    book.dropped(book.statement(data, place), 0.0)
    assert book.role(SPACE, NAS.public) == 0
    assert book.changes == 3


def test_shared_are_the_namespaces_of_both() -> None:
    book = Book(admin(), member())
    assert book.shared(NAS.public, ADMIN_1.public) == [SPACE]
    assert book.shared(NAS.public, PHONE.public) == []


def test_the_proof_of_a_certificate_begins_with_the_administrators() -> None:
    book = Book(admin(), member())
    assert book.chain(SPACE, NAS.public) == [admin(), member()]
    assert book.chain(SPACE, ADMIN_1.public) == [admin()]
    assert book.chain(SPACE, PHONE.public) == []
    for key in (NAS, ADMIN_1):
        assert check_chain(SPACE, book.chain(SPACE, key.public), key.public, NOW).key == key.public


def test_a_certificate_is_renewed_from_day_20() -> None:
    book = Book(admin(), member(now=NOW - DAY), member(PHONE, RELAY))
    book.clock.now = NOW - DAY + RENEW_AFTER
    assert book.due_for_renewal(SPACE) == []
    book.clock.now += 1
    assert [certificate.key for certificate in book.due_for_renewal(SPACE)] == [NAS.public]
    book.clock.now += DAY
    assert [certificate.role for certificate in book.due_for_renewal(SPACE)] == [MEMBER, RELAY]
    assert book.due_for_renewal(STRANGER.public) == []


BROKEN_CHAINS = [
    ("empty", lambda: []),
    ("without the administrator", lambda: [member()]),
    ("of another node", lambda: [admin(), member(PHONE)]),
    ("one link too long", lambda: [admin(), member(PHONE), member(signer=PHONE)]),
    ("over", lambda: [admin(now=NOW - 60 * DAY), member(now=NOW - 40 * DAY)]),
    ("of another kind", lambda: [admin(), sign("name", open_envelope(member()).body, ADMIN_1)]),
    ("of another namespace", lambda: [certify(STRANGER, STRANGER.public, ADMIN_1.public, ADMIN, NOW), member()]),
]


@pytest.mark.parametrize("make", [row[1] for row in BROKEN_CHAINS], ids=[row[0] for row in BROKEN_CHAINS])
def test_a_broken_chain_proves_nothing(make: Any) -> None:
    with pytest.raises(BadRecord):
        check_chain(SPACE, make(), NAS.public, NOW)


@given(garbage(open_envelope(member()).body))
def test_any_bytes_are_a_certificate_or_a_typed_error(body: bytes) -> None:
    try:
        certificate = decode_certificate(body)
    except BadRecord:
        return
    assert certificate.role in LIFE
    assert 0 < certificate.expires - certificate.issued <= LIFE[certificate.role]


@given(garbage(member()))
def test_no_change_of_an_envelope_certifies_anybody(data: bytes) -> None:
    try:
        certificate = check_chain(SPACE, [admin(), data], NAS.public, NOW)
    except (BadRecord, BadEnvelope):
        return
    assert certificate == decode_certificate(open_envelope(member()).body)


@given(st.permutations([admin(ADMIN_1), admin(ADMIN_2), member(), member(now=NOW + 1, signer=ADMIN_2), member(PHONE)]))
def test_any_order_of_arrival_ends_the_same(order: list[bytes]) -> None:
    """What waits for its signer is offered again, as flooding does."""
    book, waiting = Book(), order
    for _ in range(2):
        waiting = [data for data in waiting if book.offer(data) is Refusal.UNKNOWN_SIGNER]
    assert not waiting
    found = book.find(SPACE, NAS.public)
    assert found is not None
    assert found.signer == ADMIN_2.public
    assert set(book.keys(SPACE)) == {key.public for key in (ADMIN_1, ADMIN_2, NAS, PHONE)}
