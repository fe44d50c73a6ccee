"""What a namespace knows of its nodes: names and directory statements, sealed under the namespace key
(docs/concepts/security.md, Authority; wire.md, 3 Routing).

Relays and strangers that carry these statements see who signed them and when, and nothing else.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from abc import ABC, abstractmethod
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
from node.certificates import ADMIN, CertificateBook, Key
from node.routing import Place, Refusal, Standing, Statement

MAX_RESOURCES = 1024
KEY_ID_SIZE = 8
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What nodes and resources may be called; to be matched as a whole."""
KeyId = Annotated[bytes, Meta(min_length=KEY_ID_SIZE, max_length=KEY_ID_SIZE)]


class NamespaceKey:
    """The symmetric key that every admin and member of a namespace has."""

    SIZE = SecretBox.KEY_SIZE

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = hashlib.blake2b(secret, digest_size=KEY_ID_SIZE, person=b"glow key id").digest()
        self._box = SecretBox(secret)

    @classmethod
    def generate(cls) -> NamespaceKey:
        return cls(os.urandom(cls.SIZE))

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


def name_statement(admin: NodeKey, namespace: bytes, key: bytes, label: str, secret: NamespaceKey, now: float) -> bytes:
    """An administrator's word that the node with `key` is called `label`."""
    body = _Name(namespace, key, int(now * 1000), secret.id, secret.seal(label.encode()))
    return sign("name", msgspec.msgpack.encode(body), admin)


def named_key(envelope: Envelope) -> tuple[bytes, bytes]:
    """(namespace, node key) that a name statement is about. Raises BadRecord."""
    body = _decode_name(envelope.body)
    return body.namespace, body.key


def directory_statement(key: NodeKey, namespace: bytes, contents: Contents, secret: NamespaceKey, now: float) -> bytes:
    body = _Directory(namespace, int(now * 1000), secret.id, secret.seal(msgspec.msgpack.encode(contents)))
    return sign("directory", msgspec.msgpack.encode(body), key)


@dataclass
class Entry:
    """What the directory knows of one node."""

    key: bytes
    label: str = ""
    named: int = 0  # when, in Unix ms
    contents: Contents = field(default_factory=lambda: Contents("", []))
    address: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.address = address_of(self.key)


class Directory:
    """The names and resources of one namespace's nodes."""

    def __init__(self, namespace: bytes, book: CertificateBook, secret: NamespaceKey | None) -> None:
        self.namespace = namespace
        self.secret = secret
        self.unreadable = 0  # statements that their signer sealed wrongly
        self._book = book
        self._entries: dict[bytes, Entry] = {}
        self._by_address: dict[bytes, Entry] = {}
        self._holders: dict[str, list[Entry]] | None = None

    def entries(self) -> list[Entry]:
        """Of every node with a valid certificate, by label."""
        found = [self._entry(key) for key in self._book.keys(self.namespace)]
        return sorted(found, key=lambda entry: (entry.label, entry.key))

    def entry(self, address: bytes) -> Entry | None:
        """Of the node with this address, if its certificate is valid."""
        entry = self._by_address.get(address)
        if entry is None and not self._book.lists(self.namespace, address):
            return None
        if entry is None:
            return next((entry for entry in self.entries() if entry.address == address), None)
        return entry if self._book.find(self.namespace, entry.key) is not None else None

    def find(self, name: str) -> list[Entry]:
        """The nodes that a label, an address or a prefix of one means: none, one, or all that a prefix fits.

        A label wins over a prefix; of the nodes with one label, the one that was given it first.
        """
        holders = self._labelled().get(name)
        if holders and self.entry(holders[0].address) is not None:
            return holders[:1]
        try:
            found = self.entry(parse_address(name))
        except ValueError:
            return [entry for entry in self.entries() if matches_prefix(entry.address, name)]
        return [found] if found is not None else []

    def label_of(self, address: bytes) -> str:
        entry = self.entry(address)
        return entry.label if entry is not None else ""

    def open(self, key_id: bytes, sealed: bytes) -> bytes | None:
        """What a statement holds; None if it is sealed under a key that this node has not. Raises BadRecord."""
        if self.secret is None or self.secret.id != key_id:
            return None
        return self.secret.open(sealed)

    def named(self, key: bytes, label: str, issued: int) -> None:
        entry = self._entry(key)
        entry.label, entry.named = label, issued
        self._holders = None

    def described(self, key: bytes, contents: Contents) -> None:
        self._entry(key).contents = contents

    def given_label(self, key: bytes) -> str:
        """What a node was called last, whether or not its certificate is valid."""
        return self._entry(key).label

    def clashing(self, key: bytes) -> bool:
        """Whether the node has a label that another one was given before."""
        label = self._entry(key).label
        return bool(label) and self._labelled()[label][0].key != key

    @property
    def clashes(self) -> dict[str, list[bytes]]:
        """By label, the keys of the nodes that cannot be called by it because another one was earlier."""
        holders = self._labelled().items()
        return {label: [entry.key for entry in entries[1:]] for label, entries in holders if len(entries) > 1}

    def _entry(self, key: bytes) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key)
            self._by_address[entry.address] = entry
        return entry

    def _labelled(self) -> dict[str, list[Entry]]:
        """The nodes with each label, the earliest statement first."""
        if self._holders is None:
            self._holders = {}
            for entry in sorted(self._entries.values(), key=lambda entry: (entry.named, entry.key)):
                if entry.label:
                    self._holders.setdefault(entry.label, []).append(entry)
        return self._holders


class _Sealed(ABC):
    """What the two kinds of sealed statements have in common."""

    lifetime = math.inf
    introduces = False

    def __init__(self, book: CertificateBook, directories: dict[bytes, Directory], changed: Callable[[], None]) -> None:
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

    def kept(self, statement: Statement, now: float) -> None:
        """What does not open or is malformed inside is its signer's fault: the neighbour may have no key to see it."""
        directory = self._directories[statement.place.namespace]
        try:
            self._read(directory, statement)
        except BadRecord:
            directory.unreadable += 1
        self._changed()

    @abstractmethod
    def _read(self, directory: Directory, statement: Statement) -> None:
        """Takes what a statement says into the directory. Raises BadRecord."""


class NameKind(_Sealed):
    """Names, signed by administrators. A later one of the same node replaces an earlier one."""

    name = "name"
    limit = 2048
    size = 1024

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        body = _decode_name(envelope.body)
        refusal = self._standing(body.namespace, envelope.signer, now, admin=True)
        if refusal is not None or not self._book.begun(body.issued / 1000):
            return refusal or Refusal.EXPIRED
        return Place(body.namespace, body.key, body.issued)

    def _read(self, directory: Directory, statement: Statement) -> None:
        body = _decode_name(statement.envelope.body)
        plaintext = directory.open(body.key_id, body.sealed)
        if plaintext is not None:
            directory.named(body.key, _decode_label(plaintext), body.issued)

    def dropped(self, statement: Statement, now: float) -> None:
        body = _decode_name(statement.envelope.body)
        self._directories[body.namespace].named(body.key, "", 0)
        self._changed()


class DirectoryKind(_Sealed):
    """Directory statements, signed by the node that they describe."""

    name = "directory"
    limit = 2048
    size = 62_000

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        body = _decode_directory(envelope.body)
        refusal = self._standing(body.namespace, envelope.signer, now, admin=False)
        if refusal is not None or not self._book.begun(body.issued / 1000):
            return refusal or Refusal.EXPIRED
        return Place(body.namespace, envelope.signer, body.issued)

    def _read(self, directory: Directory, statement: Statement) -> None:
        body = _decode_directory(statement.envelope.body)
        plaintext = directory.open(body.key_id, body.sealed)
        if plaintext is not None:
            directory.described(statement.envelope.signer, _decode_contents(plaintext))

    def dropped(self, statement: Statement, now: float) -> None:
        self._directories[statement.place.namespace].described(statement.envelope.signer, Contents("", []))
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
    """Resources whose label is none are left out. Raises BadRecord."""
    try:
        contents = msgspec.msgpack.decode(plaintext, type=Contents)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRecord("what a directory statement holds is malformed", cause=str(error)) from None
    resources = [resource for resource in contents.resources if LABEL.fullmatch(resource.label)]
    return Contents(contents.platform, resources)


def _decode_label(plaintext: bytes) -> str:
    """Raises BadRecord."""
    label = plaintext.decode(errors="replace")
    if not LABEL.fullmatch(label):
        raise BadRecord("a name statement holds no label")
    return label
