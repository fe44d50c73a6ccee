"""Pairing by an invite link: over real link handshakes, and what each side does with a cheat."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import open_envelope
from firefly.errors import BadEnvelope, BadHandshake, BadMessage, BadRecord, GlowError, InvalidArgument
from firefly.keys import NodeKey
from firefly.link import LinkHandshake
from node.certificates import ADMIN, GUEST, MEMBER, RELAY, certify
from node.directory import NamespaceKey, name_statement
from node.pairing import (
    ASK,
    GRANT,
    LIFETIME,
    MAX_LINK,
    PREFIX,
    REFUSE,
    BadInvite,
    Invite,
    InviteRefusedError,
    Joined,
    PairingFailed,
    decode_ask,
    find_invite,
    format_link,
    make_ask,
    make_grant,
    make_refusal,
    new_invite,
    parse_link,
    proof,
    take_answer,
)
from tests.firefly.mutation import garbage
from tests.node.namespace import ADMIN_1, ADMIN_2, NAS, NOW, PHONE, SPACE, STRANGER, USER, Book, admin, member

SECRET = NamespaceKey(bytes(range(32)))
INVITE = new_invite("nas", MEMBER, accept=True, now=NOW)
ADDRESSES = ["tcp://192.0.2.7:7001", "wss://hub.example/glow"]
H = bytes(range(64))


def link_hash(joiner: NodeKey, inviter: NodeKey, expected: NodeKey | None = None) -> bytes:
    """The hash of a link's handshake, the same at both ends. Raises BadHandshake if another key answers."""
    near = LinkHandshake(joiner, bytes(8), initiator=True, expected=(expected or inviter).public)
    far = LinkHandshake(inviter, bytes(8), initiator=False)
    message: bytes | None = near.start()
    while message is not None:
        answer = far.receive(message)
        message = None if answer is None else near.receive(answer)
    assert near.hash == far.hash
    return near.hash


def grant(invite: Invite = INVITE, joiner: NodeKey = NAS, h: bytes = H, label: str = "nas") -> bytes:
    return make_grant(ADMIN_1, SPACE, [admin()], SECRET, invite, joiner.public, label, h, NOW)[0]


def changed(**changes: Any) -> bytes:
    """A grant with something else in it."""
    names = ("proof", "namespace", "certificates", "name", "key_box", "label")
    parts = dict(zip(names, msgspec.msgpack.decode(grant()), strict=True)) | changes
    return msgspec.msgpack.encode(list(parts.values()))


def take(body: bytes, step: int = GRANT, key: NodeKey = NAS, secret: bytes = INVITE.secret, h: bytes = H) -> Joined:
    return take_answer(step, body, key, secret, h, NOW)


def test_a_device_joins_by_a_link() -> None:
    text = format_link(ADMIN_1.public, INVITE.secret, ADDRESSES)
    inviter, secret, addresses = parse_link(f"  {text}\n")
    assert (inviter, addresses) == (ADMIN_1.public, ADDRESSES)
    h = link_hash(NAS, ADMIN_1)
    ask = decode_ask(make_ask(secret, h, "living-room"))
    assert ask.label == "living-room"
    invite = find_invite([new_invite("", MEMBER, True, NOW), INVITE], ask, h, NOW)
    assert invite is INVITE
    body, statements = make_grant(ADMIN_1, SPACE, [admin()], SECRET, invite, NAS.public, "nas", h, NOW)
    joined = take(body, h=h)
    assert (joined.certificate.namespace, joined.certificate.key) == (SPACE, NAS.public)
    assert (joined.certificate.role, joined.label, joined.secret) == (MEMBER, "nas", SECRET.secret)
    assert joined.certificates == [admin(), statements[0]]
    assert joined.name == statements[1]
    assert Book(*joined.certificates).role(SPACE, NAS.public) == MEMBER


def test_whoever_answers_in_the_inviters_place_is_found_out_before_anything_is_said() -> None:
    with pytest.raises(BadHandshake, match="another node answers"):
        link_hash(NAS, STRANGER, expected=ADMIN_1)


def test_a_relay_is_given_no_namespace_key() -> None:
    for role in (RELAY, GUEST):
        joined = take(grant(new_role(role)), secret=INVITE.secret)
        assert (joined.certificate.role, joined.secret) == (role, b"")


def new_role(role: int) -> Invite:
    return msgspec.structs.replace(INVITE, role=role)


def test_an_invite_makes_no_administrator() -> None:
    with pytest.raises(InvalidArgument, match="user key"):
        grant(new_role(ADMIN))


def test_an_invite_lives_24_hours() -> None:
    ask = decode_ask(make_ask(INVITE.secret, H, ""))
    assert LIFETIME == 86400
    assert find_invite([INVITE], ask, H, NOW + LIFETIME - 1) is INVITE
    assert find_invite([INVITE], ask, H, NOW + LIFETIME) is None


def test_two_invites_have_nothing_in_common() -> None:
    other = new_invite("nas", MEMBER, True, NOW)
    assert (len(other.secret), len(other.id)) == (16, 16)
    assert other.secret != INVITE.secret
    assert other.id != INVITE.id


WRONG_PROOFS = [
    ("of another secret", proof(bytes(16), "join", H)),
    ("of another link", proof(INVITE.secret, "join", bytes(64))),
    ("of the other role", proof(INVITE.secret, "invite", H)),
    ("random", bytes(32)),
]


@pytest.mark.parametrize("wrong", [row[1] for row in WRONG_PROOFS], ids=[row[0] for row in WRONG_PROOFS])
def test_a_wrong_proof_finds_no_invite(wrong: bytes) -> None:
    ask = decode_ask(msgspec.msgpack.encode([wrong, "nas"]))
    assert find_invite([INVITE], ask, H, NOW) is None


def test_a_proof_heard_on_one_link_is_worth_nothing_on_another() -> None:
    ask = decode_ask(make_ask(INVITE.secret, link_hash(NAS, ADMIN_1), "nas"))
    assert find_invite([INVITE], ask, link_hash(STRANGER, ADMIN_1), NOW) is None


CHEATS = [
    ("an inviter that does not know the secret", {"proof": proof(bytes(16), "invite", H)}, PairingFailed),
    ("our own proof sent back", {"proof": proof(INVITE.secret, "join", H)}, PairingFailed),
    ("no certificates", {"certificates": []}, BadRecord),
    ("no administrator", {"certificates": [member()]}, BadRecord),
    ("the certificate of another device", {"certificates": [admin(), member(PHONE)]}, BadRecord),
    ("a certificate by a member", {"certificates": [admin(), member(PHONE), member(signer=PHONE)]}, BadRecord),
    ("an administrator by itself", {"certificates": [certify(ADMIN_1, SPACE, NAS.public, ADMIN, NOW)]}, BadRecord),
    ("another namespace", {"namespace": STRANGER.public}, BadRecord),
    ("a forged certificate", {"certificates": [admin(), member()[:-1] + b"\0"]}, BadEnvelope),
    ("something else for a certificate", {"certificates": [admin(), b"\xc1"]}, BadEnvelope),
    ("too many certificates", {"certificates": [admin()] * 5}, PairingFailed),
    ("the name of another device", {"name": name_statement(ADMIN_1, SPACE, PHONE.public, "x", SECRET, NOW)},
     PairingFailed),
    ("a name in another namespace", {"name": name_statement(ADMIN_1, b"o" * 32, NAS.public, "x", SECRET, NOW)},
     PairingFailed),
    ("a name by somebody else", {"name": name_statement(ADMIN_2, SPACE, NAS.public, "x", SECRET, NOW)}, PairingFailed),
    ("a name by the device itself", {"name": name_statement(NAS, SPACE, NAS.public, "x", SECRET, NOW)}, PairingFailed),
    ("no name", {"name": member()}, PairingFailed),
    ("a box for another device", {"key_box": msgspec.msgpack.decode(grant(joiner=PHONE))[4]}, PairingFailed),
    ("no box", {"key_box": b""}, PairingFailed),
    ("a label that is none", {"label": "../etc"}, PairingFailed),
    ("a label that is too long", {"label": "x" * 64}, PairingFailed),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error"), [row[1:] for row in CHEATS], ids=[row[0] for row in CHEATS])
def test_a_joiner_takes_nothing_that_does_not_fit(changes: dict[str, Any], error: type[GlowError]) -> None:
    with pytest.raises(error):
        take(changed(**changes))


def test_a_namespace_key_has_32_bytes() -> None:
    short = object.__new__(NamespaceKey)
    short.__dict__.update(SECRET.__dict__, secret=b"short")
    body = make_grant(ADMIN_1, SPACE, [admin()], short, INVITE, NAS.public, "nas", H, NOW)[0]
    with pytest.raises(PairingFailed, match="5 bytes"):
        take(body)


def test_the_grant_of_one_link_is_worth_nothing_on_another() -> None:
    with pytest.raises(PairingFailed, match="secret"):
        take(grant(), h=bytes(64))


def test_a_grant_is_of_use_to_nobody_else() -> None:
    with pytest.raises(BadRecord):
        take(grant(), key=PHONE)


def test_a_no_comes_with_its_reason() -> None:
    with pytest.raises(InviteRefusedError) as caught:
        take(make_refusal("the person said no"), step=REFUSE)
    assert caught.value.cause == "the person said no"


@pytest.mark.parametrize("step", [0, ASK, 4])
def test_another_step_is_no_answer(step: int) -> None:
    with pytest.raises(PairingFailed):
        take(grant(), step=step)


@pytest.mark.parametrize("url", ["pipe:rm -rf", "unix:/run/x.sock", "file:///etc/passwd", "TCP", ""])
def test_an_invite_names_no_address_that_only_the_user_may(url: str) -> None:
    text = format_link(ADMIN_1.public, INVITE.secret, [url, *ADDRESSES])
    assert parse_link(text)[2] == ADDRESSES


def link_of(*parts: Any) -> str:
    import base64

    return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(parts)).rstrip(b"=").decode()


BAD_LINKS = [
    ("nothing", "", "does not begin"),
    ("something else", "https://example.org", "does not begin"),
    ("no base64", PREFIX + "ä", "damaged"),
    ("cut off", format_link(USER.public, INVITE.secret, [])[:-4], "damaged"),
    ("another version", link_of(2, "whatever", {}), "another version"),
    ("a short key", link_of(1, b"short", INVITE.secret, []), "damaged"),
    ("a short secret", link_of(1, USER.public, b"short", []), "damaged"),
    ("too many addresses", link_of(1, USER.public, INVITE.secret, ["tcp://a"] * 17), "damaged"),
    ("too long", PREFIX + "A" * MAX_LINK, "over 4096 characters"),
]


@pytest.mark.parametrize(("text", "reason"), [row[1:] for row in BAD_LINKS], ids=[row[0] for row in BAD_LINKS])
def test_a_bad_link_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(BadInvite) as caught:
        parse_link(text)
    assert reason in f"{caught.value.message} {caught.value.cause}"
    assert caught.value.hint


@given(st.text(max_size=200).map(lambda text: PREFIX + text) | st.text())
def test_any_text_is_a_link_or_a_typed_error(text: str) -> None:
    try:
        key, secret, _ = parse_link(text)
    except BadInvite:
        return
    assert (len(key), len(secret)) == (32, 16)


@given(garbage(make_ask(INVITE.secret, H, "nas")))
def test_any_bytes_are_an_ask_or_a_typed_error(body: bytes) -> None:
    try:
        ask = decode_ask(body)
    except BadMessage:
        return
    assert len(ask.proof) == 32
    assert len(ask.label) <= 63


GRANT_BODY = grant()


@given(garbage(GRANT_BODY), st.sampled_from([GRANT, REFUSE]))
def test_no_change_of_an_answer_makes_anything_else_of_the_joiner(body: bytes, step: int) -> None:
    try:
        joined = take(body, step)
    except (InviteRefusedError, PairingFailed, BadEnvelope, BadRecord):
        return
    assert (joined.certificate.namespace, joined.certificate.key) == (SPACE, NAS.public)
    assert joined.secret == SECRET.secret
    assert open_envelope(joined.name).signer == ADMIN_1.public
