"""What a program writes, from its threads to trio's."""

from __future__ import annotations

import errno

import trio

from processes.executor.output import MAX_WAITING, PIECE, STDERR, STDOUT, OutputBuffer, joined


async def test_what_is_written_is_read_in_order_until_it_is_closed() -> None:
    buffer = OutputBuffer(100)
    assert buffer.write(STDOUT, b"one") == 3
    assert buffer.write(STDERR, b"two") == 3
    assert await buffer.next() == [(STDOUT, b"one"), (STDERR, b"two")]
    buffer.write(STDOUT, b"three")
    buffer.close()
    assert await buffer.next() == [(STDOUT, b"three")]
    assert await buffer.next() is None
    assert buffer.write(STDOUT, b"late") == -errno.EIO


async def test_the_limit_counts_both_streams_and_drops_what_is_over() -> None:
    buffer = OutputBuffer(5)
    buffer.write(STDOUT, b"abc")
    buffer.write(STDERR, b"def")
    assert buffer.exceeded
    assert buffer.write(STDOUT, b"g") == -errno.EIO
    assert await buffer.next() == [(STDOUT, b"abc"), (STDERR, b"de")]
    assert await buffer.next() is None


async def test_exactly_the_limit_is_no_offence() -> None:
    buffer = OutputBuffer(3)
    buffer.write(STDOUT, b"abc")
    assert not buffer.exceeded


async def test_a_writer_waits_while_nobody_reads_and_goes_on_then() -> None:
    buffer = OutputBuffer(10 * MAX_WAITING)
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            for _ in range(4):
                await trio.to_thread.run_sync(buffer.write, STDOUT, bytes(MAX_WAITING))
            buffer.close()

        nursery.start_soon(write)
        read = 0
        while (pieces := await buffer.next()) is not None:
            assert buffer._waiting < 2 * MAX_WAITING
            read += sum(len(data) for _, data in pieces)
    assert read == 4 * MAX_WAITING


async def test_a_writer_that_waits_is_let_go_when_it_is_closed() -> None:
    buffer = OutputBuffer(10 * MAX_WAITING)
    buffer.write(STDOUT, bytes(MAX_WAITING))
    results: list[int] = []

    async def write() -> None:
        results.append(await trio.to_thread.run_sync(buffer.write, STDOUT, b"more"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        buffer.close()
    assert results == [-errno.EIO]


async def test_many_small_writes_cost_bounded_memory() -> None:
    """Each counts with its overhead, so the writer stops long before there are a million of them."""
    buffer = OutputBuffer(MAX_WAITING)
    written = 0
    while buffer._waiting < MAX_WAITING:
        written += buffer.write(STDOUT, b"x")
    assert written < 10_000


def test_pieces_fit_a_packet_and_small_ones_are_joined() -> None:
    assert joined([(STDOUT, b"a"), (STDOUT, b"b"), (STDERR, b"c"), (STDOUT, b"d")]) == [
        (STDOUT, b"ab"),
        (STDERR, b"c"),
        (STDOUT, b"d"),
    ]
    assert [len(data) for _, data in joined([(STDOUT, bytes(2 * PIECE + 1))])] == [PIECE, PIECE, 1]
