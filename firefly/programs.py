"""Programs that belong to a process which runs inside the node: `context.programs` starts them.

The node supervises them as it does every program: each is an OS process of its own, attached over a socketpair, started
again with back-off, shown by `glow ps`. They are nowhere on disk, nobody but this device can call them, and they end
with the process that they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class OwnedProgram(Protocol):
    """One of them, for as long as its owner runs. `id` is the resource that it serves."""

    id: bytes
    label: str

    @property
    def serves(self) -> bool:
        """Whether it can be called right now."""

    @property
    def reason(self) -> str:
        """Why it does not serve, for a person; empty while it does."""

    @property
    def failing(self) -> bool:
        """Whether it ended before it served, and waits to be started again."""

    async def serving(self) -> None:
        """Returns when it can be called, which may be never."""

    async def ended(self) -> None:
        """Returns when it cannot be called."""

    async def settled(self) -> None:
        """Returns when it has served, or failed to, for the first time."""

    def restart(self, reason: str) -> None:
        """Kills it at once; it is started again without delay. `reason` is what `glow ps` shows meanwhile."""

    async def kill(self) -> None:
        """Ends it for good."""


class Programs(Protocol):
    """What starts programs for one process."""

    def start(self, label: str, command: Sequence[str], configuration: Mapping[str, str]) -> OwnedProgram:
        """Starts a program; its folder is its owner's. Raises NameTaken, InvalidArgument for a bad label."""
