"""Three things that measuring needs from whichever library a system is written for, trio or asyncio."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import sniffio
import trio

T = TypeVar("T")


def _in_trio() -> bool:
    return sniffio.current_async_library() == "trio"


async def together(function: Callable[[], Awaitable[None]], count: int) -> None:
    """Runs `function` `count` times at once and waits for all."""
    if _in_trio():
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(function)
    else:
        await asyncio.gather(*(function() for _ in range(count)))


async def in_thread(function: Callable[[], T]) -> T:
    """The result of a blocking function; on cancellation its thread is left behind."""
    if _in_trio():
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)
    return await asyncio.to_thread(function)


async def pause(seconds: float) -> None:
    if _in_trio():
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)
