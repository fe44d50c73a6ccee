"""Names and directory statements: who may say what, who can read it, and which node a name means."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.address import format_address
from firefly.envelope import Envelope, open_envelope, sign
from firefly.errors import BadRecord
from firefly.keys import NodeKey
from node.certificates import RELAY, TOLERANCE
from node.directory import (
    Contents,
    Directory,
    DirectoryKind,
    NameKind,
    NamespaceKey,
    Resource,
    directory_statement,
    name_statement,
    named_key,
)
from node.routing import Place, Refusal, Statement
from tests.firefly.mutation import garbage
from tests.node.namespace import ADMIN_1, NAS, NOW, PHONE, SPACE, STRANGER, Book, admin, member

SECRET = NamespaceKey(bytes(range(32)))
FILES = Resource(b"f" * 16, "files", "glow.filesystem.FileSystem", 2)


class World:
    """One node's view of a namespace with an administrator and two members."""

    def __init__(self, secret: NamespaceKey | None = SECRET) -> None:
        self.book = Book(admin(), member(NAS), member(PHONE))
        self.directory = Directory(SPACE, self.book, secret)
        self.changes = 0
        directories = {SPACE: self.directory}
        self.names = NameKind(self.book, directories, self._count)
        self.directories = DirectoryKind(self.book, directories, self._count)

    def _count(self) -> None:
        self.changes += 1

    def offer(self, data: bytes) -> Place | Refusal:
        envelope = open_envelope(data)
        kind: Any = self.names if envelope.kind == "name" else self.directories
        place: Place | Refusal = kind.accept(envelope, 0.0)
        if isinstance(place, Place):
            kind.kept(self.statement(data), 0.0)
        return place

    def statement(self, data: bytes) -> Statement:
        envelope = open_envelope(data)
        kind: Any = self.names if envelope.kind == "name" else self.directories
        return Statement(kind, kind.accept(envelope, 0.0), envelope, data, 0.0)

    def called(self, key: NodeKey, label: str, at: float = NOW) -> None:
        assert isinstance(self.offer(name(key, label, at)), Place)

    def meant(self, text: str) -> list[bytes]:
        return [entry.key for entry in self.directory.find(text)]


def name(key: NodeKey, label: str, at: float = NOW, signer: NodeKey = ADMIN_1, secret: NamespaceKey = SECRET) -> bytes:
    return name_statement(signer, SPACE, key.public, label, secret, at)


def contents(key: NodeKey = NAS, resources: tuple[Resource, ...] = (FILES,), at: float = NOW) -> bytes:
    return directory_statement(key, SPACE, Contents("Linux aarch64", list(resources)), SECRET, at)


def sealed(kind: str, plaintext: bytes, signer: NodeKey, seal: NamespaceKey = SECRET) -> bytes:
    """A statement with anything inside, sealed under `seal` but said to be under the namespace's key."""
    about = [SPACE, NAS.public] if kind == "name" else [SPACE]
    return sign(kind, msgspec.msgpack.encode([*about, int(NOW * 1000), SECRET.id, seal.seal(plaintext)]), signer)


def test_a_name_and_what_the_node_offers_are_found() -> None:
    world = World()
    world.called(NAS, "nas")
    assert isinstance(world.offer(contents()), Place)
    (entry,) = world.directory.find("nas")
    assert (entry.key, entry.address, entry.label) == (NAS.public, NAS.address, "nas")
    assert (entry.contents.platform, entry.contents.resources) == ("Linux aarch64", [FILES])
    assert world.directory.label_of(NAS.address) == "nas"
    assert world.directory.label_of(PHONE.address) == ""
    assert world.directory.entry(STRANGER.address) is None
    assert [entry.label for entry in world.directory.entries()] == ["", "", "nas"]
    assert world.changes == 2


def test_a_label_wins_over_a_prefix_and_a_prefix_may_fit_several() -> None:
    world = World()
    prefix = format_address(PHONE.address)[:5]
    assert world.meant(prefix) == [PHONE.public]
    assert world.meant(prefix.upper()) == [PHONE.public]
    world.called(NAS, prefix)
    assert world.meant(prefix) == [NAS.public]
    assert world.meant(format_address(PHONE.address)) == [PHONE.public]
    assert world.meant(format_address(STRANGER.address)) == []
    assert world.meant(format_address(PHONE.address)[:3]) == []
    assert world.meant("nobody") == []


def test_the_earliest_name_wins_and_the_clash_is_shown() -> None:
    world = World()
    world.called(PHONE, "box", NOW)
    assert world.meant("box") == [PHONE.public]
    world.called(NAS, "box", NOW - 60)
    assert world.meant("box") == [NAS.public]
    assert world.directory.clashes == {"box": [PHONE.public]}
    world.called(NAS, "nas", NOW + 1)
    assert world.meant("box") == [PHONE.public]
    assert world.directory.clashes == {}


@given(st.permutations([(NAS, NOW - 2), (PHONE, NOW - 1), (ADMIN_1, NOW)]))
def test_who_wins_does_not_depend_on_the_order_of_arrival(order: list[tuple[NodeKey, float]]) -> None:
    world = World()
    for key, at in order:
        world.called(key, "box", at)
    assert world.meant("box") == [NAS.public]
    assert world.directory.clashes == {"box": [PHONE.public, ADMIN_1.public]}


def test_a_node_whose_certificate_is_over_is_not_found() -> None:
    world = World()
    world.called(NAS, "nas")
    world.book.clock.now += 31 * 86400
    assert world.meant("nas") == []
    assert world.directory.entry(NAS.address) is None


def test_later_statements_supersede_earlier_ones_of_the_same_node() -> None:
    world = World()
    for early, late in ((name(NAS, "a"), name(NAS, "b", NOW + 1)), (contents(), contents(at=NOW + 1))):
        before, after = world.offer(early), world.offer(late)
        assert isinstance(before, Place)
        assert isinstance(after, Place)
        assert before.slot == after.slot == NAS.public
        assert after.rank > before.rank


REFUSED = [
    ("a member names", lambda: name(NAS, "nas", signer=NAS), Refusal.NOT_CERTIFIED),
    ("a stranger names", lambda: name(NAS, "nas", signer=STRANGER), Refusal.UNKNOWN_SIGNER),
    ("a stranger describes itself", lambda: contents(STRANGER), Refusal.UNKNOWN_SIGNER),
    ("a name of the future", lambda: name(NAS, "nas", NOW + TOLERANCE + 1), Refusal.EXPIRED),
    ("a description of the future", lambda: contents(at=NOW + TOLERANCE + 1), Refusal.EXPIRED),
    (
        "another namespace",
        lambda: name_statement(ADMIN_1, STRANGER.public, NAS.public, "nas", SECRET, NOW),
        Refusal.UNKNOWN_NAMESPACE,
    ),
]


@pytest.mark.parametrize(("make", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(make: Any, refusal: Refusal) -> None:
    world = World()
    assert world.offer(make()) is refusal
    assert world.directory.label_of(NAS.address) == ""


def test_whose_certificate_is_over_says_nothing_more() -> None:
    world = World()
    world.book.clock.now += 31 * 86400
    assert world.offer(contents(at=world.book.clock.now)) is Refusal.NOT_CERTIFIED


def test_nobody_without_the_namespace_key_reads_anything() -> None:
    for text in (name(NAS, "secret-label"), contents()):
        assert b"secret-label" not in text
        assert b"files" not in text
    for secret in (None, NamespaceKey.generate()):
        world = World(secret)
        world.called(NAS, "nas")
        assert isinstance(world.offer(contents()), Place)
        assert world.directory.label_of(NAS.address) == ""
        assert world.directory.unreadable == 0


SEALED_WRONGLY = [
    ("by another key", sealed("directory", b"", NAS, NamespaceKey.generate())),
    ("no MessagePack", sealed("directory", b"\xc1", NAS)),
    ("no contents", sealed("directory", msgspec.msgpack.encode({}), NAS)),
    ("a name that is none", sealed("name", b"../\x1b[2J", ADMIN_1)),
    ("a name that is too long", sealed("name", b"x" * 64, ADMIN_1)),
    ("a name that is no text", sealed("name", b"\xff", ADMIN_1)),
]


@pytest.mark.parametrize("data", [row[1] for row in SEALED_WRONGLY], ids=[row[0] for row in SEALED_WRONGLY])
def test_what_is_sealed_wrongly_is_passed_on_and_ends_nobodys_link(data: bytes) -> None:
    """A neighbour that is a relay has no key, so it cannot have seen what is wrong."""
    world = World()
    assert isinstance(world.offer(data), Place)
    assert world.directory.unreadable == 1
    assert world.directory.label_of(NAS.address) == ""


def test_resources_without_a_proper_label_are_left_out() -> None:
    world = World()
    world.offer(contents(resources=(Resource(bytes(16), "\x1b[2J", "glow.kv.KV", 2), FILES)))
    (entry,) = world.directory.find(format_address(NAS.address))
    assert entry.contents.resources == [FILES]


def test_what_is_dropped_is_forgotten() -> None:
    world = World()
    for data in (name(NAS, "nas"), contents()):
        world.offer(data)
        statement = world.statement(data)
        statement.kind.dropped(statement, 0.0)
    assert world.meant("nas") == []
    entry = world.directory.entry(NAS.address)
    assert entry is not None
    assert entry.contents.resources == []


def test_relays_carry_what_they_cannot_read() -> None:
    world = World(None)
    world.book.offer(member(STRANGER, RELAY))
    assert isinstance(world.offer(contents(STRANGER)), Place)


def test_whom_a_name_is_about_needs_no_key() -> None:
    assert named_key(open_envelope(name(NAS, "nas"))) == (SPACE, NAS.public)


def test_an_opened_box_was_sealed_with_the_key() -> None:
    assert SECRET.open(SECRET.seal(b"text")) == b"text"
    assert SECRET.seal(b"text") != SECRET.seal(b"text")
    assert SECRET.id not in SECRET.secret
    for box in (b"", b"short", NamespaceKey.generate().seal(b"text")):
        with pytest.raises(BadRecord):
            SECRET.open(box)


def judge(kind: str, body: bytes, signer: NodeKey) -> None:
    """What flooding does with a statement whose signature is right."""
    world = World()
    judging: Any = world.names if kind == "name" else world.directories
    envelope = Envelope(kind, body, signer.public, bytes(32))
    try:
        place = judging.accept(envelope, 0.0)
    except BadRecord:
        return
    if isinstance(place, Place):
        judging.kept(Statement(judging, place, envelope, b"", 0.0), 0.0)


@given(garbage(open_envelope(name(NAS, "nas")).body))
def test_any_name_is_judged_or_a_typed_error(body: bytes) -> None:
    judge("name", body, ADMIN_1)


@given(garbage(open_envelope(contents()).body))
def test_any_description_is_judged_or_a_typed_error(body: bytes) -> None:
    judge("directory", body, NAS)


@given(garbage(msgspec.msgpack.encode(Contents("Linux", [FILES]))))
def test_anything_may_be_inside_a_description(plaintext: bytes) -> None:
    world = World()
    assert isinstance(world.offer(sealed("directory", plaintext, NAS)), Place)
    entry = world.directory.entry(NAS.address)
    assert entry is not None
    assert len(entry.contents.resources) <= 1 or world.directory.unreadable == 0
