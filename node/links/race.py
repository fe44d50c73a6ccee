"""Several ways to one goal, each begun a little after the one before: happy eyeballs (RFC 8305, section 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

HEAD_START = 0.25
"""Seconds that an attempt has for itself, unless it fails sooner, before the next one is begun beside it."""

Won = Callable[[], bool]
Attempt = Callable[[Won], Awaitable[None]]


async def race(attempts: Sequence[Attempt]) -> bool:
    """Runs the attempts until one has won and all have ended; returns whether one has.

    An attempt calls `won()` when it is there: the others are cancelled, and it goes on for as long as it likes. False
    tells it that another one was first. An attempt that returns without having won has failed; it raises nothing.
    """
    scopes = [trio.CancelScope() for _ in attempts]
    winner: trio.CancelScope | None = None

    async def run(attempt: Attempt, scope: trio.CancelScope, over: trio.Event) -> None:
        def won() -> bool:
            nonlocal winner
            if winner is None:
                winner = scope
                for other in scopes:
                    if other is not scope:
                        other.cancel()
            return winner is scope

        with scope:
            await attempt(won)
        over.set()

    async with trio.open_nursery() as nursery:
        for attempt, scope in zip(attempts, scopes, strict=True):
            over = trio.Event()
            nursery.start_soon(run, attempt, scope, over)
            with trio.move_on_after(HEAD_START):
                await over.wait()
            if winner is not None:
                break
    return winner is not None
