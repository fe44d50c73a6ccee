"""A place whose reading breaks off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from firefly.errors import GlowError
from node.cli.copying.place import Place, Reading


class CutPlace:
    """Another place, of which the first reading breaks once `after` bytes were read. `read` counts all bytes."""

    def __init__(self, place: Place, after: int) -> None:
        self._place = place
        self._after = after
        self._whole = False
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    @asynccontextmanager
    async def reading(self, path: str, offset: int) -> AsyncIterator[Reading]:
        async with self._place.reading(path, offset) as inner:
            yield Reading(self._batches(inner), inner.whole)

    async def _batches(self, inner: Reading) -> AsyncIterator[list[bytes]]:
        async for batch in inner.batches:
            if self.read >= self._after and not self._whole:
                self._whole = True
                raise GlowError("cut")
            self.read += sum(map(len, batch))
            yield batch


@pytest.fixture
def cut_place() -> Callable[[Place, int], CutPlace]:
    return CutPlace
