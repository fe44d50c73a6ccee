"""The command line, from start to exit: the mode of the system is what follows its name."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.client import Place

LIBRARY = "trio"
PROGRAMS = {"-c pass": Path(sys.executable), "--help": Path(sys.executable).with_name("glow")}


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    """Nothing: these commands need no node."""
    yield


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Callable[[], None]]:
    """Gives a function that runs the command and raises CalledProcessError if that fails."""
    command = [str(PROGRAMS[place.mode]), *place.mode.split()]
    environment = {**os.environ, "HOME": str(place.folder)}

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    yield run
