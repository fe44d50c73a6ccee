"""A store does what a dictionary with revisions does, whatever happens to its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.kv.database import open_database, open_to_read
from processes.kv.reading import Logged, NotKept, Reader, Row
from processes.kv.writing import Writer, WrongRevision

BIG_LOG = 10**9


@dataclass
class Store:
    writer: Writer
    reader: Reader
    path: Path

    def do(self, work: Callable[[Writer], Any]) -> Any:
        results: list[Any] = []
        self.writer.commit([lambda: results.append(work(self.writer))])
        return results[0]

    def put(
        self, key: str, value: bytes, expected: int | None = None, expires: float | None = None, now: float = 0.0
    ) -> int:
        return self.do(lambda writer: writer.put(key, value, expected, expires, now))  # type: ignore[no-any-return]

    def delete(self, key: str, expected: int | None = None, now: float = 0.0) -> bool:
        return self.do(lambda writer: writer.delete(key, expected, now))  # type: ignore[no-any-return]

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


def opened(path: Path, log_size: int = BIG_LOG, log_bytes: int = BIG_LOG) -> Store:
    writer = Writer(open_database(path), log_size=log_size, log_bytes=log_bytes)
    return Store(writer, Reader(open_to_read(path)), path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = opened(tmp_path / "kv")
    yield store
    store.close()


def test_put_get_delete(store: Store) -> None:
    assert store.put("a", b"1") == 1
    assert store.put("b", b"") == 2
    assert store.put("a", b"2") == 3
    assert store.reader.get("a", 0.0) == Row("a", b"2", 3, None)
    assert store.delete("a")
    assert not store.delete("a")
    assert store.reader.get("a", 0.0) is None
    assert store.reader.get("b", 0.0) == Row("b", b"", 2, None)


@pytest.mark.parametrize(("expected", "actual"), [(1, 2), (0, 2), (3, 2)])
def test_the_expected_revision(store: Store, expected: int, actual: int) -> None:
    store.put("b", b"")
    store.put("a", b"1")
    for work in (lambda: store.put("a", b"2", expected), lambda: store.delete("a", expected)):
        with pytest.raises(WrongRevision) as caught:
            work()
        assert (caught.value.key, caught.value.revision) == ("a", actual)
    assert store.put("a", b"2", 2) == 3
    assert store.delete("a", 3)
    with pytest.raises(WrongRevision):
        store.delete("a", 3)
    assert store.put("a", b"2", 0) == 5


def test_expired_keys_are_as_if_they_were_not_there(store: Store) -> None:
    store.put("a", b"1", expires=10.0)
    assert store.reader.next_expiry() == 10.0
    assert store.reader.get("a", 9.9) is not None
    assert store.reader.get("a", 10.0) is None
    assert store.reader.page("", "", 10, 10.0) == ([], False)
    assert not store.delete("a", now=10.0)
    with pytest.raises(WrongRevision) as caught:
        store.put("a", b"2", 1, now=10.0)
    assert caught.value.revision == 0
    assert store.put("a", b"2", 0, now=10.0) == 2
    assert store.reader.next_expiry() is None


def test_expired_keys_are_removed_and_logged(store: Store) -> None:
    for number in range(5):
        store.put(f"{number}", b"x", expires=10.0 + number)
    assert store.do(lambda writer: writer.expire(12.0, 2)) == 2
    assert store.do(lambda writer: writer.expire(12.0, 2)) == 1
    assert store.do(lambda writer: writer.expire(12.0, 2)) == 0
    assert store.reader.changes("", 5, 10).changes == [Logged("0", 6, None), Logged("1", 7, None), Logged("2", 8, None)]


def test_an_error_leaves_nothing_of_the_transaction(store: Store) -> None:
    store.put("a", b"1")

    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        store.writer.commit([lambda: store.writer.put("a", b"2", None, None, 0.0), broken])
    assert store.reader.get("a", 0.0) == Row("a", b"1", 1, None)
    assert store.put("a", b"3") == 2


# --- the log


def test_a_watch_goes_on_from_where_the_log_begins(tmp_path: Path) -> None:
    store = opened(tmp_path / "kv", log_size=10)
    for number in range(25):
        store.put(f"{number}", b"x")
    for since in (0, 14):
        with pytest.raises(NotKept) as caught:
            store.reader.changes("", since, 100)
        assert caught.value.oldest == 15
    found = store.reader.changes("", 15, 100)
    assert [change.revision for change in found.changes] == list(range(16, 26))
    assert found.last
    assert store.reader.get("0", 0.0) == Row("0", b"x", 1, None)
    store.close()


def test_revisions_of_the_future_are_not_waited_for(store: Store) -> None:
    store.put("a", b"x")
    with pytest.raises(NotKept) as caught:
        store.reader.changes("", 2, 10)
    assert caught.value.oldest == 1


def test_old_values_do_not_fill_the_disk(tmp_path: Path) -> None:
    store = opened(tmp_path / "kv", log_bytes=100_000)
    store.put("kept", bytes(1000))
    for _ in range(500):
        store.put("a", bytes(10_000))
    assert store.reader.get("kept", 0.0) is not None
    assert len(store.reader.changes("", 501 - 3, 10).changes) == 3
    with pytest.raises(NotKept):
        store.reader.changes("", 100, 10)
    store.close()
    assert (tmp_path / "kv").stat().st_size < 3_000_000


def test_pages_of_changes(store: Store) -> None:
    for number in range(10):
        store.put(f"{'ab'[number % 2]}{number}", bytes(10))
    first = store.reader.changes("a", 0, 3)
    assert [change.key for change in first.changes] == ["a0", "a2", "a4"]
    assert (first.upto, first.last) == (5, False)
    rest = store.reader.changes("a", first.upto, 3)
    assert [change.key for change in rest.changes] == ["a6", "a8"]
    assert (rest.upto, rest.last) == (10, True)
    store.reader._page_bytes = 25
    assert [change.revision for change in store.reader.changes("", 2, 100).changes] == [3, 4, 5]


def test_pages_of_entries(store: Store) -> None:
    keys = sorted(["a", "aa", "ab", "b", "é", "a\0b", "a\uffff", "a\U0010ffff", "\U0001f600"])
    for key in keys:
        store.put(key, bytes(10))
    rows, more = store.reader.page("", "", 100, 0.0)
    assert ([row.key for row in rows], more) == (keys, False)
    rows, more = store.reader.page("a", "", 100, 0.0)
    assert ([row.key for row in rows], more) == ([key for key in keys if key.startswith("a")], False)
    rows, more = store.reader.page("a", "aa", 1, 0.0)
    assert ([row.key for row in rows], more) == (["ab"], True)
    store.reader._page_bytes = 25
    rows, more = store.reader.page("", "", 100, 0.0)
    assert ([row.key for row in rows], more) == (keys[:2], True)
    store.reader._page_bytes = 1
    assert [row.key for row in store.reader.page("", "", 100, 0.0)[0]] == keys[:1]


# --- against a model


@dataclass
class Model:
    """What a store is, written as simply as can be."""

    entries: dict[str, Row] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)

    def live(self, now: float) -> dict[str, Row]:
        return {key: row for key, row in self.entries.items() if row.expires is None or row.expires > now}

    def note(self, key: str, value: bytes | None) -> int:
        self.log.append(Logged(key, len(self.log) + 1, value))
        return len(self.log)

    def check(self, key: str, expected: int | None, now: float) -> bool:
        row = self.live(now).get(key)
        if expected is not None and expected != (row.revision if row else 0):
            raise WrongRevision(key, row.revision if row else 0)
        return row is not None

    def put(self, key: str, value: bytes, expected: int | None, expires: float | None, now: float) -> int:
        self.check(key, expected, now)
        revision = self.note(key, value)
        self.entries[key] = Row(key, value, revision, expires)
        return revision

    def delete(self, key: str, expected: int | None, now: float) -> bool:
        if not self.check(key, expected, now):
            return False
        self.note(key, None)
        del self.entries[key]
        return True

    def expire(self, now: float, limit: int) -> int:
        due = [(row.expires, row.key.encode()) for row in self.entries.values() if row.expires is not None]
        gone = [self.entries[name.decode()] for when, name in sorted(due) if when <= now][:limit]
        for row in gone:
            self.note(row.key, None)
            del self.entries[row.key]
        return len(gone)


keys = st.text(st.sampled_from("ab\0é\uffff\U0001f600"), min_size=1, max_size=3)
expected = st.none() | st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("put"), keys, st.binary(max_size=30), expected, st.none() | st.integers(0, 1000).map(float)),
    st.tuples(st.just("delete"), keys, expected),
    st.tuples(st.just("expire"), st.just(100)),
    st.tuples(st.just("open again")),
)


@given(
    batches=st.lists(st.lists(steps, max_size=5), max_size=15),
    log_size=st.integers(1, 20),
    log_bytes=st.integers(0, 100),
    prefix=st.text(st.sampled_from("abé"), max_size=2),
)
def test_any_history(
    batches: list[list[tuple[Any, ...]]],
    log_size: int,
    log_bytes: int,
    prefix: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("kv") / "kv"
    store, model = opened(path, log_size, log_bytes), Model()
    for now, batch in enumerate(batches):
        if ("open again",) in batch:
            store.close()
            store = opened(path, log_size, log_bytes)
        outcomes: list[tuple[object, object]] = []
        works = [step for step in batch if step != ("open again",)]
        store.writer.commit([partial(_run_both, store.writer, model, step, now * 50.0, outcomes) for step in works])
        assert [real for real, _ in outcomes] == [wanted for _, wanted in outcomes]
        _compare(store.reader, model, prefix, now * 50.0)
    store.close()


def _run_both(
    writer: Writer, model: Model, step: tuple[Any, ...], now: float, outcomes: list[tuple[object, object]]
) -> None:
    outcomes.append((_outcome(writer, step, now), _outcome(model, step, now)))


def _outcome(target: Any, step: tuple[Any, ...], now: float) -> object:
    name, *arguments = step
    if name == "expire":
        return target.expire(now, *arguments)
    try:
        return getattr(target, name)(*arguments, now)
    except WrongRevision as error:
        return error.key, error.revision


def _compare(reader: Reader, model: Model, prefix: str, now: float) -> None:
    live = model.live(now)
    wanted = [live[key] for key in sorted(live) if key.startswith(prefix)]
    assert reader.page(prefix, "", 1000, now) == (wanted, False)
    assert all(reader.get(key, now) == row for key, row in live.items())
    assert reader.revision() == len(model.log)
    try:
        reader.changes("", 0, 1000)
        floor = 0
    except NotKept as error:
        floor = error.oldest
    found = reader.changes(prefix, floor, 1000)
    assert found.changes == [change for change in model.log[floor:] if change.key.startswith(prefix)]
    assert (found.upto, found.last) == (len(model.log), True)
