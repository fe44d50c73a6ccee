"""The keys of a device and of its user, and what makes a first device."""

import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly.envelope import open_envelope, sign
from firefly.errors import InvalidArgument
from firefly.keys import NodeKey
from node import identity
from node.certificates import ADMIN, MEMBER, certify, check_chain
from node.directory import LABEL, NamespaceKey
from node.home import Home
from node.identity import (
    AlreadyInitialized,
    NoIdentity,
    check_label,
    create_identity,
    create_node_key,
    default_label,
    keep,
    load_node_key,
    new_words,
    suggest_label,
    user_key,
)
from node.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_24_words_are_the_user_key() -> None:
    words = new_words()
    assert len(words.split()) == 24
    assert user_key(words).public == user_key("  " + words.upper().replace(" ", "\n ")).public
    assert user_key(words).public != user_key(new_words()).public


def test_the_words_are_those_of_bip_39() -> None:
    """The first of the standard's test vectors: 32 zero bytes."""
    assert user_key("abandon " * 23 + "art").seed == bytes(32)


@pytest.mark.parametrize("words", ["", "abandon", "abandon " * 24, "abandon " * 11 + "about", "wörter " * 24])
def test_mistyped_words_are_refused(words: str) -> None:
    with pytest.raises(InvalidArgument, match="24 words"):
        user_key(words)


def test_a_first_device_is_an_administrator_of_its_users_namespace(home: Home) -> None:
    user = user_key(create_identity(home, "laptop"))
    key = load_node_key(home)
    store = Store(home.database)
    assert store.get("namespace") == user.public
    certificate, name = store.statements()
    assert check_chain(user.public, [certificate], key.public, time.time()).role == ADMIN
    assert (open_envelope(name).kind, open_envelope(name).signer) == ("name", key.public)
    secret = store.get("namespace-key")
    assert secret is not None
    assert len(secret) == NamespaceKey.SIZE
    store.close()


def test_the_words_and_the_user_key_are_nowhere_on_the_disk(home: Home) -> None:
    words = create_identity(home, "laptop")
    kept = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    assert user_key(words).seed not in kept
    assert words.encode() not in kept
    assert load_node_key(home).seed in kept


def test_the_node_key_is_for_its_owner_alone(home: Home) -> None:
    create_identity(home, "laptop")
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.database.stat().st_mode) == 0o600


def test_a_home_has_one_identity(home: Home) -> None:
    create_identity(home, "laptop")
    before = load_node_key(home).seed
    for make in (lambda: create_identity(home, "again"), lambda: create_node_key(home)):
        with pytest.raises(AlreadyInitialized) as caught:
            make()
        assert str(home.path) in caught.value.message
    assert load_node_key(home).seed == before


def test_a_bad_name_leaves_nothing_behind(home: Home) -> None:
    with pytest.raises(InvalidArgument):
        create_identity(home, "My Laptop")
    assert not home.path.exists()


def test_a_device_that_belongs_nowhere_founds_a_namespace_with_its_key(home: Home) -> None:
    key = create_node_key(home)
    user = user_key(create_identity(home, "laptop"))
    assert load_node_key(home).seed == key.seed
    store = Store(home.database)
    assert check_chain(user.public, store.statements()[:1], key.public, time.time()).role == ADMIN
    store.close()


@pytest.mark.parametrize("place", ["found_namespace", "write_private", "certify", "name_statement"])
def test_a_first_start_that_was_cut_off_can_be_made_again(
    home: Home, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(identity, place, cut)
        with pytest.raises(KeyboardInterrupt):
            create_identity(home, "laptop")
    assert not home.initialized
    user = user_key(create_identity(home, "laptop"))
    store = Store(home.database)
    assert store.get("namespace") == user.public
    store.close()


def test_a_home_without_an_identity_says_how_to_make_one(home: Home) -> None:
    with pytest.raises(NoIdentity) as caught:
        load_node_key(home)
    assert "glow node" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_node_key_is_a_typed_error(home: Home, content: bytes) -> None:
    home.make()
    home.key_file.write_bytes(content)
    with pytest.raises(NoIdentity, match="damaged"):
        load_node_key(home)


def test_an_administrators_certificate_is_kept_beside_another_of_the_same_key(tmp_path: Path) -> None:
    user, admin, key = NodeKey(bytes(32)), NodeKey(b"a" * 32), NodeKey(b"k" * 32)
    store = Store(tmp_path / "state.sqlite")
    keep(store, user.public, certify(user, user.public, key.public, ADMIN, 1e9), key.public)
    keep(store, user.public, certify(admin, user.public, key.public, MEMBER, 1e9), key.public)
    keep(store, user.public, certify(admin, user.public, key.public, MEMBER, 1e9 + 1), key.public)
    assert len(store.statements()) == 2
    keep(store, user.public, sign("name", b"body", admin), key.public)
    assert len(store.statements()) == 3
    store.close()


LABELS = [("My Laptop", "my-laptop"), ("  ", "device"), ("ÄÖ", "device"), ("-a--b-", "a-b"), ("x" * 99, "x" * 63)]


@pytest.mark.parametrize(("text", "label"), LABELS)
def test_a_label_is_made_of_any_text(text: str, label: str) -> None:
    assert suggest_label(text) == label


@given(st.text())
def test_a_suggested_label_is_a_label(text: str) -> None:
    assert check_label(suggest_label(text)) == suggest_label(text)


def test_the_hosts_name_gives_the_default_label() -> None:
    assert LABEL.fullmatch(default_label())


@pytest.mark.parametrize("label", ["", "-a", "a-", "A", "a b", "a.b", "a/b", "ä", "a\n", "x" * 64, "a\0"])
def test_what_is_no_label_is_refused_with_one_that_is(label: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_label(label)
    assert repr(suggest_label(label)) in caught.value.hint
