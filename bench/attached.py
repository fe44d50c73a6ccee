"""Light nodes for bench/hub.py: real keys, links over `ws` and sessions, each from an address of its own in 127/8.

A light node has the router, the conversations and the link of a node, and no disk, no processes and no map of the mesh:
it shows its certificates, tells its one edge, and sends all it has to the hub.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import trio

from firefly.address import address_of
from firefly.errors import GlowError
from firefly.interfaces.signaling import Rendezvous
from firefly.keys import NodeKey
from firefly.packet import CONTROL, TOPOLOGY, pack_header
from firefly.runtime import Caller, Workers, open_workers
from node.certificates import ADMIN, MEMBER, certify
from node.links import tcp, websocket
from node.links.connection import Connection
from node.links.link import Link, shake_hands
from node.links.standing import BACK_OFF
from node.peers import Peers
from node.router import Router
from node.routing.messages import Signed, encode_message
from node.routing.record import Record, Relay, sign_record
from node.timer import Timer
from signaling import RESOURCE

FIRST_HOST = int(IPv4Address("127.1.0.1"))
COST = 1000
"""µs that a light node says its edge costs."""


def key_of(*words: object) -> NodeKey:
    """The same key for the same words: both processes make it."""
    return NodeKey(hashlib.blake2b(repr(words).encode(), digest_size=32).digest())


@dataclass(frozen=True)
class Person:
    """The namespace with this number: its user key, and the administrator that certifies its nodes."""

    number: int
    issued: float

    def __post_init__(self) -> None:
        now = self.issued
        object.__setattr__(self, "user", key_of("user", self.number))
        object.__setattr__(self, "admin", key_of("admin", self.number))
        object.__setattr__(self, "namespace", self.user.public)
        object.__setattr__(self, "proof", certify(self.user, self.namespace, self.admin.public, ADMIN, now))

    user: Any = None
    admin: Any = None
    namespace: bytes = b""
    proof: bytes = b""

    def certificate(self, key: bytes, role: int = MEMBER) -> bytes:
        return certify(self.admin, self.namespace, key, role, self.issued)


class Said:
    """TOPOLOGY packets that leave by the link."""

    priority = CONTROL

    def __init__(self, own: bytes, peer: bytes, payloads: list[bytes]) -> None:
        self.destination = peer
        self._own = own
        self._left = payloads[::-1]

    def next_packet(self, budget: int, now: float, link: object) -> bytes | None:
        if not self._left:
            return None
        payload = self._left.pop()
        return pack_header(TOPOLOGY, CONTROL, len(payload), self.destination, self._own) + payload


class Light:
    """A light node. `attached`: the hub has accepted it and it listens. `next_deadline`, `on_timer`: for the timer."""

    def __init__(self, person: Person, number: int, hub: NodeKey, load: Load) -> None:
        self.key = key_of("node", person.number, number)
        self.address = self.key.address
        self.attempts = 0
        self.link: Link | None = None
        self.attached = False
        self._person = person
        self._hub = hub
        self._load = load
        self._certificate = person.certificate(self.key.public)
        self._instance = os.urandom(8)
        self._host = str(IPv4Address(FIRST_HOST + person.number * 256 + number))
        self.router = Router(self.address, trio.current_time)
        self.router.mesh = self  # type: ignore[assignment]
        self.peers = Peers(self.key, self.router, load.workers, self._caller, self._instance)
        self.router.sessions = self.peers.sessions
        self.peers.sessions.earlier = lambda deadline: load.timer.arm_at(self, deadline)
        self.rendezvous = Rendezvous(self.peers, hub.address, RESOURCE)

    def _caller(self, key: bytes) -> Caller:
        return Caller(key, self._person.namespace, 0, address_of(key))

    # --- its mesh: one edge

    def next_hop(self, destination: bytes, arrival: Any = None, crossed: bool = False) -> Any:
        return self.link

    begin_leg = next_hop

    def receive_topology(self, link: Any, payload: bytes, now: float) -> None:
        """What the hub tells of others is of no use here."""

    # --- time

    def next_deadline(self) -> float:
        deadline = self.peers.sessions.next_deadline()
        return deadline if self.link is None else min(deadline, self.link.next_deadline())

    def on_timer(self, now: float) -> None:
        self.peers.sessions.on_timer(now)
        if self.link is not None:
            self.link.on_timer(now)
            if self.link.liveness.down:
                self.link.close("the hub has gone silent")
        self.router.flush()

    # --- its link

    async def run(self) -> None:
        """Links to the hub, again and again as a standing link does, and listens."""
        delay = BACK_OFF[0]
        while True:
            try:
                self.attempts += 1
                await self._run()
                delay = BACK_OFF[0]
            except (GlowError, OSError) as error:
                self._load.failures[getattr(error, "message", str(error))] += 1
            await trio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, BACK_OFF[1])

    async def _run(self) -> None:
        connection = await self._dial()
        try:
            handshake = await shake_hands(
                connection, self.key, self._instance, expected=self._hub.public, initiator=True
            )
        except BaseException:
            connection.close()
            raise
        link = Link(self.router, connection, handshake, self.address)
        link.certified = True
        self.link = link
        self.router.links.add(link)
        self.peers.sessions.peer_restarted(self._hub.address, link.peer_instance, trio.current_time())
        link.liveness.idle = 15.0
        link.liveness.earlier = lambda deadline: self._load.timer.arm_at(self, deadline)
        link.queue.ready(Said(self.address, self._hub.address, self._introduction()))
        self._load.timer.arm(self)
        self.router.routes_changed()
        self.peers.sessions.routes_changed(self.next_hop, trio.current_time())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen)
                await link.run()
                nursery.cancel_scope.cancel()
        finally:
            self.attached, self.link = False, None
            link.close("the bench is over")
            self.router.link_gone(link)
            self.peers.sessions.link_lost(link, trio.current_time())
        raise GlowError(f"the link ended: {link.reason}")

    async def _dial(self) -> Connection:
        sock = trio.socket.socket()
        try:
            with trio.fail_after(tcp.DIAL_TIME):
                await sock.bind((self._host, 0))
                await sock.connect(("127.0.0.1", self._load.port))
                connection = Connection(trio.SocketStream(sock), websocket.kind)
        except BaseException as error:
            sock.close()
            if isinstance(error, trio.TooSlowError):
                raise GlowError("no connection within 5 s") from None
            raise
        try:
            with trio.fail_after(tcp.DIAL_TIME):
                await websocket.ask_upgrade(connection, f"ws://127.0.0.1:{self._load.port}/")
        except BaseException as error:
            connection.close()
            if isinstance(error, trio.TooSlowError):
                raise GlowError("no upgrade within 5 s") from None
            raise
        return connection

    def _introduction(self) -> list[bytes]:
        record = Record(
            namespace=self._person.namespace,
            address=self.address,
            instance=self._instance,
            sequence=int(time.time() * 1000),
            relay=Relay.ALWAYS,
            neighbours={self._hub.address: COST},
        )
        statements = [self._person.proof, self._certificate, sign_record(record, self.key)]
        return [encode_message(Signed(0, statement)) for statement in statements]

    async def _listen(self) -> None:
        """Takes what others leave at the hub, for as long as the link is there."""
        while self._load.listening:
            try:
                async with self.rendezvous.listen() as knocks:
                    await self.rendezvous.attached()
                    self.attached = True
                    async for knock in knocks:
                        self._load.arrived(knock.content)
            except GlowError as error:
                self._load.failures[f"listen: {error.message}"] += 1
                await trio.sleep(BACK_OFF[0])
        self.attached = True
        await trio.sleep_forever()


class Load:
    """All light nodes of this OS process, and what it is told to do with them."""

    def __init__(self, port: int, hub: NodeKey, workers: Workers, listening: bool) -> None:
        from collections import Counter

        self.port = port
        self.hub = hub
        self.workers = workers
        self.listening = listening
        self.failures: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.timer = Timer(lambda: None)
        self.groups: list[list[Light]] = []

    def make(self, people: int, each: int, issued: float) -> None:
        for number in range(people):
            person = Person(number, issued)
            self.groups.append([Light(person, one, self.hub, self) for one in range(each)])
        for light in self.all():
            self.timer.add(light)

    def all(self) -> Iterator[Light]:
        return (light for group in self.groups for light in group)

    def arrived(self, content: bytes) -> None:
        self.latencies.append(time.perf_counter() - float(content[:32]))

    async def until_attached(self, limit: float) -> dict[str, Any]:
        """Seconds until all are attached, and at most `limit`."""
        began, used = trio.current_time(), time.process_time()
        lights = list(self.all())
        with trio.move_on_after(limit):
            while not all(light.attached for light in lights):  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.05)
        took = trio.current_time() - began
        return {
            "attached": sum(light.attached for light in lights),
            "seconds": round(took, 2),
            "attempts": sum(light.attempts for light in lights),
            "generator_core": round((time.process_time() - used) / took, 2),
            "failures": dict(self.failures.most_common(5)),
        }

    async def knock(self, rate: float, seconds: float, size: int) -> dict[str, Any]:
        """Knocks so often per second, each from one node for another of the same person, whatever is still open."""
        self.latencies.clear()
        self.failures.clear()
        used = time.process_time()
        async with trio.open_nursery() as nursery:
            began = trio.current_time()
            for number in range(int(rate * seconds)):
                await trio.sleep_until(began + number / rate)
                one, other = random.sample(random.choice(self.groups), 2)
                nursery.start_soon(self._knock, one, other, size)
        took = trio.current_time() - began
        await trio.sleep(1.0)
        found = sorted(self.latencies)
        return {
            "sent": int(rate * seconds),
            "arrived": len(found),
            "seconds": round(took, 2),
            **{f"p{share}_ms": round(1e3 * found[int(len(found) * share / 100)], 1) for share in (50, 90, 99)},
            "generator_core": round((time.process_time() - used) / (took + 1.0), 2),
            "failures": dict(self.failures.most_common(5)),
        }

    async def _knock(self, one: Light, other: Light, size: int) -> None:
        content = f"{time.perf_counter():<32.9f}".encode().ljust(size, b".")
        try:
            await one.rendezvous.knock(other.address, content)
        except GlowError as error:
            self.failures[error.message] += 1


async def run(place: dict[str, Any]) -> None:
    """Does what each line of standard input says; the end of that is the end."""
    hub = NodeKey(bytes.fromhex(place["hub"]))
    async with open_workers() as workers, trio.open_nursery() as nursery:
        load = Load(place["port"], hub, workers, place["listening"])
        load.make(place["people"], place["each"], place["issued"])
        nursery.start_soon(load.timer.run)
        gc.freeze()
        gc.disable()  # its pauses would count as the hub's
        say({"ready": True})
        async for line in lines():
            order = json.loads(line)
            if order["do"] == "attach":
                for light in load.all():
                    nursery.start_soon(light.run)
                say(await load.until_attached(order["limit"]))
            elif order["do"] == "wait":
                for light in load.all():
                    light.attempts = 0
                load.failures.clear()
                say(await load.until_attached(order["limit"]))
            elif order["do"] == "lost":
                with trio.move_on_after(order["limit"]):
                    while any(light.attached for light in load.all()):  # noqa: ASYNC110 (nobody tells)
                        await trio.sleep(0.02)
                say({"attached": sum(light.attached for light in load.all())})
            else:
                say(await load.knock(order["rate"], order["seconds"], order["size"]))
        nursery.cancel_scope.cancel()


async def lines() -> Any:
    """Those of standard input."""
    file = trio.wrap_file(sys.stdin)
    while line := await file.readline():
        yield line


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
