"""What a namespace knows of its nodes: names and directory statements, sealed under the namespace key
(docs/concepts/security.md, Authority; wire.md, 3 Routing).

Relays and strangers that carry these statements see who signed them and when, and nothing else.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from firefly.address import address_of, matches_prefix, parse_address
from firefly.envelope import Envelope, sign
from firefly.errors import BadRecord
from firefly.keys import NodeKey
from node.certificates import ADMIN, TOLERANCE, CertificateBook, Key
from node.routing import Place, Refusal, Standing, Statement

MAX_RESOURCES = 1024
KEY_ID_SIZE = 8
Label = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
KeyId = Annotated[bytes, Meta(min_length=KEY_ID_SIZE, max_length=KEY_ID_SIZE)]


class NamespaceKey:
    """The symmetric key that every admin and member of a namespace has."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = hashlib.blake2b(secret, digest_size=KEY_ID_SIZE, person=b"glow key id").digest()
        self._box = SecretBox(secret)

    @classmethod
    def generate(cls) -> NamespaceKey:
        return cls(os.urandom(32))

    def seal(self, plaintext: bytes) -> bytes:
        return bytes(self._box.encrypt(plaintext))

    def open(self, sealed: bytes) -> bytes:
        """Raises BadRecord."""
        try:
            return self._box.decrypt(sealed)
        except (CryptoError, ValueError, TypeError):
            raise BadRecord("a sealed statement does not open with the namespace's key") from None


class _Name(msgspec.Struct, array_like=True, frozen=True):
    """`sealed` holds the label; `issued` in Unix ms."""

    namespace: Key
    key: Key
    issued: Annotated[int, Meta(ge=0, le=2**53)]
    key_id: KeyId
    sealed: Annotated[bytes, Meta(max_length=256)]


class _Directory(msgspec.Struct, array_like=True, frozen=True):
    namespace: Key
    issued: Annotated[int, Meta(ge=0, le=2**53)]
    key_id: KeyId
    sealed: Annotated[bytes, Meta(max_length=60_000)]


class Resource(msgspec.Struct, array_like=True, frozen=True):
    """A resource as its node offers it; `access` is the lowest role that may call it."""

    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    label: Annotated[str, Meta(max_length=63)]
    proto: Annotated[str, Meta(max_length=512)]
    access: int


class Contents(msgspec.Struct, array_like=True, frozen=True):
    """What a node says of itself."""

    platform: Annotated[str, Meta(max_length=200)]
    resources: Annotated[list[Resource], Meta(max_length=MAX_RESOURCES)]


def name_statement(
    admin: NodeKey, namespace: bytes, key: bytes, label: str, secret: NamespaceKey, now: float
) -> bytes:
    """An administrator's word that the node with `key` is called `label`."""
    body = _Name(namespace, key, int(now * 1000), secret.id, secret.seal(label.encode()))
    return sign("name", msgspec.msgpack.encode(body), admin)


def directory_statement(
    key: NodeKey, namespace: bytes, contents: Contents, secret: NamespaceKey, now: float
) -> bytes:
    body = _Directory(namespace, int(now * 1000), secret.id, secret.seal(msgspec.msgpack.encode(contents)))
    return sign("directory", msgspec.msgpack.encode(body), key)


@dataclass
class Entry:
    """What the directory knows of one node."""

    key: bytes
    label: str = ""
    named: int = 0
    contents: Contents = field(default_factory=lambda: Contents("", []))

    @property
    def address(self) -> bytes:
        return address_of(self.key)


class Directory:
    """The names and resources of one namespace's nodes."""

    def __init__(self, namespace: bytes, book: CertificateBook, secret: NamespaceKey | None) -> None:
        self.namespace = namespace
        self.secret = secret
        self.clashes: dict[str, list[bytes]] = {}
        self._book = book
        self._entries: dict[bytes, Entry] = {}
        self._labels: dict[str, bytes] = {}

    def entries(self) -> list[Entry]:
        """Of every node with a valid certificate, by label."""
        found = [self._entries.get(key) or Entry(key) for key in self._book.keys(self.namespace)]
        return sorted(found, key=lambda entry: (entry.label, entry.key))

    def entry(self, address: bytes) -> Entry | None:
        return next((entry for entry in self.entries() if entry.address == address), None)

    def find(self, name: str) -> list[Entry]:
        """The nodes that a label, an address or a prefix of one means. A label wins."""
        key = self._labels.get(name)
        entries = self.entries()
        labelled = [entry for entry in entries if entry.key == key]
        if labelled:
            return labelled
        try:
            address = parse_address(name)
        except ValueError:
            return [entry for entry in entries if matches_prefix(entry.address, name)]
        return [entry for entry in entries if entry.address == address]

    def label_of(self, address: bytes) -> str:
        entry = self.entry(address)
        return entry.label if entry is not None else ""

    def named(self, key: bytes, label: str, issued: int) -> None:
        entry = self._entries.setdefault(key, Entry(key))
        entry.label, entry.named = label, issued
        self._relabel()

    def described(self, key: bytes, contents: Contents) -> None:
        self._entries.setdefault(key, Entry(key)).contents = contents

    def _relabel(self) -> None:
        """The earliest statement of a label wins; the others are clashes, which are shown."""
        self._labels, self.clashes = {}, {}
        for entry in sorted(self._entries.values(), key=lambda entry: (entry.named, entry.key)):
            if entry.label in self._labels:
                self.clashes.setdefault(entry.label, []).append(entry.key)
            else:
                self._labels[entry.label] = entry.key


class _Sealed:
    """What the two kinds of sealed statements have in common."""

    lifetime = math.inf
    introduces = False

    def __init__(
        self, book: CertificateBook, directories: dict[bytes, Directory], changed: Callable[[], None]
    ) -> None:
        self._book = book
        self._directories = directories
        self._changed = changed

    def _standing(self, namespace: bytes, signer: bytes, now: float, admin: bool) -> Refusal | None:
        if namespace not in self._directories:
            return Refusal.UNKNOWN_NAMESPACE
        standing = self._book.standing(namespace, signer, now)
        if standing is Standing.UNKNOWN:
            return Refusal.UNKNOWN_SIGNER
        if standing is Standing.REFUSED or (admin and self._book.role(namespace, signer) != ADMIN):
            return Refusal.NOT_CERTIFIED
        return None

    def dropped(self, statement: Statement, now: float) -> None:
        self._changed()


def _in_time(issued: int) -> bool:
    return issued / 1000 <= time.time() + TOLERANCE


class NameKind(_Sealed):
    """Names, signed by administrators. A later one of the same node replaces an earlier one."""

    name = "name"
    limit = 2048
    size = 1024

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        body = _decode_name(envelope.body)
        refusal = self._standing(body.namespace, envelope.signer, now, admin=True)
        if refusal is not None or not _in_time(body.issued):
            return refusal or Refusal.EXPIRED
        return Place(body.namespace, body.key, body.issued)

    def kept(self, statement: Statement, now: float) -> None:
        body = _decode_name(statement.envelope.body)
        directory = self._directories[body.namespace]
        if directory.secret is not None and directory.secret.id == body.key_id:
            label = directory.secret.open(body.sealed).decode(errors="replace")[:63]
            directory.named(body.key, label, body.issued)
            self._changed()


class DirectoryKind(_Sealed):
    """Directory statements, signed by the node that they describe."""

    name = "directory"
    limit = 2048
    size = 62_000

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        body = _decode_directory(envelope.body)
        refusal = self._standing(body.namespace, envelope.signer, now, admin=False)
        if refusal is not None or not _in_time(body.issued):
            return refusal or Refusal.EXPIRED
        return Place(body.namespace, envelope.signer, body.issued)

    def kept(self, statement: Statement, now: float) -> None:
        body = _decode_directory(statement.envelope.body)
        directory = self._directories[body.namespace]
        if directory.secret is not None and directory.secret.id == body.key_id:
            directory.described(statement.envelope.signer, _decode_contents(directory.secret.open(body.sealed)))
            self._changed()


def _decode_name(body: bytes) -> _Name:
    try:
        return msgspec.msgpack.decode(body, type=_Name)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecord("a name statement is malformed", cause=str(error)) from None


def _decode_directory(body: bytes) -> _Directory:
    try:
        return msgspec.msgpack.decode(body, type=_Directory)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecord("a directory statement is malformed", cause=str(error)) from None


def _decode_contents(plaintext: bytes) -> Contents:
    try:
        return msgspec.msgpack.decode(plaintext, type=Contents)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecord("what a directory statement holds is malformed", cause=str(error)) from None
