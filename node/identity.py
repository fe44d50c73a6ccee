"""The keys of a node and of its user (docs/concepts/security.md, Authority).

The user key is made from 24 words that are shown once; it signs administrators, daily work never needs it, and
no node keeps it unless a passphrase seals it (node/sealed_key.py). The node key never leaves the device that made it.
"""

from __future__ import annotations

import platform
import re
import time

from firefly.envelope import open_envelope
from firefly.errors import GlowError, InvalidArgument
from firefly.keys import NodeKey
from node.certificates import ADMIN, CertificateBook, certify, decode_certificate
from node.directory import LABEL, NamespaceKey, name_statement
from node.home import Home, write_private
from node.store import Store


class AlreadyInitialized(GlowError):
    """The home has an identity."""

    fault = "caller"


class NoIdentity(GlowError):
    """The home has none."""

    fault = "caller"


def check_label(label: str) -> str:
    """Raises InvalidArgument unless it is a label: `[a-z0-9-]`, at most 63, no dash at an end."""
    if not LABEL.fullmatch(label):
        raise InvalidArgument(
            f"{label!r} is no name for a device or resource",
            cause="a name has 1 to 63 characters of a-z, 0-9 and -, and no - at its ends",
            hint=f"try {suggest_label(label)!r}",
        )
    return label


def suggest_label(text: str) -> str:
    """A label made of whatever text, e.g. the host's name."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return label or "device"


def default_label() -> str:
    return suggest_label(platform.node().partition(".")[0])


def user_key(words: str) -> NodeKey:
    """The user key of 24 words. Raises InvalidArgument for a mistyped one."""
    from mnemonic import Mnemonic

    language = Mnemonic("english")
    normal = " ".join(words.lower().split())
    if not language.check(normal) or len(normal.split()) != 24:
        raise InvalidArgument("these are not the 24 words of a user key", hint="check their spelling and order")
    return NodeKey(bytes(language.to_entropy(normal)))


def new_words() -> str:
    from mnemonic import Mnemonic

    words: str = Mnemonic("english").generate(strength=256)
    return words


def create_node_key(home: Home) -> NodeKey:
    """A device's key, on disk when this returns. Raises AlreadyInitialized."""
    home.make()
    if home.initialized:
        raise _already_initialized(home)
    key = NodeKey.generate()
    write_private(home.key_file, key.seed)
    return key


def _already_initialized(home: Home) -> AlreadyInitialized:
    return AlreadyInitialized(
        f"{home.path} has an identity already", hint="`glow status` shows it; `--home DIR` makes another one"
    )


def load_node_key(home: Home) -> NodeKey:
    """Raises NoIdentity."""
    try:
        return NodeKey(home.key_file.read_bytes())
    except FileNotFoundError:
        raise NoIdentity(f"there is no identity in {home.path}", hint="`glow node` makes one") from None
    except ValueError as error:
        raise NoIdentity(f"{home.key_file} is damaged", cause=str(error), hint="restore it from a backup") from None


def create_identity(home: Home, name: str | None = None) -> str:
    """Makes a first device: node key, user key, namespace, its key and its name. Returns the 24 words.

    The caller holds the home's lock. A device that has a key but no namespace yet founds one with it. The node key is
    written last: whatever ends this before, nobody was shown the words and the home has no identity. Raises
    AlreadyInitialized, InvalidArgument (a bad name), DamagedStore, OSError.
    """
    label = check_label(name) if name else default_label()
    home.make()
    known = home.initialized
    key = load_node_key(home) if known else NodeKey.generate()
    words = new_words()
    store = Store(home.database)
    try:
        if known and store.get("namespace") is not None:
            raise _already_initialized(home)
        with store.transaction():
            found_namespace(store, user_key(words), key, label)
    finally:
        store.close()
    if not known:
        write_private(home.key_file, key.seed)
    return words


def found_namespace(store: Store, user: NodeKey, key: NodeKey, label: str) -> None:
    """Writes what makes `key` the first administrator of the user's namespace."""
    now = time.time()
    namespace, secret = user.public, NamespaceKey.generate()
    store.set("namespace-key", secret.secret)
    certificate = certify(user, namespace, key.public, ADMIN, now)
    keep(store, namespace, certificate, key.public)
    keep(store, namespace, name_statement(key, namespace, key.public, label, secret, now), key.public)
    store.set("label", label.encode())
    store.set("namespace", namespace)


def keep(store: Store, namespace: bytes, data: bytes, slot: bytes) -> None:
    """Keeps a signed statement under the key of the node that it is about."""
    envelope = open_envelope(data)
    if envelope.kind == CertificateBook.name:
        slot = decode_certificate(envelope.body).slot
    store.keep_statement(envelope.id, envelope.kind, namespace[:8] + slot, data)
