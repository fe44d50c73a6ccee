"""Who belongs to a namespace: certificates, and the one place that judges them
(docs/concepts/security.md, Authority).

The chain is user key -> administrator -> node, never longer. The namespace is the user's key. An administrator's
certificate and another one of the same key are kept side by side: only the user key takes administration away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from firefly.address import address_of
from firefly.envelope import Envelope, open_envelope, sign
from firefly.errors import BadRecord
from firefly.keys import NodeKey
from node.routing import Place, Refusal, Standing, Statement

ADMIN, MEMBER, GUEST, RELAY = 1, 2, 3, 4
DAY = 86400
LIFE = {ADMIN: 730 * DAY, MEMBER: 30 * DAY, GUEST: 30 * DAY, RELAY: 30 * DAY}
"""Seconds from issue to expiry, at most, by role."""
RENEW_AFTER = 20 * DAY
"""Age at which any administrator signs a new certificate and floods it; the user key renews an administrator's."""
TOLERANCE = 300
"""Seconds by which the clocks of two devices may differ."""
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Seconds = Annotated[int, Meta(ge=0, le=2**40)]


class Certificate(msgspec.Struct, array_like=True, frozen=True):
    """`issued` and `expires` in Unix seconds."""

    namespace: Key
    key: Key
    role: int
    issued: Seconds
    expires: Seconds

    @property
    def slot(self) -> bytes:
        """Of the certificates with one slot the newest counts."""
        return (b"admin" if self.role == ADMIN else b"") + self.key


_decode = msgspec.msgpack.Decoder(Certificate).decode


def certify(signer: NodeKey, namespace: bytes, key: bytes, role: int, now: float) -> bytes:
    """A signed certificate for `key`: by the user key for administrators, by an administrator for others."""
    issued = int(now)
    body = msgspec.msgpack.encode(Certificate(namespace, key, role, issued, issued + LIFE[role]))
    return sign("certificate", body, signer)


def decode_certificate(body: bytes) -> Certificate:
    """Raises BadRecord."""
    try:
        certificate = _decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecord("a certificate is malformed", cause=str(error)) from None
    if certificate.role not in LIFE or certificate.expires <= certificate.issued:
        raise BadRecord("a certificate names no role, or ends before it begins")
    if certificate.expires - certificate.issued > LIFE[certificate.role]:
        raise BadRecord("a certificate lives longer than its role allows")
    return certificate


@dataclass(frozen=True)
class Held:
    """A certificate that is kept, and who signed it."""

    certificate: Certificate
    signer: bytes
    data: bytes


class CertificateBook:
    """The certificates of the namespaces that a node is in, as a kind of statement that floods.

    `changed` is called when what a key may do has changed: with its new certificate, or None for whatever key. Times
    are those of the system's clock.
    """

    name = "certificate"
    limit = 4096
    size = 1024
    lifetime = math.inf
    introduces = True

    def __init__(self, changed: Callable[[Certificate | None], None], clock: Callable[[], float] = time.time) -> None:
        self.namespaces: set[bytes] = set()
        self._changed = changed
        self._clock = clock
        self._held: dict[
            tuple[bytes, bytes, bool], Held
        ] = {}  # by namespace, key, and whether it makes an administrator
        self._keys: dict[tuple[bytes, bytes], bytes] = {}  # by namespace and address
        self._relays: dict[bytes, set[bytes]] = {}  # keys by namespace
        self._spaces: dict[bytes, set[bytes]] = {}  # namespaces by key

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        """Judges a statement. Raises BadRecord if it is malformed."""
        certificate = decode_certificate(envelope.body)
        if certificate.namespace not in self.namespaces:
            return Refusal.UNKNOWN_NAMESPACE
        if not self._in_time(certificate):
            return Refusal.EXPIRED
        refusal = self._judge_signer(certificate, envelope.signer, now)
        if refusal is not None:
            return refusal
        return Place(certificate.namespace, certificate.slot, certificate.issued, subject=certificate.key)

    def _judge_signer(self, certificate: Certificate, signer: bytes, now: float) -> Refusal | None:
        """The user key signs administrators and nothing else; administrators sign all others."""
        namespace = certificate.namespace
        if (certificate.role == ADMIN) != (signer == namespace):
            return Refusal.NOT_CERTIFIED
        if signer == namespace or self.is_admin(namespace, signer):
            return None
        unknown = self.standing(namespace, signer, now) is Standing.UNKNOWN
        return Refusal.UNKNOWN_SIGNER if unknown else Refusal.NOT_CERTIFIED

    def kept(self, statement: Statement, now: float) -> None:
        certificate = decode_certificate(statement.envelope.body)
        namespace, key = certificate.namespace, certificate.key
        self._held[_slot(certificate)] = Held(certificate, statement.envelope.signer, statement.data)
        self._keys[namespace, address_of(key)] = key
        if certificate.role == RELAY:
            self._relays.setdefault(namespace, set()).add(key)
        self._spaces.setdefault(key, set()).add(namespace)
        self._changed(certificate)

    def dropped(self, statement: Statement, now: float) -> None:
        certificate = decode_certificate(statement.envelope.body)
        namespace, key = certificate.namespace, certificate.key
        self._held.pop(_slot(certificate), None)
        if (namespace, key, True) not in self._held and (namespace, key, False) not in self._held:
            self._keys.pop((namespace, address_of(key)), None)
            self._relays.get(namespace, set()).discard(key)
            self._spaces.get(key, set()).discard(namespace)
        self._changed(None)

    def begun(self, issued: float) -> bool:
        """Whether a statement issued at this Unix time is not of the future, as far as clocks can tell."""
        return issued - TOLERANCE <= self._clock()

    def _in_time(self, certificate: Certificate) -> bool:
        now = self._clock()
        return certificate.issued - TOLERANCE <= now <= certificate.expires + TOLERANCE

    def find(self, namespace: bytes, key: bytes) -> Held | None:
        """The valid certificate of a key, an administrator's before another."""
        held = self._administration(namespace, key)
        if held is not None:
            return held
        held = self._held.get((namespace, key, False))
        valid = held and self._in_time(held.certificate) and self._administration(namespace, held.signer)
        return held if valid else None

    def _administration(self, namespace: bytes, key: bytes) -> Held | None:
        held = self._held.get((namespace, key, True))
        return held if held is not None and self._in_time(held.certificate) else None

    def role(self, namespace: bytes, key: bytes) -> int:
        """The role of a key in a namespace, 0 if it has none."""
        held = self.find(namespace, key)
        return held.certificate.role if held is not None else 0

    def is_admin(self, namespace: bytes, key: bytes) -> bool:
        return self._administration(namespace, key) is not None

    def standing(self, namespace: bytes, key: bytes, now: float) -> Standing:
        """What routing asks before it believes a record."""
        if (namespace, key, True) not in self._held and (namespace, key, False) not in self._held:
            return Standing.UNKNOWN
        return Standing.CERTIFIED if self.find(namespace, key) is not None else Standing.REFUSED

    def hubs(self, namespace: bytes) -> list[bytes]:
        """The addresses of the relays, which connect the namespace with others."""
        relays = self._relays.get(namespace, ())
        return [address_of(key) for key in relays if self.role(namespace, key) == RELAY]

    def connects(self, certificate: Certificate) -> bool:
        """Whether its key is, or was, one of the relays."""
        return certificate.key in self._relays.get(certificate.namespace, ())

    def lists(self, namespace: bytes, address: bytes) -> bool:
        """Whether a node has, or had, a certificate."""
        return (namespace, address) in self._keys

    def shared(self, own: bytes, peer: bytes) -> list[bytes]:
        """The namespaces in which both keys are certified."""
        spaces = sorted(self._spaces.get(peer, ()))
        return [namespace for namespace in spaces if self.find(namespace, own) and self.find(namespace, peer)]

    def chain(self, namespace: bytes, key: bytes) -> list[bytes]:
        """The envelopes that prove a key's certificate, the administrator's first."""
        held = self.find(namespace, key)
        if held is None:
            return []
        signer = self._administration(namespace, held.signer)
        return ([signer.data] if signer is not None else []) + [held.data]

    def keys(self, namespace: bytes) -> list[bytes]:
        """Every key with a valid certificate."""
        held = dict.fromkeys(key for space, key, _ in self._held if space == namespace)
        return [key for key in held if self.find(namespace, key)]

    def addresses(self, namespace: bytes) -> list[bytes]:
        """Of every node that has a certificate, valid or not."""
        return [address for space, address in self._keys if space == namespace]

    def lapsed(self, namespace: bytes) -> list[Certificate]:
        """Certificates of keys that have none that is valid now."""
        held = {key: entry.certificate for (space, key, _), entry in self._held.items() if space == namespace}
        return [certificate for key, certificate in held.items() if self.find(namespace, key) is None]

    def due_for_renewal(self, namespace: bytes) -> list[Certificate]:
        """Certificates that an administrator should sign anew."""
        due = self._clock() - RENEW_AFTER
        held = [
            entry.certificate for (space, _, admin), entry in self._held.items() if space == namespace and not admin
        ]
        return [certificate for certificate in held if certificate.issued < due]


def _slot(certificate: Certificate) -> tuple[bytes, bytes, bool]:
    return certificate.namespace, certificate.key, certificate.role == ADMIN


def check_chain(namespace: bytes, envelopes: list[bytes], key: bytes, now: float) -> Certificate:
    """The certificate of `key` that the envelopes prove, for a joiner that knows nothing yet. Raises BadRecord."""
    book = CertificateBook(lambda certificate: None, lambda: now)
    book.namespaces.add(namespace)
    for data in envelopes:
        envelope = open_envelope(data)
        if envelope.kind != book.name:
            raise BadRecord(f"a {envelope.kind} statement stands where a certificate should")
        place = book.accept(envelope, now)
        if isinstance(place, Place):
            book.kept(Statement(book, place, envelope, data, now), now)
    held = book.find(namespace, key)
    if held is None:
        raise BadRecord(
            "the certificates do not prove that the device belongs to the namespace",
            hint="check the clocks of both devices",
        )
    return held.certificate
