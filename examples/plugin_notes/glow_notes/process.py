"""The process class that the entry point `notes` names. A node that runs it gives it a folder of its own."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio

import firefly
from glow_notes.notes import NoSuchNote, Note, NotesServer


class Notes(NotesServer):
    """Keeps its notes in one file, which is replaced as a whole by each change."""

    async def start(self, context: firefly.Context) -> None:
        """Raises what is wrong with the file: `glow ps` shows it, and the node tries again."""
        self._file: Path = context.folder / "notes.json"
        self._notes: dict[int, Note] = {}
        self._changing = trio.Lock()
        if self._file.exists():
            kept = msgspec.json.decode(await trio.Path(self._file).read_bytes(), type=list[Note])
            self._notes = {note.number: note for note in kept}

    async def write(self, text: str) -> Note:
        async with self._changing:
            note = Note(max(self._notes, default=0) + 1, text, datetime.now(UTC))
            await self._keep({**self._notes, note.number: note})
        return note

    def read(self, number: int) -> Note:
        if number not in self._notes:
            raise NoSuchNote(number)
        return self._notes[number]

    def all(self) -> list[Note]:
        return list(self._notes.values())

    async def erase(self, number: int) -> None:
        async with self._changing:
            if number not in self._notes:
                raise NoSuchNote(number)
            await self._keep({key: note for key, note in self._notes.items() if key != number})

    async def _keep(self, notes: dict[int, Note]) -> None:
        """What a caller was told of is on disk before it can be seen."""
        await trio.to_thread.run_sync(self._save, list(notes.values()))
        self._notes = notes

    def _save(self, notes: list[Note]) -> None:
        temporary = self._file.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(notes))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)
