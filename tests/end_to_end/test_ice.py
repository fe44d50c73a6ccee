"""Which pairs of NATs of the miniature internet ICE alone (aioice) gets through: with STUN, and with TURN."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from aioice import Candidate, Connection, TransportPolicy
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint

from tests.end_to_end import coturn, nats
from tests.end_to_end.coturn import Coturn
from tests.end_to_end.nats import Host, Internet, Nat

REASON = nats.missing() or coturn.missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

PATIENCE = 60.0
"""Seconds that a way which must be there may take."""
IN_VAIN = 5.0
"""Seconds of trying after which there is none: by then each check has been sent four times."""
HARD = {Nat.SYMMETRIC, Nat.PORT_RESTRICTED}
Pair = tuple[Nat, Nat]
Description = tuple[str, str, list[Candidate]]
Devices = dict[tuple[Nat, int], Host]
"""Two of each kind, in homes of their own."""


def direct(pair: Pair) -> bool:
    """Whether there is a way between them without a relay: where one of both can be sent to by who was not expected, or
    both keep the port that others have seen."""
    return Nat.UDP_BLOCKED not in pair and not (Nat.SYMMETRIC in pair and set(pair) <= HARD)


@dataclass
class Meeting:
    """Two agents on two hosts that try to meet, in so many seconds; what each tells the other, and whether it heard."""

    hosts: tuple[Host, Host]
    servers: dict[str, Any]
    seconds: float = PATIENCE
    told: tuple[Future[Description], Future[Description]] = field(default_factory=lambda: (Future(), Future()))
    heard: list[bool] = field(default_factory=lambda: [False, False])

    async def take_part(self, side: int) -> None:
        agent = Connection(ice_controlling=side == 0, use_ipv6=False, **self.servers)
        try:
            await agent.gather_candidates()
            self.told[side].set_result((agent.local_username, agent.local_password, agent.local_candidates))
            other = await asyncio.wait_for(asyncio.wrap_future(self.told[1 - side]), PATIENCE)
            agent.remote_username, agent.remote_password, candidates = other
            for candidate in (*candidates, None):
                await agent.add_remote_candidate(candidate)
            async with asyncio.timeout(self.seconds):
                await agent.connect()
                await agent.send(b"here")
                self.heard[side] = await agent.recv() == b"here"
        except (ConnectionError, TimeoutError):
            return  # they have not met
        finally:
            await agent.close()


def meet(meetings: list[Meeting]) -> None:
    """Has all meet at once: a thread for each host, on its network."""
    hosts = {host for meeting in meetings for host in meeting.hosts}

    async def of(host: Host) -> None:
        await asyncio.gather(
            *(each.take_part(side) for each in meetings for side in (0, 1) if each.hosts[side] is host)
        )

    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: host.call(lambda: asyncio.run(of(host))), hosts))


def table(found: dict[Pair, bool]) -> str:
    """Rows: what the one who offers is behind; columns: the other."""
    width = max(map(len, Nat)) + 2
    lines = ["".join(f"{word:{width}}" for word in ("", *Nat))]
    for row in Nat:
        words = ["direct" if found[row, column] else "-" for column in Nat]
        lines.append("".join(f"{word:{width}}" for word in (row, *words)))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def net() -> Iterator[Internet]:
    with nats.internet() as made:
        yield made


@pytest.fixture(scope="module")
def server(net: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with coturn.coturn(net.host("turn"), tmp_path_factory.mktemp("coturn")) as running:
        yield running


@pytest.fixture(scope="module")
def devices(net: Internet) -> Devices:
    return {(kind, side): net.home(kind).device(f"{kind.name.lower()}{side}") for kind, side in product(Nat, (0, 1))}


def test_all_but_the_hardest_pairs_meet_directly(server: Coturn, devices: Devices) -> None:
    stun = {"stun_server": (server.address, server.port)}
    plan = {
        (one, other): Meeting((devices[one, 0], devices[other, 1]), stun, PATIENCE if direct((one, other)) else IN_VAIN)
        for one, other in product(Nat, Nat)
    }
    meet(list(plan.values()))
    found = {pair: all(meeting.heard) for pair, meeting in plan.items()}
    print(table(found))
    assert found == {pair: direct(pair) for pair in plan}


def test_a_turn_server_joins_the_hardest_pairs_and_over_tcp_those_without_udp(server: Coturn, devices: Devices) -> None:
    name, password = server.credentials()
    turn = {"turn_server": (server.address, server.port), "turn_username": name, "turn_password": password}
    relayed = {**turn, "transport_policy": TransportPolicy.RELAY}
    over_tcp = {**relayed, "turn_transport": "tcp"}
    meetings = [Meeting((devices[one, 0], devices[other, 1]), relayed) for one, other in product(HARD, HARD)]
    meetings.append(Meeting((devices[Nat.UDP_BLOCKED, 0], devices[Nat.UDP_BLOCKED, 1]), over_tcp))
    meet(meetings)
    assert all(all(meeting.heard) for meeting in meetings)


def test_credentials_must_be_right_and_not_over(server: Coturn, devices: Devices) -> None:
    async def allocate(name: str, password: str) -> None:
        address = (server.address, server.port)
        transport, _ = await create_turn_endpoint(asyncio.DatagramProtocol, address, name, password)
        transport.close()

    def ask(name: str, password: str) -> None:
        devices[Nat.SYMMETRIC, 0].call(lambda: asyncio.run(allocate(name, password)))

    ask(*server.credentials())
    for wrong in (server.credentials()[0], "x"), server.credentials(seconds=-10.0):
        with pytest.raises(TransactionFailed, match="401"):
            ask(*wrong)
