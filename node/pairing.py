"""Pairing by an invite link (docs/concepts/security.md, Pairing). Sans-I/O.

    joiner   reads the link: inviter's key, secret, addresses; dials, and the handshake checks the key
    joiner   PAIR 1  proof(secret, "join", h), wished label
    inviter  PAIR 2  proof(secret, "invite", h), user key, certificates, name statement, namespace key in a box
         or  PAIR 3  reason

`h` is the hash of the link's handshake: a proof made for one link is worth nothing on another. Only a right proof
uses an invite up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Annotated

import msgspec
from msgspec import Meta

from firefly.envelope import open_envelope
from firefly.errors import BadMessage, GlowError, InvalidArgument, ProtocolError
from firefly.keys import NodeKey
from node.certificates import ADMIN, MEMBER, Certificate, Key, certify, check_chain, decode_certificate
from node.directory import LABEL, NameKind, NamespaceKey, name_statement, named_key

PREFIX = "glow-join:"
LINK_VERSION = 1
SECRET_SIZE = 16
LIFETIME = 86400.0
MAX_LINK = 4096
"""Characters of a link: 16 addresses of 300 bytes would be more, but nobody could scan or paste that."""
DIALLED = frozenset(("tcp", "ws", "wss", "webrtc"))
"""Schemes that an invite may name. `pipe` and `unix` come from this device's user alone."""
ASK, GRANT, REFUSE = 1, 2, 3
"""Steps of PAIR."""
Secret = Annotated[bytes, Meta(min_length=SECRET_SIZE, max_length=SECRET_SIZE)]
Proof = Annotated[bytes, Meta(min_length=32, max_length=32)]


class _Version(msgspec.Struct, array_like=True):
    version: int


class _Link(msgspec.Struct, array_like=True):
    version: int
    key: Key
    secret: Secret
    addresses: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=16)]


class Invite(msgspec.Struct, array_like=True):
    """What the inviter keeps. `expires` in Unix seconds; with `accept` a right proof is enough."""

    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    secret: Secret
    name: str
    role: int
    expires: float
    accept: bool


class Ask(msgspec.Struct, array_like=True):
    """PAIR 1: the joiner's proof, what it would like to be called, and whether it can only be a relay."""

    proof: Proof
    label: Annotated[str, Meta(max_length=63)] = ""
    relay: bool = False


class Grant(msgspec.Struct, array_like=True):
    """PAIR 2: the inviter's proof; user key; certificates and name as signed envelopes; sealed namespace key."""

    proof: Proof
    namespace: Key
    certificates: Annotated[list[bytes], Meta(max_length=4)]
    name: bytes
    key_box: Annotated[bytes, Meta(max_length=256)]
    label: Annotated[str, Meta(max_length=63)]


class Refusal(msgspec.Struct, array_like=True):
    reason: Annotated[str, Meta(max_length=300)]


class BadInvite(InvalidArgument):
    """The text is no invite link."""


class InviteRefusedError(GlowError):
    """The inviter said no."""

    fault = "caller"


class PairingFailed(ProtocolError):
    """The other side did not keep to the pairing."""


def new_invite(name: str, role: int, accept: bool, now: float, lifetime: float = LIFETIME) -> Invite:
    return Invite(os.urandom(16), os.urandom(SECRET_SIZE), name, role, now + lifetime, accept)


def format_link(key: bytes, secret: bytes, addresses: list[str]) -> str:
    packed = msgspec.msgpack.encode(_Link(LINK_VERSION, key, secret, addresses))
    return PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def parse_link(text: str) -> tuple[bytes, bytes, list[str]]:
    """(inviter's key, secret, addresses) of a link. Raises BadInvite."""
    text = text.strip()
    hint = "copy the whole of what `glow invite` printed"
    if len(text) > MAX_LINK:
        raise BadInvite("this is no invite link", cause=f"it has over {MAX_LINK} characters", hint=hint)
    if not text.startswith(PREFIX):
        raise BadInvite("this is no invite link", cause=f"it does not begin with {PREFIX}", hint=hint)
    encoded = text.removeprefix(PREFIX)
    try:
        packed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if msgspec.msgpack.decode(packed, type=_Version).version != LINK_VERSION:
            raise BadInvite("the invite link is of another version of Glow", hint="upgrade the older device")
        link = msgspec.msgpack.decode(packed, type=_Link)
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadInvite("the invite link is damaged", cause=str(error), hint=hint) from None
    addresses = [address for address in link.addresses if address.partition(":")[0] in DIALLED]
    return link.key, link.secret, addresses


def proof(secret: bytes, role: str, handshake_hash: bytes) -> bytes:
    """What shows that its maker knows the secret, on this very link and in this role."""
    return hashlib.blake2b(role.encode() + handshake_hash, key=secret, digest_size=32).digest()


def _seal_for(recipient: bytes, secret: bytes) -> bytes:
    from nacl.public import SealedBox
    from nacl.signing import VerifyKey

    return bytes(SealedBox(VerifyKey(recipient).to_curve25519_public_key()).encrypt(secret))


def _open_box(key: NodeKey, box: bytes) -> bytes:
    from nacl.exceptions import CryptoError
    from nacl.public import SealedBox
    from nacl.signing import SigningKey

    try:
        secret: bytes = SealedBox(SigningKey(key.seed).to_curve25519_private_key()).decrypt(box)
    except (CryptoError, ValueError, TypeError):
        raise PairingFailed("the namespace's key does not open") from None
    if len(secret) not in (0, NamespaceKey.SIZE):
        raise PairingFailed(f"the namespace's key has {len(secret)} bytes")
    return secret


def find_invite(invites: list[Invite], ask: Ask, handshake_hash: bytes, now: float) -> Invite | None:
    """The valid invite that the proof is for."""
    for invite in invites:
        if invite.expires > now and hmac.compare_digest(proof(invite.secret, "join", handshake_hash), ask.proof):
            return invite
    return None


def make_ask(secret: bytes, handshake_hash: bytes, label: str, relay: bool = False) -> bytes:
    """PAIR 1. `relay`: the device belongs to a namespace already, and can be a relay in this one and nothing else."""
    return msgspec.msgpack.encode(Ask(proof(secret, "join", handshake_hash), label, relay))


def decode_ask(body: bytes) -> Ask:
    """Raises BadMessage."""
    try:
        return msgspec.msgpack.decode(body, type=Ask)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadMessage("a pairing message is malformed", cause=str(error)) from None


def make_grant(
    admin: NodeKey,
    namespace: bytes,
    own_chain: list[bytes],
    secret: NamespaceKey,
    invite: Invite,
    joiner: bytes,
    label: str,
    handshake_hash: bytes,
    now: float,
) -> tuple[bytes, list[bytes]]:
    """The answer to a right proof: everything that makes the joiner one of us; and the statements in it to publish."""
    if invite.role == ADMIN:
        raise InvalidArgument("an administrator is made by the user key alone", hint="invite it as a member")
    certificate = certify(admin, namespace, joiner, invite.role, now)
    name = name_statement(admin, namespace, joiner, label, secret, now)
    grant = Grant(
        proof(invite.secret, "invite", handshake_hash),
        namespace,
        [*own_chain, certificate],
        name,
        _seal_for(joiner, secret.secret if invite.role == MEMBER else b""),
        label,
    )
    return msgspec.msgpack.encode(grant), [certificate, name]


def make_refusal(reason: str) -> bytes:
    return msgspec.msgpack.encode(Refusal(reason))


class Joined(msgspec.Struct):
    """What a joiner has won: to be stored before anything is done with it."""

    certificate: Certificate
    certificates: list[bytes]
    name: bytes
    secret: bytes  # the namespace key; empty for a role that has none
    label: str


def take_answer(step: int, body: bytes, key: NodeKey, secret: bytes, handshake_hash: bytes, now: float) -> Joined:
    """Judges the inviter's answer.

    Raises InviteRefusedError with its reason; PairingFailed, BadEnvelope or BadRecord if it cheats.
    """
    try:
        if step == REFUSE:
            refusal = msgspec.msgpack.decode(body, type=Refusal)
            raise InviteRefusedError("the invite was refused", cause=refusal.reason, hint="ask for a new invite")
        grant = msgspec.msgpack.decode(body, type=Grant)
    except (msgspec.MsgspecError, ValueError) as error:
        raise PairingFailed("the inviter's answer is malformed", cause=str(error)) from None
    if step != GRANT or not hmac.compare_digest(grant.proof, proof(secret, "invite", handshake_hash)):
        raise PairingFailed("the other device does not know the invite's secret")
    certificate = check_chain(grant.namespace, grant.certificates, key.public, now)
    open_envelope(grant.name)
    _check_name(grant, key.public)
    return Joined(certificate, grant.certificates, grant.name, _open_box(key, grant.key_box), grant.label)


def _check_name(grant: Grant, key: bytes) -> None:
    """The name must be ours, from an administrator whose certificate came along. Raises PairingFailed, BadEnvelope."""
    name = open_envelope(grant.name)
    signers = [decode_certificate(open_envelope(data).body) for data in grant.certificates]
    known = any(signer.role == ADMIN and signer.key == name.signer for signer in signers)
    if name.kind != NameKind.name or not known or named_key(name) != (grant.namespace, key):
        raise PairingFailed("the inviter's name statement is not about this device")
    if not LABEL.fullmatch(grant.label):
        raise PairingFailed("the inviter gave this device a name that is none")
