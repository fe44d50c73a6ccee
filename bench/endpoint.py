"""One end of a measurement, as an OS process: `python -m bench.endpoint MODULE ROLE PLACE`.

ROLE is broker, serve or run; PLACE the JSON of a `Place`. It writes one JSON line when it is ready. The role `run`
then reads lines `{"work": name, "seconds": s}` and answers each with `{"figure": f}` or `{"error": text}`. Every role
ends when its standard input does, so that nothing outlives the harness, however that ends.
"""

import asyncio
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import trio

from bench.client import Place, SystemModule
from bench.concurrency import in_thread
from bench.works import BY_NAME


def take_stdout() -> TextIO:
    """The harness's end of standard output; whatever else prints goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


async def measure(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"figure": await BY_NAME[order["work"]].measure(client, order["seconds"])}
    except Exception as error:  # whatever a peer raises is a result to report, and the next work may still go well
        return {"error": f"{type(error).__name__}: {error}"}


async def play(module: SystemModule, role: str, place: Place, answers: TextIO) -> None:
    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers)

    if role == "run":
        async with module.connected(place) as client:
            answer({"ready": role})
            while line := await in_thread(sys.stdin.readline):
                answer(await measure(client, json.loads(line)))
        return
    async with module.broker(place) if role == "broker" else module.serving(place):
        answer({"ready": role})
        await in_thread(sys.stdin.readline)


def main() -> None:
    name, role, place_text = sys.argv[1:]
    fields = json.loads(place_text)
    place = Place(**{**fields, "folder": Path(fields["folder"])})
    module: SystemModule = importlib.import_module(name)
    answers = take_stdout()

    async def run() -> None:
        await play(module, role, place, answers)

    if module.LIBRARY == "trio":
        trio.run(run)
    else:
        asyncio.run(run())


if __name__ == "__main__":
    main()
