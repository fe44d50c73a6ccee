"""Objects that were passed to a peer: each has a random id, and exists for that peer only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firefly.errors import Busy

MAX_EXPORTS = 4096
"""Objects that one peer may hold."""


class Export:
    """An object that was passed to the peer; it goes when every copy is released, and whoever keeps it lets it go."""

    __slots__ = ("copies", "entry", "keepers", "server")

    def __init__(self, server: Any) -> None:
        self.server = server
        self.entry: Any = None
        self.copies = 0
        self.keepers = 1

    def keep(self) -> None:
        """Somebody besides the peer has use for the object, until it calls `dismiss`."""
        self.keepers += 1

    def dismiss(self) -> None:
        """One has no more use for it; with the last the object is told."""
        self.keepers -= 1
        if self.keepers:
            return
        tell_released(self.server)


def tell_released(server: Any) -> None:
    """A peer has no copy of an object any more, or never got the one it was to have; told in the object's thread."""
    released = getattr(server, "released", None)
    thread = getattr(server, "thread", None)
    if released is None:
        return
    if thread is None:
        released()
    else:
        thread.post("released", released)


class Exports(dict[bytes, Export]):
    """The objects of one conversation by their ids. `forgotten(id)` is called when one has gone."""

    def __init__(self, forgotten: Callable[[bytes], None]) -> None:
        super().__init__()
        self._forgotten = forgotten
        self._ids: dict[int, bytes] = {}

    def add(self, server: Any, new_id: Callable[[], bytes]) -> bytes:
        """The id under which the peer may use `server`; each time counts as one more copy. Raises Busy."""
        resource = self._ids.get(id(server))
        if resource is None:
            if len(self) >= MAX_EXPORTS:
                raise Busy(f"over {MAX_EXPORTS} objects are passed to this peer")
            resource = self._ids[id(server)] = new_id()
            self[resource] = Export(server)
        self[resource].copies += 1
        return resource

    def let_go(self, resource: bytes, copies: int = 1) -> None:
        """The peer has `copies` less of an object; it is gone with the last."""
        export = self.get(resource)
        if export is None:
            return
        export.copies -= copies
        if export.copies <= 0:
            del self[resource]
            self._ids.pop(id(export.server), None)
            self._forgotten(resource)
            export.dismiss()

    def let_all_go(self) -> None:
        """The peer is gone, and every copy with it."""
        exports = list(self.values())
        self.clear()
        self._ids.clear()
        for export in exports:
            export.dismiss()
