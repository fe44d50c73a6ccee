"""Who sees whom at a hub, what they can leave for each other, and how much of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio

from firefly.errors import Busy
from firefly.interfaces.signaling import Knock, NotAttached, NotListening
from firefly.runtime import Caller
from signaling import rendezvous
from signaling.rendezvous import MAX_WAITING, PAGE, Rendezvous

OURS, THEIRS = b"o" * 32, b"t" * 32


def node(number: int, namespace: bytes = OURS) -> Caller:
    return Caller(number.to_bytes(32, "big"), namespace, 0, number.to_bytes(16, "big"))


async def listening(meeting: Rendezvous, caller: Caller, nursery: trio.Nursery) -> list[Knock]:
    """What the caller hears, in a list that grows."""
    heard: list[Knock] = []

    async def listen() -> None:
        async for knock in meeting.listen(caller):
            heard.append(knock)

    nursery.start_soon(listen)
    await trio.testing.wait_all_tasks_blocked()
    return heard


@pytest.fixture
def meeting() -> Rendezvous:
    return Rendezvous()


async def test_a_knock_reaches_who_listens_with_the_sender_that_the_session_proved(
    meeting: Rendezvous, nursery: trio.Nursery
) -> None:
    heard = await listening(meeting, node(1), nursery)
    meeting.knock(node(2), node(1).address, b"offer")
    meeting.knock(node(3), node(1).address, b"")
    await trio.testing.wait_all_tasks_blocked()
    assert heard == [Knock(node(2).key, b"offer"), Knock(node(3).key, b"")]


async def test_other_namespaces_are_not_there(meeting: Rendezvous, nursery: trio.Nursery) -> None:
    """And it cannot be told from nobody listening."""
    heard = await listening(meeting, node(1), nursery)
    assert [each.node for each in meeting.attached(OURS, None)] == [node(1).address]
    assert meeting.attached(THEIRS, None) == []
    for somebody in (node(1), node(9)):
        with pytest.raises(NotAttached) as caught:
            meeting.knock(node(2, THEIRS), somebody.address, b"let me in")
        assert caught.value.node == somebody.address  # what was asked for, and nothing else
    assert not heard


async def test_who_ends_the_stream_is_not_attached_any_more(meeting: Rendezvous) -> None:
    async with trio.open_nursery() as nursery:
        await listening(meeting, node(1), nursery)
        [attached] = meeting.attached(OURS, None)
        assert attached.key == node(1).key
        assert datetime.now(UTC) - attached.since < timedelta(minutes=1)
        nursery.cancel_scope.cancel()
    assert meeting.attached(OURS, None) == []
    assert meeting.count == 0


async def test_a_newer_listener_of_a_node_ends_the_older(meeting: Rendezvous, nursery: trio.Nursery) -> None:
    older = await listening(meeting, node(1), nursery)
    newer = await listening(meeting, node(1), nursery)
    meeting.knock(node(2), node(1).address, b"hello")
    await trio.testing.wait_all_tasks_blocked()
    assert (older, newer) == ([], [Knock(node(2).key, b"hello")])
    assert meeting.count == 1
    assert len(nursery.child_tasks) == 1


async def test_a_newer_listener_takes_what_the_older_one_has_not(meeting: Rendezvous, nursery: trio.Nursery) -> None:
    """Which has taken a first one, and no more."""
    older = meeting.listen(node(1))

    async def take_one() -> None:
        await anext(older)

    nursery.start_soon(take_one)
    await trio.testing.wait_all_tasks_blocked()
    for content in (b"taken", b"one", b"two"):
        meeting.knock(node(2), node(1).address, content)
    await trio.testing.wait_all_tasks_blocked()
    newer = await listening(meeting, node(1), nursery)
    assert [knock.content for knock in newer] == [b"one", b"two"]
    with pytest.raises(StopAsyncIteration):
        await anext(older)
    assert meeting.count == 1


async def test_who_takes_nothing_is_left_alone_at_the_bound(meeting: Rendezvous) -> None:
    stream = meeting.listen(node(1))

    async def take_one() -> None:
        await anext(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_one)
        await trio.testing.wait_all_tasks_blocked()
        meeting.knock(node(2), node(1).address, b"first")
    for _ in range(MAX_WAITING):
        meeting.knock(node(2), node(1).address, b"more")
    with pytest.raises(NotListening):
        meeting.knock(node(2), node(1).address, b"too much")
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_namespace_may_have_so_many_listeners(
    meeting: Rendezvous, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendezvous, "MAX_PER_NAMESPACE", 2)
    for number in (1, 2):
        await listening(meeting, node(number), nursery)
    with pytest.raises(Busy):
        await anext(aiter(meeting.listen(node(3))))
    await listening(meeting, node(3, THEIRS), nursery)  # others have room
    monkeypatch.setattr(rendezvous, "MAX_LISTENERS", 3)
    with pytest.raises(Busy):
        await anext(aiter(meeting.listen(node(4, b"n" * 32))))
    assert meeting.count == 3


async def test_many_are_told_in_pages(meeting: Rendezvous, nursery: trio.Nursery) -> None:
    for number in range(PAGE + 10):
        nursery.start_soon(_drain, meeting, node(number))
    await trio.testing.wait_all_tasks_blocked()
    first = meeting.attached(OURS, None)
    rest = meeting.attached(OURS, first[-1].node)
    assert (len(first), len(rest)) == (PAGE, 10)
    assert [each.node for each in first + rest] == sorted(node(number).address for number in range(PAGE + 10))


async def _drain(meeting: Rendezvous, caller: Caller) -> None:
    async for _ in meeting.listen(caller):
        pass
