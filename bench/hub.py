"""`python -m bench.hub`: how much a hub bears, and what it costs. Prints the figures and writes bench/hub.json.

A hub on one core, 100 people with 20 nodes each (bench/attached.py, on another core), all linked over `ws`: how long
until all are attached, what that takes of the hub's memory, how fast 500 messages per second go from node to node by
its rendezvous, and how long until all are attached again after it was killed and started again; the latter also with
20 nodes of one person.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import trio

import node
from bench.attached import Person, run
from bench.report import machine
from firefly.interfaces.core import ProcessKind, Specification
from node.certificates import RELAY
from node.collector import spread
from node.home import Home
from node.identity import create_node_key, keep
from node.store import Store

RESULTS = Path(__file__).with_name("hub.json")
HOST = "127.0.0.1"
PAGE = os.sysconf("SC_PAGE_SIZE")
RATE, SECONDS, SIZE = 500.0, 20.0, 1024
LIMIT = 120.0
"""Seconds until all have to be attached."""
SETTLE = 20.0
"""Seconds until a look at the memory: a handshake is kept for 15 s, so that its steps can be repeated."""


def make_home(folder: Path, people: int, issued: float) -> Home:
    """A hub that is relay in the namespaces of all, as if each had invited it."""
    home = Home(folder)
    key = create_node_key(home)
    store = Store(home.database)
    try:
        with store.transaction():
            persons = [Person(number, issued) for number in range(people)]
            store.set("namespace", persons[0].namespace)
            store.set("served", b"".join(person.namespace for person in persons[1:]))
            for person in persons:
                keep(store, person.namespace, person.proof, person.admin.public)
                keep(store, person.namespace, person.certificate(key.public, RELAY), key.public)
    finally:
        store.close()
    return home


async def serve(place: dict[str, Any]) -> None:
    """The hub, until standard input ends."""
    listen = [f"ws://{HOST}:{place['port']}"]
    async with trio.open_nursery() as nursery, node.start(place["home"], listen=listen, found=False) as glow:
        nursery.start_soon(spread)  # as `glow node` and `glow signaling` do
        if not await glow.node.processes():
            await glow.node.create(Specification("signaling", ProcessKind.BUILTIN, "signaling"))
        print(json.dumps({"listening": glow.listening}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


class Child:
    """An OS process of this module, on a core of its own where there are several."""

    def __init__(self, role: str, place: dict[str, Any], core: int) -> None:
        command = [sys.executable, "-m", "bench.hub", f"--{role}", json.dumps(place)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(self.process.pid, {cores[core % len(cores)]})
        self.first = self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a process of the bench ended with {self.process.wait()}")
        return dict(json.loads(line))

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def used(self) -> float:
        """Seconds of processor time."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            try:
                self.process.wait(30.0)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def child(role: str, place: dict[str, Any], core: int) -> Iterator[Child]:
    one = Child(role, place, core)
    try:
        yield one
    finally:
        one.stop()


def measure(chosen: argparse.Namespace, people: int, each: int) -> dict[str, Any]:
    nodes = people * each
    results: dict[str, Any] = {"people": people, "nodes": nodes}
    with tempfile.TemporaryDirectory(prefix="glow-bench-") as folder:
        issued = time.time()
        home = make_home(Path(folder) / "hub", people, issued)
        place = {"home": str(home.path), "port": 0, "profile": chosen.profile}
        with child("serve", place, 0) as hub:
            place["port"] = int(hub.first["listening"][0].rpartition(":")[2])
            lights = {
                "hub": home.key_file.read_bytes().hex(),
                "port": place["port"],
                "people": people,
                "each": each,
                "issued": issued,
            }
            with child("load", {**lights, "listening": chosen.listening}, 1) as load:
                tell(results, "attach", attach(hub, load, nodes))
                if chosen.listening:
                    tell(results, "knock", knock(hub, load))
                    tell(results, "idle", idle(hub))
                if chosen.profile:
                    return results
                hub.kill()
                load.ask(do="lost", limit=30.0)
                began = time.monotonic()
                with child("serve", place, 0) as again:
                    up = time.monotonic() - began
                    answer = load.ask(do="wait", limit=LIMIT)
                    tell(results, "restart", {"start": round(up, 2), **answer, "hub_cpu": round(again.used(), 2)})
    return results


def tell(results: dict[str, Any], what: str, figures: dict[str, Any]) -> None:
    results[what] = figures
    print(what, json.dumps(figures), file=sys.stderr, flush=True)


def attach(hub: Child, load: Child, nodes: int) -> dict[str, Any]:
    before, used = hub.memory(), hub.used()
    answer = load.ask(do="attach", limit=LIMIT)
    taken = hub.used() - used
    time.sleep(SETTLE)
    answer["hub_cpu"] = round(taken, 2)
    answer["memory_per_node"] = round((hub.memory() - before) / nodes)
    return answer


def knock(hub: Child, load: Child) -> dict[str, Any]:
    used = hub.used()
    answer = load.ask(do="knock", rate=RATE, seconds=SECONDS, size=SIZE)
    answer["hub_core"] = round((hub.used() - used) / (answer["seconds"] + 1.0), 2)
    return answer


def idle(hub: Child) -> dict[str, Any]:
    """What all these links cost while nobody says anything."""
    time.sleep(SETTLE)
    used = hub.used()
    time.sleep(10.0)
    return {"hub_core": round((hub.used() - used) / 10.0, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hub", description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--each", type=int, default=20, help="nodes of each of them (default: 20)")
    parser.add_argument("--links-only", dest="listening", action="store_false", help="no sessions, and nobody knocks")
    parser.add_argument("--profile", metavar="FILE", help="what the hub does is written there; it is not killed then")
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve or chosen.load:
        profile = cProfile.Profile()
        with profile if (chosen.serve or {}).get("profile") else nullcontext():
            trio.run(serve, chosen.serve) if chosen.serve else trio.run(run, chosen.load)
        if (chosen.serve or {}).get("profile"):
            profile.dump_stats(chosen.serve["profile"])
        return 0
    results = measure(chosen, chosen.people, chosen.each)
    if chosen.listening and (chosen.people, chosen.each) == (100, 20):
        results["restart_of_20"] = measure(chosen, 1, 20)["restart"]
        content = {"machine": machine(), **results}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {RESULTS.relative_to(Path.cwd())}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
