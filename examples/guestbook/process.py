"""A process written against generated stubs: `glow create program --label guestbook -- python process.py`.

guestbook.py beside this file was made from guestbook.firefly by `glow idl generate --to python guestbook.firefly`.
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio
from guestbook import Entry, GuestbookServer, Rude

import firefly

RUDE = {"darn"}


class Guestbook(GuestbookServer):
    """Keeps its entries in one file of its state folder, replaced as a whole at each signature."""

    async def start(self, context: firefly.Context) -> None:
        self._file: Path = context.folder / "entries.json"
        self._entries = msgspec.json.decode(self._file.read_bytes(), type=list[Entry]) if self._file.exists() else []
        self._followers: set[trio.MemorySendChannel[Entry]] = set()

    async def sign(self, name: str, message: str) -> Entry:
        for word in message.lower().split():
            if word in RUDE:
                raise Rude(word)
        entry = Entry(name, message, datetime.now(UTC))
        self._entries.append(entry)
        await trio.to_thread.run_sync(self._save)
        for follower in list(self._followers):
            try:
                follower.send_nowait(entry)
            except trio.WouldBlock:
                follower.close()  # it reads slower than people sign: its stream ends
        return entry

    def entries(self) -> list[Entry]:
        return self._entries

    async def follow(self) -> AsyncIterator[Entry]:
        send, receive = trio.open_memory_channel[Entry](64)
        self._followers.add(send)
        try:
            async for entry in receive:
                yield entry
        finally:
            self._followers.discard(send)

    def _save(self) -> None:
        temporary = self._file.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(self._entries))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)


if __name__ == "__main__":
    firefly.serve(Guestbook)
