"""Signed statements of every kind, as one store keeps them: link-state records, certificates, revocations, names …

A *kind* judges its statements; the store knows only that of those with the same namespace, kind and slot the one with
the highest rank is kept, so that any order of arrival ends in the same set. Source: docs/concepts/wire.md, section 2.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from typing import Protocol

from firefly.envelope import Envelope


class Standing(Enum):
    """What a namespace says about a node key."""

    CERTIFIED = auto()
    UNKNOWN = auto()  # no certificate seen yet
    REFUSED = auto()  # revoked, expired, or certified for something else


# (namespace, node key, now): is the key certified in the namespace?
Certifier = Callable[[bytes, bytes, float], Standing]


class Refusal(Enum):
    """Why a well-formed statement is not kept. None of these is the fault of the neighbour that passed it on."""

    UNKNOWN_SIGNER = auto()  # kept aside until the signer's certificate comes
    NOT_CERTIFIED = auto()
    UNKNOWN_NAMESPACE = auto()
    EXPIRED = auto()
    OWN = auto()  # in our own name, but not what we say now


@dataclass(frozen=True, slots=True)
class Place:
    """Where an accepted statement belongs: it supersedes what has the same slot and a lower rank."""

    namespace: bytes
    slot: bytes
    rank: int
    subject: bytes | None = None  # the node key whose certificate this is, if it is one


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A verified statement. `born`: when it was first sent, on our clock."""

    kind: "Kind"
    place: Place
    envelope: Envelope
    data: bytes  # the envelope as it travels
    born: float

    @property
    def key(self) -> "Key":
        return self.place.namespace, self.kind.name, self.place.slot

    @property
    def expires(self) -> float:
        return self.born + self.kind.lifetime

    def age(self, now: float) -> int:
        return max(int(now - self.born), 0)

    def supersedes(self, other: "Statement") -> bool:
        """Higher rank, then lower id: an order that all nodes share."""
        if self.place.rank != other.place.rank:
            return self.place.rank > other.place.rank
        return self.envelope.id < other.envelope.id


Key = tuple[bytes, str, bytes]  # namespace, kind, slot


class Kind(Protocol):
    """A kind of statement and its verifier. Methods are called with verified envelopes only."""

    name: str  # the kind in the envelope
    limit: int  # statements kept per namespace
    size: int  # bytes of one statement
    lifetime: float  # seconds since it was first sent; infinity where `accept` itself knows when it ends
    introduces: bool  # taken from a neighbour that has no certificate yet

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        """Judge a statement. Raises BadRecord if it is malformed; that ends the link it came by."""

    def kept(self, statement: Statement, now: float) -> None:
        """It is in the store now; what it supersedes has gone without another word."""

    def dropped(self, statement: Statement, now: float) -> None:
        """It has expired or was removed."""


class Outcome(Enum):
    NEW = auto()
    KNOWN = auto()
    OLDER = auto()  # than what is kept, or than what had been kept and expired
    EXPIRED = auto()
    FULL = auto()


@dataclass(slots=True)
class _Shelf:
    """The statements of one kind in one namespace, by slot, and the ranks of those that are gone."""

    statements: dict[bytes, Statement] = field(default_factory=dict)
    remembered: dict[bytes, tuple[int, float]] = field(default_factory=dict)  # rank, until when

    def remember(self, statement: Statement, now: float) -> None:
        if math.isinf(statement.kind.lifetime):
            return
        self.remembered[statement.place.slot] = (statement.place.rank, now + statement.kind.lifetime)
        if len(self.remembered) > statement.kind.limit:
            del self.remembered[next(iter(self.remembered))]

    def outdated(self, place: Place, now: float) -> bool:
        rank, until = self.remembered.get(place.slot, (0, -math.inf))
        return now < until and place.rank <= rank


class Statements:
    """The store. It never calls a kind back: who changes it does."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[bytes, str], _Shelf] = {}
        self._by_id: dict[bytes, Statement] = {}
        self._by_subject: dict[bytes, dict[bytes, Statement]] = {}  # subject -> id -> certificate
        self._expiries: list[tuple[float, bytes]] = []  # heap of (when, id); entries of what has gone are skipped

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, key: Key) -> Statement | None:
        namespace, kind, slot = key
        shelf = self._shelves.get((namespace, kind))
        return shelf.statements.get(slot) if shelf is not None else None

    def by_id(self, identifier: bytes) -> Statement | None:
        return self._by_id.get(identifier)

    def about(self, subject: bytes) -> list[Statement]:
        """The certificates of a node key."""
        return list(self._by_subject.get(subject, {}).values())

    def on_shelf(self, namespace: bytes, kind: str) -> list[Statement]:
        """All of one kind in one namespace."""
        shelf = self._shelves.get((namespace, kind))
        return list(shelf.statements.values()) if shelf is not None else []

    def __iter__(self) -> Iterator[Statement]:
        return iter(list(self._by_id.values()))

    def offer(self, statement: Statement, now: float) -> Outcome:
        """Keep a statement if it is the newest of its slot and there is room."""
        if now >= statement.expires:
            return Outcome.EXPIRED
        shelf = self._shelves.setdefault((statement.place.namespace, statement.kind.name), _Shelf())
        held = shelf.statements.get(statement.place.slot)
        if held is None:
            if shelf.outdated(statement.place, now):
                return Outcome.OLDER
            if len(shelf.statements) >= statement.kind.limit:
                return Outcome.FULL
        elif held.envelope.id == statement.envelope.id:
            return Outcome.KNOWN
        elif not statement.supersedes(held):
            return Outcome.OLDER
        else:
            self._unlink(held)
        shelf.remembered.pop(statement.place.slot, None)
        self._link(shelf, statement)
        return Outcome.NEW

    def remove(self, statement: Statement, now: float) -> None:
        """Drop a statement, but remember its rank for another lifetime, so that a late copy does not revive it."""
        shelf = self._shelves[statement.place.namespace, statement.kind.name]
        del shelf.statements[statement.place.slot]
        self._unlink(statement)
        shelf.remember(statement, now)

    def expire(self, now: float) -> list[Statement]:
        """Remove and return what is past its lifetime."""
        expired = []
        while self.next_expiry() <= now:
            statement = self._by_id[heappop(self._expiries)[1]]
            self.remove(statement, now)
            expired.append(statement)
        return expired

    def next_expiry(self) -> float:
        while self._expiries and not self._is_live(*self._expiries[0]):
            heappop(self._expiries)
        return self._expiries[0][0] if self._expiries else math.inf

    def _link(self, shelf: _Shelf, statement: Statement) -> None:
        identifier, subject = statement.envelope.id, statement.place.subject
        shelf.statements[statement.place.slot] = statement
        self._by_id[identifier] = statement
        if subject is not None:
            self._by_subject.setdefault(subject, {})[identifier] = statement
        if not math.isinf(statement.expires):
            heappush(self._expiries, (statement.expires, identifier))
            if len(self._expiries) > 2 * len(self._by_id) + 64:
                self._expiries = [entry for entry in self._expiries if self._is_live(*entry)]
                heapify(self._expiries)

    def _is_live(self, when: float, identifier: bytes) -> bool:
        statement = self._by_id.get(identifier)
        return statement is not None and statement.expires == when

    def _unlink(self, statement: Statement) -> None:
        identifier, subject = statement.envelope.id, statement.place.subject
        del self._by_id[identifier]
        if subject is not None:
            certificates = self._by_subject[subject]
            del certificates[identifier]
            if not certificates:
                del self._by_subject[subject]
