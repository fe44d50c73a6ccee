"""Two ends shake hands and talk; whatever is wrong ends the link with its reason."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefly import link
from firefly.errors import BadFrame, BadHandshake
from firefly.hello import encode_hello
from firefly.keys import NodeKey
from firefly.link import HANDSHAKE_FRAME, PROLOGUE, WRONG_VERSION, FrameReader, LinkHandshake, frame
from firefly.noise import HandshakeXX
from firefly.sealing import AES256, CHACHA20
from tests.firefly.mutation import garbage

ANNA, BERT, CARL = (NodeKey(bytes([number]) * 32) for number in range(3))
Tamper = Callable[[int, bytes], bytes]


def _ends(expected: bytes | None = BERT.public) -> tuple[LinkHandshake, LinkHandshake]:
    return LinkHandshake(ANNA, b"instance", True, expected), LinkHandshake(BERT, b"another.", False)


def _shake(initiator: LinkHandshake, responder: LinkHandshake, tamper: Tamper = lambda step, content: content) -> None:
    """Carries the three frames, each changed by `tamper(step, frame)`."""
    content: bytes | None = initiator.start()
    ends = responder, initiator, responder
    for step, end in enumerate(ends):
        assert content is not None
        content = end.receive(tamper(step, content))
    assert content is None


@pytest.mark.parametrize("expected", [None, BERT.public])
def test_both_ends_know_each_other_and_talk(expected: bytes | None) -> None:
    initiator, responder = _ends(expected)
    _shake(initiator, responder)
    assert initiator.done
    assert responder.done
    assert (initiator.peer_key, initiator.peer_instance) == (BERT.public, b"another.")
    assert (responder.peer_key, responder.peer_instance) == (ANNA.public, b"instance")
    assert initiator.hash == responder.hash
    assert initiator.cipher == responder.cipher
    for one, other in ((initiator, responder), (responder, initiator)):
        assert [other.opener.open(one.sealer.seal(text)) for text in (b"one", b"two")] == [b"one", b"two"]


def test_each_first_frame_begins_with_the_version_and_all_fit_the_bound() -> None:
    seen: list[bytes] = []

    def see(step: int, content: bytes) -> bytes:
        seen.append(content)
        return content

    _shake(*_ends(), see)
    assert seen[0][:1] == seen[1][:1] == b"\x01"
    assert [len(seen[0]), len(seen[1]) < HANDSHAKE_FRAME, len(seen[2]) < HANDSHAKE_FRAME] == [33, True, True]


def test_no_frame_shows_a_key() -> None:
    """An observer must not learn who talks; each end's identity and static key are inside sealed parts."""

    def look(step: int, content: bytes) -> bytes:
        for key in (ANNA, BERT):
            assert not any(part in content for part in (key.public, key.exchange_public, key.address))
        return content

    _shake(*_ends(), look)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("place", [1, 20, 33, 60, -1])
def test_a_changed_frame_ends_the_handshake(step: int, place: int) -> None:
    def tamper(now: int, content: bytes) -> bytes:
        if now != step:
            return content
        forged = bytearray(content)
        forged[min(place, len(forged) - 1)] ^= 4
        return bytes(forged)

    initiator, responder = _ends()
    with pytest.raises(BadHandshake):
        _shake(initiator, responder, tamper)
    assert not responder.done


@given(st.data(), st.integers(0, 2))
def test_garbage_ends_the_handshake(data: st.DataObject, step: int) -> None:
    def tamper(now: int, content: bytes) -> bytes:
        return data.draw(garbage(content).filter(lambda forged: forged != content)) if now == step else content

    initiator, responder = _ends()
    with pytest.raises(BadHandshake) as caught:
        _shake(initiator, responder, tamper)
    assert caught.value.fault == "peer"
    assert not responder.done


def test_a_handshake_that_failed_stays_failed() -> None:
    initiator, responder = _ends()
    answer = responder.receive(initiator.start())
    assert answer is not None
    with pytest.raises(BadHandshake, match="does not open"):
        initiator.receive(answer[:-1] + bytes([answer[-1] ^ 1]))
    with pytest.raises(BadHandshake, match="has ended"):
        initiator.receive(answer)


def test_another_node_than_the_one_dialled_learns_nothing_of_the_dialler() -> None:
    initiator, responder = _ends(expected=CARL.public)
    answer = responder.receive(initiator.start())
    assert answer is not None
    with pytest.raises(BadHandshake, match="another node"):
        initiator.receive(answer)
    assert not initiator.done
    assert not responder.done
    assert responder.peer_key == b""


def test_a_listener_may_expect_a_key_too() -> None:
    initiator = LinkHandshake(ANNA, b"instance", True)
    responder = LinkHandshake(BERT, b"another.", False, expected=CARL.public)
    with pytest.raises(BadHandshake, match="another node"):
        _shake(initiator, responder)


def test_a_borrowed_identity_is_refused() -> None:
    """Carl shakes hands with his own key and says that he is Bert."""
    carl = HandshakeXX(CARL, PROLOGUE, False)
    initiator = LinkHandshake(ANNA, b"instance", True)
    carl.read(initiator.start()[1:])
    with pytest.raises(BadHandshake, match="not the key that it shook hands with"):
        initiator.receive(b"\x01" + carl.write(encode_hello(BERT.public, b"instance")))


@pytest.mark.parametrize("first", [b"\x02" + bytes(32), b"\x00", b"", b"GET / HTTP/1.1"])
def test_another_version_is_answered_once_in_plain_bytes(first: bytes) -> None:
    _, responder = _ends()
    with pytest.raises(BadHandshake, match="another version") as caught:
        responder.receive(first)
    assert caught.value.answer == WRONG_VERSION == b"glow 1-1"
    with pytest.raises(BadHandshake, match="has ended") as caught:
        responder.receive(b"\x01" + bytes(32))
    assert caught.value.answer == b""


def test_a_dialler_does_not_answer_another_version() -> None:
    initiator, _ = _ends()
    initiator.start()
    with pytest.raises(BadHandshake, match="another version") as caught:
        initiator.receive(b"\x02" + bytes(200))
    assert caught.value.answer == b""
    assert caught.value.hint


def test_the_plain_answer_is_understood_by_the_dialler() -> None:
    reader = FrameReader(HANDSHAKE_FRAME)
    assert reader.feed(WRONG_VERSION[:3]) == []
    with pytest.raises(BadHandshake, match="another version") as caught:
        reader.feed(WRONG_VERSION[3:])
    assert caught.value.hint


def test_a_long_frame_ends_the_handshake() -> None:
    _, responder = _ends()
    with pytest.raises(BadHandshake, match="too long"):
        responder.receive(b"\x01" + bytes(HANDSHAKE_FRAME))


def test_nothing_comes_after_the_last_frame() -> None:
    initiator, responder = _ends()
    _shake(initiator, responder)
    for end in (initiator, responder):
        with pytest.raises(BadHandshake, match="has ended"):
            end.receive(bytes(64))


@pytest.mark.parametrize(
    ("mine", "theirs", "cipher"),
    [
        ((AES256, CHACHA20), (AES256, CHACHA20), AES256),
        ((AES256, CHACHA20), (CHACHA20,), CHACHA20),
        ((CHACHA20,), (AES256, CHACHA20), CHACHA20),
    ],
)
def test_the_best_cipher_of_both_is_used(
    monkeypatch: pytest.MonkeyPatch, mine: tuple[int, ...], theirs: tuple[int, ...], cipher: int
) -> None:
    def offer(ciphers: tuple[int, ...]) -> None:
        monkeypatch.setattr(link, "offered", lambda: ciphers)
        monkeypatch.setattr("firefly.hello.offered", lambda: ciphers)

    offer(mine)
    initiator = LinkHandshake(ANNA, b"instance", True)
    first = initiator.start()
    offer(theirs)
    responder = LinkHandshake(BERT, b"another.", False)
    second = responder.receive(first)
    assert second is not None
    offer(mine)
    third = initiator.receive(second)
    assert third is not None
    offer(theirs)
    responder.receive(third)
    assert initiator.cipher == responder.cipher == cipher
    assert responder.opener.open(initiator.sealer.seal(b"frame")) == b"frame"


def _fed(reader: FrameReader, stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [part for start, end in pairwise(places) for part in reader.feed(stream[start:end])]


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
def test_frames_come_out_however_the_stream_is_cut(frames: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader(300)
    assert _fed(reader, b"".join(map(frame, frames)), cuts) == frames
    assert reader.rest() == b""


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=20))
def test_any_stream_is_split_or_refused(stream: bytes, cuts: list[int]) -> None:
    reader = FrameReader(64)
    try:
        frames = _fed(reader, stream, cuts)
    except (BadFrame, BadHandshake):
        return
    assert b"".join(map(frame, frames)) + reader.rest() == stream
    assert all(len(content) <= 64 for content in frames)


def test_a_frame_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert FrameReader(10).feed(frame(bytes(10))) == [bytes(10)]
    for content in (frame(bytes(11)), frame(bytes(11))[:4], b"\xff" * 4):
        with pytest.raises(BadFrame, match="at most 10"):
            FrameReader(10).feed(content)


def test_what_comes_behind_a_handshake_is_measured_by_the_next_limit() -> None:
    """One read may bring a handshake's last frame and a long sealed one."""
    reader = FrameReader(10)
    assert reader.feed(frame(b"last") + frame(bytes(500)) + frame(b"more")[:3]) == [b"last"]
    reader.limit = 500
    assert reader.feed(b"") == [bytes(500)]
    assert reader.feed(frame(b"more")[3:]) == [b"more"]


def test_what_comes_behind_a_handshake_may_go_to_another_reader() -> None:
    reader = FrameReader(10)
    assert reader.feed(frame(b"last") + frame(bytes(500))) == [b"last"]
    assert FrameReader(500).feed(reader.rest()) == [bytes(500)]


def test_a_frame_over_the_limit_is_refused_even_behind_a_good_one() -> None:
    reader = FrameReader(10)
    reader.check()
    assert reader.feed(frame(b"good") + frame(bytes(9))[:5]) == [b"good"]
    reader.check()
    assert reader.feed(frame(bytes(9))[5:] + frame(bytes(11))[:4]) == [bytes(9)]
    with pytest.raises(BadFrame, match="at most 10"):
        reader.check()


def test_a_frame_in_many_parts_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying what is there at every part would cost the square of the size."""
    reader = FrameReader(100_000)
    splits: list[int] = []
    split = reader._split

    def count(buffer: bytes) -> tuple[list[bytes], bytes]:
        splits.append(len(buffer))
        return split(buffer)

    monkeypatch.setattr(reader, "_split", count)
    stream = frame(bytes(50_000))
    assert [part for place in range(len(stream)) for part in reader.feed(stream[place : place + 1])] == [bytes(50_000)]
    assert splits == [4, len(stream)]
