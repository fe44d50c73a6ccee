"""Streams of results and of arguments: in order, under credit, ended from either side, never left running."""

import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from firefly.credit import MAX_WINDOW, MAX_WINDOWS, START
from firefly.errors import DeadlineExceeded, Denied, Internal, Interrupted, InvalidArgument, NoSuchMethod
from firefly.messages import RESULTS, Item, encode
from firefly.packet import INTERACTIVE
from firefly.runtime import ITEM_SIZE, ArgumentStream, deadline
from tests.firefly.runtime.probe import Conflict, Probe, ProbeServer, Wire, wired


class Streaming(ProbeServer):
    """Streams what it is asked for; knows what it gave, what it got and whether its streams were closed."""

    def __init__(self) -> None:
        self.given = 0
        self.started = 0
        self.closed = 0
        self.got: list[int] = []
        self.error: Exception | None = None
        self.go = trio.Event()

    async def count(self, number: int) -> AsyncIterator[int]:
        self.started += 1
        try:
            for self.given in range(1, number + 1):
                yield self.given - 1
            if self.error is not None:
                raise self.error
        finally:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self.closed += 1

    async def read(self, number: int) -> AsyncIterator[bytes]:
        yield bytes(number)
        yield b""

    async def total(self, number: int, items: ArgumentStream[int]) -> int:
        if number < 0:
            raise Denied("no")
        if number == 0:
            await self.go.wait()
        try:
            async for item in items:
                self.got.append(item)
                if item == number:
                    return -1
        finally:
            self.closed += 1
        return sum(self.got)

    async def pipe(self, items: ArgumentStream[int]) -> AsyncIterator[int]:
        try:
            async for item in items:
                yield item * 2
        finally:
            self.closed += 1


@pytest.fixture
def server() -> Streaming:
    return Streaming()


@pytest.fixture
async def wire_and_probe(server: Streaming) -> AsyncIterator[tuple[Wire, Probe]]:
    async with wired(server) as both:
        yield both


@pytest.fixture
def wire(wire_and_probe: tuple[Wire, Probe]) -> Wire:
    return wire_and_probe[0]


@pytest.fixture
def probe(wire_and_probe: tuple[Wire, Probe]) -> Probe:
    return wire_and_probe[1]


def quiet(wire: Wire) -> bool:
    """Nothing is open on either side, and no window holds more than its start."""
    ends = (wire.caller, wire.owner)
    return not any(end.calls or end.serving or end.budget.left != MAX_WINDOWS for end in ends)


# --- results


async def test_results_arrive_in_order_and_end(probe: Probe, wire: Wire, server: Streaming) -> None:
    assert [item async for item in probe.count(10_000)] == list(range(10_000))
    assert [item async for item in probe.count(0)] == []
    assert server.closed == 2
    assert quiet(wire)


async def test_batches_are_the_same_items(probe: Probe) -> None:
    items: list[int] = []
    sizes: list[int] = []
    async for batch in probe.count(5000).batches():
        items += batch
        sizes.append(len(batch))
    assert items == list(range(5000))
    assert all(sizes)


async def test_batches_go_on_where_items_stopped(probe: Probe) -> None:
    async with probe.count(1000) as stream:
        items = [await anext(stream), await anext(stream)]
        async for batch in stream.batches():
            items += batch
        assert items == list(range(1000))
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_nothing_is_called_before_the_first_item_is_asked_for(probe: Probe, server: Streaming) -> None:
    stream = probe.count(5)
    await wait_all_tasks_blocked()
    assert server.started == 0
    await stream.aclose()
    assert [item async for item in stream] == []
    assert server.started == 0


async def test_bytes_are_cut_to_pieces(probe: Probe) -> None:
    pieces = [piece async for piece in probe.read(3 * ITEM_SIZE + 5)]
    assert [len(piece) for piece in pieces] == [ITEM_SIZE] * 3 + [5, 0]


async def test_a_slow_reader_holds_the_owner_up(probe: Probe, server: Streaming) -> None:
    async with probe.count(200_000) as stream:
        await anext(stream)
        await wait_all_tasks_blocked()
        given = server.given
        assert given < START
        for _ in range(given):
            await anext(stream)
        await wait_all_tasks_blocked()
        assert given < server.given < 200_000


async def test_a_fast_reader_gets_a_wide_window(probe: Probe, wire: Wire) -> None:
    stream = probe.read(2 * MAX_WINDOW)
    async for _ in stream:
        window = next(iter(wire.caller.calls.values())).window
        if window is not None and window.size == MAX_WINDOW:
            break
    else:
        pytest.fail("the window never grew to its limit")
    await stream.aclose()
    await wait_all_tasks_blocked()
    assert quiet(wire)


@pytest.mark.parametrize("how", ["break", "aclose", "forget", "cycle"])
async def test_a_stream_that_is_left_ends_its_handler(probe: Probe, wire: Wire, server: Streaming, how: str) -> None:
    stream: Any = probe.count(200_000)
    await anext(stream)
    match how:
        case "break":
            async with stream:
                async for _ in stream:
                    break
        case "aclose":
            await stream.aclose()
        case "cycle":
            stream.itself = stream
    del stream
    gc.collect()
    await wait_all_tasks_blocked()
    assert server.closed == 1
    assert quiet(wire)


async def test_a_cancelled_reader_may_go_on(probe: Probe) -> None:
    stream = probe.pipe(_slowly())
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    assert [item async for item in stream] == [0, 2, 4]


async def _slowly() -> AsyncIterator[int]:
    for number in range(3):
        await wait_all_tasks_blocked()
        yield number


@pytest.mark.parametrize(
    ("error", "kind"), [(Denied("no"), Denied), (Conflict("a", 1), Conflict), (ValueError("x"), Internal)]
)
async def test_an_error_ends_a_stream_after_the_items_before_it(
    probe: Probe, wire: Wire, server: Streaming, error: Exception, kind: type[Exception]
) -> None:
    server.error = error
    items: list[int] = []
    stream = probe.count(3)
    with pytest.raises(kind):
        await _read_into(items, stream)
    assert items == [0, 1, 2]
    assert [item async for item in stream] == []
    assert quiet(wire)


async def _read_into(items: list[int], stream: AsyncIterator[int]) -> None:
    async for item in stream:
        items.append(item)


async def test_a_stream_that_is_not_implemented(probe: Probe, wire: Wire) -> None:
    async with wired(ProbeServer()) as (_, bare):
        with pytest.raises(NoSuchMethod):
            await anext(bare.count(1))


async def test_a_stream_in_a_plain_coroutine_works_too() -> None:
    class Late(ProbeServer):
        async def count(self, number: int) -> Any:  # type: ignore[override]
            await trio.lowlevel.checkpoint()
            return self._items(number)

        async def _items(self, number: int) -> AsyncIterator[int]:
            for item in range(number):
                yield item

    async with wired(Late()) as (_, probe):
        assert [item async for item in probe.count(3)] == [0, 1, 2]


async def test_a_deadline_ends_a_stream(probe: Probe, wire: Wire, server: Streaming, autojump_clock: MockClock) -> None:
    with pytest.raises(DeadlineExceeded), deadline(5):
        await anext(probe.pipe(_never()))
    gc.collect()
    await wait_all_tasks_blocked()
    assert server.closed == 1
    assert quiet(wire)


async def _never() -> AsyncIterator[int]:
    await trio.sleep_forever()
    yield 0


async def test_a_stream_ends_interrupted_with_its_session(probe: Probe, wire: Wire, server: Streaming) -> None:
    stream = probe.count(200_000)
    await anext(stream)
    wire.cut()
    with pytest.raises(Interrupted, match="cut"):
        async for _ in stream:
            pass
    await wait_all_tasks_blocked()
    assert server.closed == 1
    assert server.started == 1


async def test_an_idempotent_stream_without_an_item_is_called_again(probe: Probe, wire: Wire) -> None:
    class Cutting(Streaming):
        async def count(self, number: int) -> AsyncIterator[int]:
            self.started += 1
            if self.started <= number:
                wire.cut()
            yield self.started

    wire.far.host.add(b"the cutting one.", server := Cutting())
    assert [item async for item in wire.open(Probe, b"the cutting one.").count(3)] == [4]
    server.started = 0
    with pytest.raises(Interrupted):
        await anext(wire.open(Probe, b"the cutting one.").count(4))


async def test_items_of_the_wrong_type_are_refused_at_the_reader(probe: Probe, wire: Wire) -> None:
    stream = probe.pipe(_never())

    async def read() -> None:
        with pytest.raises(InvalidArgument, match="the peer sent"):
            await anext(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        (number,) = wire.caller.calls
        wire.caller.receive(INTERACTIVE, _record(number, "text"))
    await stream.aclose()


def _record(number: int, value: Any) -> bytes:
    return encode([Item(number, RESULTS, [msgspec.Raw(msgspec.msgpack.encode(value))])])


# --- arguments


async def _asynchronous(items: range) -> AsyncIterator[int]:
    for item in items:
        await trio.lowlevel.checkpoint()
        yield item


def _generated(items: range) -> Iterator[int]:
    yield from items


@pytest.mark.parametrize("kind", [list, tuple, iter, _generated, _asynchronous])
async def test_arguments_stream_from_any_iterable(
    probe: Probe, wire: Wire, server: Streaming, kind: Callable[[range], Any]
) -> None:
    assert await probe.total(10**9, kind(range(1000))) == sum(range(1000))
    assert server.got == list(range(1000))
    assert quiet(wire)


async def test_a_handler_knows_at_once_when_there_are_no_arguments() -> None:
    """Their end comes with the call; of a generator nobody can know before it has ended."""
    seen: list[bool] = []
    looked = trio.Event()

    class Pipe(ProbeServer):
        async def pipe(self, items: ArgumentStream[int]) -> AsyncIterator[int]:
            seen.append(items.exhausted)
            looked.set()
            async for item in items:
                yield item
            seen.append(items.exhausted)

    async def nothing() -> AsyncGenerator[int, None]:
        await looked.wait()
        for item in ():
            yield item

    async with wired(Pipe()) as (_, probe):
        assert [item async for item in probe.pipe(())] == []
        assert [item async for item in probe.pipe([])] == []
        assert [item async for item in probe.pipe([1])] == [1]
        looked = trio.Event()
        assert [item async for item in probe.pipe(nothing())] == []
    assert seen == [True, True, True, True, False, True, False, True]


async def test_no_argument_leaves_before_the_handler_wants_it(probe: Probe, server: Streaming) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(5):
            taken.append(item)
            yield item

    async with trio.open_nursery() as nursery:
        nursery.start_soon(probe.total, 0, items())
        await wait_all_tasks_blocked()
        assert taken == [0]
        server.go.set()
    assert server.got == [0]


async def test_a_handler_that_is_slow_holds_the_source_up() -> None:
    class Slow(ProbeServer):
        async def total(self, number: int, items: ArgumentStream[int]) -> int:
            await anext(items)
            await go.wait()
            return sum([item async for item in items])

    go, taken = trio.Event(), [0]

    def source() -> Iterator[int]:
        for taken[0] in range(100_000):
            yield taken[0]

    async with wired(Slow()) as (_, probe), trio.open_nursery() as nursery:
        nursery.start_soon(probe.total, 1, source())
        await wait_all_tasks_blocked()
        assert 0 < taken[0] < 99_999
        go.set()
    assert taken[0] == 99_999


async def test_an_early_answer_stops_the_source(probe: Probe, wire: Wire, server: Streaming) -> None:
    closed: list[bool] = []

    async def endless() -> AsyncGenerator[int, None]:
        try:
            for item in range(10**9):
                yield item
        finally:
            closed.append(True)

    assert await probe.total(5, endless()) == -1
    assert closed == [True]
    with pytest.raises(Denied):
        await probe.total(-1, [1, 2, 3])
    assert quiet(wire)


async def test_what_the_source_raises_reaches_both_sides(probe: Probe, server: Streaming) -> None:
    def failing(error: Exception) -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(ZeroDivisionError):
        await probe.total(10**9, failing(ZeroDivisionError()))
    assert server.closed == 1
    with pytest.raises(Conflict):
        await probe.total(10**9, failing(Conflict("a", 1)))
    with pytest.raises(ZeroDivisionError):
        async for _ in probe.pipe(failing(ZeroDivisionError())):
            pass
    assert server.closed == 3


async def test_a_handler_sees_why_the_source_failed() -> None:
    seen: list[Exception] = []

    class Watching(ProbeServer):
        async def total(self, number: int, items: ArgumentStream[int]) -> int:
            try:
                return sum([item async for item in items])
            except Exception as error:
                seen.append(error)
                return 0

    def failing(error: Exception) -> Iterator[int]:
        yield 1
        raise error

    async with wired(Watching()) as (_, probe):
        for error in (Conflict("a", 1), Denied("no"), ValueError("private")):
            with pytest.raises(type(error)):
                await probe.total(0, failing(error))
    assert [type(error) for error in seen] == [Conflict, Denied, InvalidArgument]
    assert "private" not in str(seen)


async def test_an_argument_of_the_wrong_type_raises_at_the_caller(probe: Probe, server: Streaming) -> None:
    with pytest.raises(InvalidArgument, match="does not fit"):
        await probe.total(10**9, [1, "two"])  # type: ignore[list-item]
    assert server.got == [1]


async def test_a_cancelled_call_stops_its_source_and_its_handler(
    probe: Probe, wire: Wire, server: Streaming, autojump_clock: MockClock
) -> None:
    with trio.move_on_after(5):
        await probe.total(10**9, _never())
    await wait_all_tasks_blocked()
    assert server.closed == 1
    assert quiet(wire)


async def test_a_session_that_is_lost_ends_both(probe: Probe, wire: Wire, server: Streaming) -> None:
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(Interrupted):
                await probe.total(10**9, _never())

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        wire.cut()
    await wait_all_tasks_blocked()
    assert server.closed == 1


# --- both ways


async def test_a_stream_goes_through(probe: Probe, wire: Wire, server: Streaming) -> None:
    assert [item async for item in probe.pipe(range(10_000))] == [2 * item for item in range(10_000)]
    assert server.closed == 1
    assert quiet(wire)


async def test_a_pipe_that_is_forgotten_ends_its_source(probe: Probe, wire: Wire, server: Streaming) -> None:
    stream: Any = probe.pipe(range(10**9))
    for _ in range(10):
        await anext(stream)
    del stream
    gc.collect()
    await wait_all_tasks_blocked()
    assert server.closed == 1
    assert quiet(wire)


async def test_the_streams_of_a_program_that_ends_go_with_it() -> None:
    async with wired(Streaming()) as (_, probe):
        stream = probe.pipe(range(10**9))
        await anext(stream)
    with pytest.raises(Interrupted):
        async for _ in stream:
            pass
