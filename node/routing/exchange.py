"""The TOPOLOGY conversation over one link: what is still to be said, and what waits to be understood.

Nothing is encoded before the link asks for it. A statement that is superseded while it waits is therefore sent once, in
its newest form and with its age as it leaves, and a slow link holds keys instead of copies.

What waits is in lists and dicts: a hub has thousands of links with nothing to say, and an empty deque or OrderedDict
takes hundreds of bytes.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

from node.routing.messages import DIGESTS, Have, Signed, Want, encode_message
from node.routing.statements import Key, Statements

T = TypeVar("T")
WAITING_BYTES = 256 * 1024  # statements of unknown signers, per link
WANTED = 4 * DIGESTS
MESSAGES = 256  # pairing steps and introductions


class Waiting:
    """Verified statements of signers without a certificate; the oldest go when room is short."""

    def __init__(self, limit: int = WAITING_BYTES) -> None:
        self.bytes = 0
        self._limit = limit
        self._entries: dict[bytes, tuple[bytes, bytes, float]] = {}  # id -> signer, data, born

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._entries

    def add(self, identifier: bytes, signer: bytes, data: bytes, born: float) -> int:
        """Keep one more; return how many had to go for it."""
        if identifier in self._entries:
            return 0
        self._entries[identifier] = (signer, data, born)
        self.bytes += len(data)
        gone = 0
        while self.bytes > self._limit:
            self.bytes -= len(self._entries.pop(next(iter(self._entries)))[1])
            gone += 1
        return gone

    def take(self, signer: bytes) -> list[tuple[bytes, float]]:
        """Take out what a signer has waiting: (data, born)."""
        identifiers = [identifier for identifier, entry in self._entries.items() if entry[0] == signer]
        taken = [self._entries.pop(identifier)[1:] for identifier in identifiers]
        self.bytes -= sum(len(data) for data, _ in taken)
        return taken


class Exchange:
    """Our end of the conversation over `link`, in the namespaces in which both its ends are certified."""

    __slots__ = (
        "_haves",
        "_messages",
        "_signed",
        "_wanted",
        "link",
        "namespaces",
        "waiting",
    )

    def __init__(self, link: Hashable) -> None:
        self.link = link
        self.namespaces: frozenset[bytes] = frozenset()
        self.waiting = Waiting()
        self._messages: list[bytes] = []
        self._signed: dict[Key, None] = {}
        self._wanted: dict[bytes, None] = {}
        self._haves: list[Have] = []

    def say(self, message: bytes) -> bool:
        """Queue a whole message; False if too many wait already."""
        if len(self._messages) >= MESSAGES:
            return False
        self._messages.append(message)
        return True

    def tell(self, key: Key) -> None:
        """Send the statement that is kept under `key` when its turn comes."""
        self._signed[key] = None

    def spare(self, key: Key) -> None:
        """The neighbour has just shown that it holds what we were going to send."""
        self._signed.pop(key, None)

    def ask(self, identifier: bytes) -> bool:
        """Ask for a statement, or for the certificate of a key; False if too many are asked for already."""
        if len(self._wanted) >= WANTED:
            return False
        self._wanted[identifier] = None
        return True

    def offer(self, namespace: bytes, kind: str, identifiers: Iterable[bytes]) -> None:
        """Let the neighbour know what we hold, so that it can ask."""
        rest = list(identifiers)
        for start in range(0, len(rest), DIGESTS):
            self._haves.append(Have(namespace, kind, rest[start : start + DIGESTS]))

    def next_payload(self, store: Statements, now: float) -> bytes | None:
        """The next TOPOLOGY payload, or None."""
        if self._messages:
            return self._messages.pop(0)
        return self._next_signed(store, now) or self._next_want(store) or self._next_have()

    def _next_signed(self, store: Statements, now: float) -> bytes | None:
        while self._signed:
            statement = store.get(_first(self._signed))
            if statement is not None and statement.place.namespace in self.namespaces:
                return encode_message(Signed(statement.age(now), statement.data))
        return None

    def _next_want(self, store: Statements) -> bytes | None:
        wanted = list(_take(self._wanted, DIGESTS, store))
        return encode_message(Want(wanted)) if wanted else None

    def _next_have(self) -> bytes | None:
        while self._haves:
            have = self._haves.pop(0)
            if have.namespace in self.namespaces:
                return encode_message(have)
        return None


def _first(waiting: dict[T, None]) -> T:
    """Takes out what waits the longest."""
    first = next(iter(waiting))
    del waiting[first]
    return first


def _take(wanted: dict[bytes, None], count: int, store: Statements) -> Iterator[bytes]:
    """Up to `count` ids that are still lacking."""
    while wanted and count:
        identifier = _first(wanted)
        if store.by_id(identifier) is None:
            count -= 1
            yield identifier
