"""What saves a process the work per message where messages are only passed on: notifications taken, and items given,
by the batch and without decoding them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Raw

Taker = TypeVar("Taker", bound=Callable[[Any, list[Raw]], None])
_OF = "_takes_batches_of"


class Encoded:
    """Items of a stream that are encoded already: its handler may yield them at once, beside single items.

    The handler answers for it that each value is one of the stream's type, without capabilities.
    """

    __slots__ = ("size", "values")

    def __init__(self, values: Sequence[Raw]) -> None:
        self.values = values
        self.size = sum(map(len, values))


def takes_batches(of: str) -> Callable[[Taker], Taker]:
    """Marks a plain method that takes the notification `of` by the batch: a list of its encoded arguments.

    Nobody has checked them: what does not fit the method is for it to drop. Notifications that pass capabilities still
    come one by one to the handler itself.
    """

    def mark(taker: Taker) -> Taker:
        setattr(taker, _OF, of)
        return taker

    return mark


def taker_of(server: object, method: str) -> Callable[[list[Raw]], None] | None:
    """The method of `server` that takes batches of `method`, if there is one."""
    for name in dir(type(server)):
        if getattr(getattr(type(server), name, None), _OF, None) == method:
            return getattr(server, name)  # type: ignore[no-any-return]
    return None
