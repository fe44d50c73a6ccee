"""How willing this node is to forward for others: as it is set, or as its power supply and network suggest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from node import conditions
from node.liveness import IDLE, IDLE_SAVING
from node.routing import Relay

AUTO = "auto"
NAMES = {"always": Relay.ALWAYS, "when-needed": Relay.RELUCTANT, "never": Relay.NEVER}
LOOK_PAUSE = 60.0
"""Seconds between two looks at the system."""

Ask = Callable[[], Awaitable[bool]]


class Taker(Protocol):
    """What follows from it."""

    def relay_changed(self, relay: Relay, idle: float) -> None: ...


class Willingness:
    """`relay`, and `why` in words; `setting` is `auto` or one of NAMES. `taker` hears of every change."""

    def __init__(
        self, taker: Taker, on_battery: Ask = conditions.on_battery, metered: Ask = conditions.metered
    ) -> None:
        self.relay = Relay.ALWAYS
        self.why = ""
        self.idle = IDLE
        self._taker = taker
        self._setting = AUTO
        self._ask_battery, self._ask_metered = on_battery, metered
        self._battery = self._metered = False

    def set(self, setting: str) -> None:
        """Takes a new setting."""
        self._setting = setting
        self._apply()

    async def look(self) -> None:
        """Asks the system."""
        self._battery, self._metered = await self._ask_battery(), await self._ask_metered()
        self._apply()

    async def run(self) -> None:
        """Looks, for as long as the node runs."""
        while True:
            await self.look()
            await trio.sleep(LOOK_PAUSE)

    def _apply(self) -> None:
        before = self.relay, self.idle
        self.relay, self.why = self._decide()
        self.idle = IDLE_SAVING if self._battery else IDLE
        if (self.relay, self.idle) != before:
            self._taker.relay_changed(self.relay, self.idle)

    def _decide(self) -> tuple[Relay, str]:
        if self._setting != AUTO:
            return NAMES[self._setting], f"relay = {self._setting}"
        if self._battery or self._metered:
            return Relay.RELUCTANT, "on battery" if self._battery else "the network is metered"
        return Relay.ALWAYS, ""
