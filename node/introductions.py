"""Objects that are handed on to a third node (docs/concepts/wire.md, 5 Messages).

made ── first use by the receiver ──> an object of the receiver's session, until released or the session ends
  └──── 60 s unused ──> gone
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from firefly.errors import Busy, NoSuchResource
from firefly.exports import MAX_EXPORTS, Export
from firefly.runtime import Caller, Host

HELD = 60.0
"""Seconds within which an introduced id must be used for the first time."""
MAX_WAITING = 4096
"""Introduced and not yet used, of all givers together."""


class Introductions:
    """Makes ids for one receiver each. `start_soon` runs a task for as long as the node runs."""

    def __init__(
        self,
        host: Host,
        caller_of: Callable[[bytes], Caller],
        start_soon: Callable[[Callable[[bytes], Awaitable[None]], bytes], None],
    ) -> None:
        self.host = host
        self.caller_of = caller_of
        self._start_soon = start_soon
        self._waiting: dict[bytes, Introduction] = {}

    def make(self, conversation: Any, giver: Caller, resource: bytes, receiver: bytes) -> bytes:
        """An id through which only the node with the key `receiver` can use `resource`, with the giver's rights.

        Raises NoSuchResource if the giver cannot use it itself; Busy.
        """
        entry = self.host.find(conversation, resource)
        if entry is None:
            raise NoSuchResource("there is no such object here for this caller")
        if len(self._waiting) >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING} introductions wait for their first use", retry_after=1.0)
        fresh = os.urandom(16)
        introduction = Introduction(self, entry, conversation.exports.get(resource), giver, receiver)
        self._waiting[fresh] = self.host.resources[fresh] = introduction
        self._start_soon(self._expire, fresh)
        return fresh

    def claimed(self, fresh: bytes) -> None:
        """The receiver uses it: it is an object of that session now."""
        self.host.remove(fresh)
        del self._waiting[fresh]

    async def _expire(self, fresh: bytes) -> None:
        await trio.sleep(HELD)
        unused = self._waiting.get(fresh)
        if unused is not None:
            self.claimed(fresh)
            unused.released()


class Introduction:
    """The entry of an introduced id. `export` is what the giver holds, if it is an object: it lives on with this."""

    access = None

    def __init__(self, table: Introductions, entry: Any, export: Export | None, giver: Caller, receiver: bytes) -> None:
        self._table = table
        self._entry = entry
        self._export = export
        self._giver = giver
        self._receiver = receiver
        self._used = False
        if export is not None:
            export.keep()

    def released(self) -> None:
        """The receiver has no use for it any more, or never had."""
        if self._export is not None:
            self._export.dismiss()

    def _claim(self, conversation: Any, resource: bytes, caller: Caller) -> Caller:
        """Who counts as the caller: the giver, with no more rights than it has today. Raises NoSuchResource, Busy."""
        if caller.key != self._receiver:
            raise NoSuchResource("there is no such resource here")
        if not self._used:
            if len(conversation.exports) >= MAX_EXPORTS:
                raise Busy(f"over {MAX_EXPORTS} objects are passed to this peer")
            export = conversation.exports[resource] = Export(self)
            export.entry, export.copies = self, 1
            self._used = True
            self._table.claimed(resource)
        giver = self._giver
        today = self._table.caller_of(giver.key).role
        role = max(giver.role, today) if giver.role and today else 0
        return Caller(giver.key, giver.namespace, role, giver.address, giver.local)

    def request(self, conversation: Any, lane: int, request: Any, caller: Caller) -> Any:
        giver = self._claim(conversation, request.resource, caller)
        return self._entry.request(conversation, lane, request, giver)

    def notified(self, conversation: Any, lane: int, notification: Any, caller: Caller) -> None:
        try:
            giver = self._claim(conversation, notification.resource, caller)
        except (NoSuchResource, Busy):
            conversation.refused(notification)
            return
        self._entry.notified(conversation, lane, notification, giver)
