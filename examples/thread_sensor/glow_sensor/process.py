"""A process whose handlers block: on a disk, which may be a slow one behind a network, and on SQLite.

`blocking = True` gives it an OS thread of its own, in which everything here runs, one call after another. So it needs
no locks, and a connection of SQLite, which belongs to one thread, can simply be kept.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import firefly
from glow_sensor.sensor import NotMounted, Reading, SensorServer

TABLE = "CREATE TABLE IF NOT EXISTS readings (taken REAL NOT NULL, free INTEGER NOT NULL, total INTEGER NOT NULL)"
INSERT = "INSERT INTO readings VALUES (?, ?, ?)"


class Sensor(SensorServer):
    """Measures the disk on which the folder `root` of its configuration is."""

    blocking = True

    def start(self, context: firefly.Context) -> None:
        self._root = Path(context.configuration.get("root", context.folder))
        if not self._root.is_dir():
            raise NotADirectoryError(f"root={self._root} is no folder")
        self._database = sqlite3.connect(context.folder / "readings.sqlite3")
        self._database.execute(TABLE)

    def stop(self) -> None:
        self._database.close()

    def measure(self) -> Reading:
        try:
            disk = os.statvfs(self._root)
        except OSError:
            raise NotMounted(str(self._root)) from None
        reading = Reading(datetime.now(UTC), disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
        with self._database:
            self._database.execute(INSERT, _row(reading))
        return reading

    def readings(self) -> Iterator[Reading]:
        """A plain generator: the next row is read when its caller has room for it."""
        for taken, free, total in self._database.execute("SELECT * FROM readings ORDER BY taken"):
            yield Reading(datetime.fromtimestamp(taken, UTC), free, total)

    def restore(self, readings: Iterable[Reading]) -> int:
        """A plain loop: the next reading is waited for here. If the caller goes, it raises, and nothing is kept."""
        with self._database:
            return self._database.executemany(INSERT, map(_row, readings)).rowcount

    def forget(self, keep: int) -> None:
        with self._database:
            self._database.execute(
                "DELETE FROM readings WHERE rowid NOT IN (SELECT rowid FROM readings ORDER BY taken DESC LIMIT ?)",
                (keep,),
            )


def _row(reading: Reading) -> tuple[float, int, int]:
    return reading.taken.timestamp(), reading.free, reading.total
