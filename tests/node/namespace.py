"""A small namespace for tests: its user, two administrators, two nodes, a stranger, and what they sign."""

from firefly.envelope import open_envelope
from firefly.keys import NodeKey
from node.certificates import ADMIN, MEMBER, Certificate, CertificateBook, certify
from node.routing import Place, Refusal, Statement

NOW = 1_800_000_000.0
USER, STRANGER = NodeKey(b"u" * 32), NodeKey(b"s" * 32)
ADMIN_1, ADMIN_2 = NodeKey(b"1" * 32), NodeKey(b"2" * 32)
NAS, PHONE = NodeKey(b"n" * 32), NodeKey(b"p" * 32)
SPACE = USER.public


def admin(key: NodeKey = ADMIN_1, now: float = NOW) -> bytes:
    return certify(USER, SPACE, key.public, ADMIN, now)


def member(key: NodeKey = NAS, role: int = MEMBER, now: float = NOW, signer: NodeKey = ADMIN_1) -> bytes:
    return certify(signer, SPACE, key.public, role, now)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Book(CertificateBook):
    """A book that keeps what it accepts, as the store of statements makes it do."""

    def __init__(self, *statements: bytes) -> None:
        self.clock = Clock()
        self.changes = 0
        super().__init__(self._count, self.clock)
        self.namespaces.add(SPACE)
        self.ranks: dict[bytes, int] = {}
        for data in statements:
            assert isinstance(self.offer(data), Place)

    def _count(self, certificate: Certificate | None) -> None:
        self.changes += 1

    def offer(self, data: bytes) -> Place | Refusal:
        place = self.accept(open_envelope(data), 0.0)
        if isinstance(place, Place) and place.rank > self.ranks.get(place.slot, -1):
            self.ranks[place.slot] = place.rank
            self.kept(self.statement(data, place), 0.0)
        return place

    def statement(self, data: bytes, place: Place) -> Statement:
        return Statement(self, place, open_envelope(data), data, 0.0)
