"""Flooding: every statement reaches every node of its namespace, each link carries each at most once or twice.

    SIGNED(age, envelope)              kept if it is new; then told on every other link of its namespace
    HAVE(namespace, kind, digests)     both ends of a new link send what they hold …
    WANT(ids)                          … and ask for what they lack: only what differs travels
    PAIR(step, body)                   handed to whoever does the pairing
    CLOSE(reason)                      handed to whoever keeps the links

What an unknown key signed waits with the link it came by while the key's certificate is asked for. A neighbour that
passes on something malformed or forged breaks the rules, as it should have checked it: that raises, and the link ends.
Everything else that is not kept is counted and changes nothing. Source: docs/concepts/wire.md, section 2.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

from firefly.envelope import Envelope, open_envelope
from firefly.errors import BadEnvelope, BadMessage, BadRecord
from node.routing.exchange import Exchange
from node.routing.messages import Close, Have, Message, Pair, Signed, Want, decode_message, encode_message
from node.routing.statements import Kind, Outcome, Refusal, Statement, Statements

# (link, step, body, now)
PairHandler = Callable[[Hashable, int, bytes, float], None]


class Flooding:
    """The statements of this node and its conversations about them. `ready(link)`: `next_payload` has something."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        *,
        ready: Callable[[Hashable], None],
        pair: PairHandler,
        closed: Callable[[Hashable, str], None] = lambda link, reason: None,
    ) -> None:
        self.store = Statements()
        self.counters: Counter[str] = Counter()
        self._kinds = {kind.name: kind for kind in kinds}
        self._ready = ready
        self._pair = pair
        self._closed = closed
        self._exchanges: dict[Hashable, Exchange] = {}
        self._sharing: dict[bytes, dict[Exchange, None]] = {}  # by namespace, in the order in which they came

    def link_up(self, link: Hashable) -> None:
        """An authenticated link, not yet certified for anything."""
        self._exchanges[link] = Exchange(link)

    def certify(self, link: Hashable, namespaces: frozenset[bytes]) -> None:
        """Both ends are certified in these namespaces, and in no others: tell what we hold in those that are new."""
        exchange = self._exchanges[link]
        fresh = namespaces - exchange.namespaces
        self._share(exchange, namespaces)
        for namespace in sorted(fresh):
            for kind in self._kinds:
                exchange.offer(namespace, kind, [held.envelope.id for held in self.store.on_shelf(namespace, kind)])
        if fresh:
            self._ready(link)

    def link_down(self, link: Hashable) -> None:
        exchange = self._exchanges.pop(link, None)
        if exchange is not None:
            self._share(exchange, frozenset())

    def _share(self, exchange: Exchange, namespaces: frozenset[bytes]) -> None:
        for namespace in exchange.namespaces - namespaces:
            del self._sharing[namespace][exchange]
        for namespace in namespaces - exchange.namespaces:
            self._sharing.setdefault(namespace, {})[exchange] = None
        exchange.namespaces = namespaces

    def receive(self, link: Hashable, payload: bytes | memoryview, now: float) -> None:
        """Take the payload of a TOPOLOGY packet. Raises BadMessage, BadEnvelope or BadRecord: the link must end."""
        exchange = self._exchanges.get(link)
        if exchange is None:
            self.counters["stray"] += 1
            return
        try:
            self._handle(exchange, decode_message(payload), now)
        except BadEnvelope:
            self.counters["forged"] += 1
            raise
        except (BadMessage, BadRecord):
            self.counters["malformed"] += 1
            raise

    def next_payload(self, link: Hashable, now: float) -> bytes | None:
        """What to send next on a link, made as it leaves; None if there is nothing."""
        exchange = self._exchanges.get(link)
        return exchange.next_payload(self.store, now) if exchange is not None else None

    def publish(self, data: bytes, now: float) -> Outcome | Refusal:
        """Keep and flood a statement of our own making. It may be refused: our certificate may have ended."""
        envelope = open_envelope(data)
        kind = self._kinds[envelope.kind]
        place = kind.accept(envelope, now)
        if isinstance(place, Refusal):
            self.counters["own_refused"] += 1
            return place
        return self._offer(Statement(kind, place, envelope, data, now), None, now)

    def introduce(self, link: Hashable, envelopes: Iterable[bytes]) -> None:
        """Send statements to a neighbour that may not share a namespace with us yet."""
        for envelope in envelopes:
            self._say(link, encode_message(Signed(0, envelope)))

    def send_pair(self, link: Hashable, step: int, body: bytes) -> None:
        self._say(link, encode_message(Pair(step, body)))

    def signer_known(self, signer: bytes, now: float) -> None:
        """A key has been certified: judge again what of it was waiting."""
        for exchange in list(self._exchanges.values()):
            for data, born in exchange.waiting.take(signer):
                self._judge(exchange, open_envelope(data), data, born, now)

    def drop(self, statement: Statement, now: float) -> None:
        """Remove a statement whose signer has lost its standing."""
        self.store.remove(statement, now)
        statement.kind.dropped(statement, now)

    def next_deadline(self) -> float:
        return self.store.next_expiry()

    def on_timer(self, now: float) -> None:
        for statement in self.store.expire(now):
            self.counters["expired"] += 1
            statement.kind.dropped(statement, now)

    def _handle(self, exchange: Exchange, message: Message, now: float) -> None:
        match message:
            case Signed(age, data):
                self._judge(exchange, open_envelope(data), data, now - age, now)
            case Have():
                self._compare(exchange, message)
            case Want(ids):
                self._answer(exchange, ids)
            case Pair(step, body):
                self._pair(exchange.link, step, body, now)
            case Close(reason):
                self._closed(exchange.link, reason)

    def _judge(self, exchange: Exchange, envelope: Envelope, data: bytes, born: float, now: float) -> None:
        kind = self._kinds.get(envelope.kind)
        if kind is None:
            self.counters["unknown_kind"] += 1
        elif not (kind.introduces or exchange.namespaces):
            self.counters["uncertified"] += 1
        elif len(data) > kind.size:
            raise BadRecord(f"a {kind.name} statement is bigger than {kind.size} bytes")
        else:
            place = kind.accept(envelope, now)
            if place is Refusal.UNKNOWN_SIGNER:
                self._wait(exchange, envelope, data, born)
            elif isinstance(place, Refusal):
                self.counters[place.name.lower()] += 1
            elif not kind.introduces and place.namespace not in exchange.namespaces:
                self.counters["foreign"] += 1
            else:
                self._offer(Statement(kind, place, envelope, data, born), exchange, now)

    def _offer(self, statement: Statement, origin: Exchange | None, now: float) -> Outcome:
        """Keep a statement if it is new, and tell everybody but the neighbour it came from."""
        outcome = self.store.offer(statement, now)
        self.counters[outcome.name.lower()] += 1
        if origin is not None and outcome in (Outcome.NEW, Outcome.KNOWN):
            origin.spare(statement.key)
        elif origin is not None and outcome is Outcome.OLDER:
            self._tell(origin, statement)
        if outcome is Outcome.NEW:
            statement.kind.kept(statement, now)
            for exchange in list(self._sharing.get(statement.place.namespace, ())):
                if exchange is not origin:
                    self._tell(exchange, statement)
            if statement.place.subject is not None:
                self.signer_known(statement.place.subject, now)
        return outcome

    def _tell(self, exchange: Exchange, statement: Statement) -> None:
        if statement.place.namespace in exchange.namespaces:
            exchange.tell(statement.key)
            self._ready(exchange.link)

    def _wait(self, exchange: Exchange, envelope: Envelope, data: bytes, born: float) -> None:
        self.counters["unknown_signer"] += 1
        self.counters["waited_in_vain"] += exchange.waiting.add(envelope.id, envelope.signer, data, born)
        if exchange.ask(envelope.signer):
            self._ready(exchange.link)

    def _compare(self, exchange: Exchange, have: Have) -> None:
        if have.namespace not in exchange.namespaces or have.kind not in self._kinds:
            self.counters["foreign"] += 1
            return
        for digest in have.digests:
            if self.store.by_id(digest) is None and digest not in exchange.waiting and not exchange.ask(digest):
                self.counters["unasked"] += 1
        self._ready(exchange.link)

    def _answer(self, exchange: Exchange, ids: list[bytes]) -> None:
        for identifier in ids:
            statement = self.store.by_id(identifier)
            for wanted in [statement] if statement is not None else self.store.about(identifier):
                self._tell(exchange, wanted)

    def _say(self, link: Hashable, message: bytes) -> None:
        exchange = self._exchanges.get(link)
        if exchange is not None and exchange.say(message):
            self._ready(link)
        else:
            self.counters["unsaid"] += 1
