"""What surrounds a running call: who called, and until when its caller waits."""

from __future__ import annotations

import math
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec
import trio

from firefly.errors import DeadlineExceeded
from firefly.rpc import Conversation
from firefly.runtime.method import Method


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: its node's Ed25519 key, the namespace it is certified in, its role there (core.Role)."""

    key: bytes
    namespace: bytes
    role: int
    address: bytes
    local: bool = False


class CurrentCall(msgspec.Struct, frozen=True, eq=False):
    """What a handler can know of the call that it serves. `resource` is the LocalResource that does."""

    caller: Caller
    method: Method
    conversation: Conversation
    resource: Any


current: ContextVar[CurrentCall] = ContextVar("current_call")
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def current_call() -> CurrentCall:
    """The call that the running handler serves. Raises LookupError outside of one."""
    return current.get()


def time_left() -> int | None:
    """µs until the end of the innermost `deadline` block or the deadline of the served call; None without one.

    The variable only says that there may be a deadline: a task that outlives the block inherited it, but not the scope.
    """
    if _deadline.get() == math.inf:
        return None
    end = trio.current_effective_deadline()
    return None if end == math.inf else int(max(0.0, end - trio.current_time()) * 1e6)


def announce_deadline(end: float) -> Token[float]:
    """From here on calls of this task tell their owners when its scope ends."""
    return _deadline.set(end)


class deadline:
    """`with deadline(5):` calls inside it fail with DeadlineExceeded after 5 seconds, here and at the owner."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = trio.CancelScope()

    def __enter__(self) -> trio.CancelScope:
        self._scope.deadline = trio.current_time() + self._seconds
        self._token = announce_deadline(self._scope.deadline)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        _deadline.reset(self._token)
        suppressed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise DeadlineExceeded(
                f"no answer within {self._seconds:g} s",
                hint="`glow ps NODE` shows what its processes do; give it more time",
            )
        return suppressed
