"""Notices that the network of this device has changed: other addresses, another way out, or that it has slept.

Linux tells (node/netlink.py); elsewhere one looks again and again. What follows from a change is the node's:
`Node.network_changed`.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

import trio

log = logging.getLogger("node")
SETTLE = 0.1
"""Seconds in which several changes are one."""
LOOK_PAUSE = 1.5
"""Seconds between two looks where the system tells nothing: a change is to be noticed within 2 s."""
SLEEP_CHECK = 1.0
"""Seconds between two looks at the clocks; also what the device must have slept for to count."""
OUTSIDE = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}
"""Addresses of nobody (RFC 5737, RFC 3849): packets to them leave as those to the internet do. None are sent."""
MAX_TOLD = 8
"""Differences that are told one by one."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Snapshot:
    """`addresses` that others may know this device by; `ways` out by family, empty if none leads out."""

    addresses: frozenset[str]
    ways: tuple[str, ...]


def snapshot(addresses: Iterable[Address], ways: Iterable[str]) -> Snapshot:
    """Without the addresses that mean nothing to others: loopback, and those of one wire alone."""
    known = {str(address) for address in addresses if not (address.is_loopback or address.is_link_local)}
    return Snapshot(frozenset(known), tuple(ways))


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """What has changed, in words; nothing if nothing has."""
    found = [f"{address} is gone" for address in sorted(before.addresses - after.addresses)]
    found += [f"{address} is new" for address in sorted(after.addresses - before.addresses)]
    for family, old, new in zip(OUTSIDE, before.ways, after.ways, strict=True):
        if old != new:
            found.append(f"{family} leaves by {new} now" if new else f"{family} leads nowhere now")
    if len(found) > MAX_TOLD:
        found[MAX_TOLD:] = [f"and {len(found) - MAX_TOLD} changes more"]
    return found


def is_gone(address: Address | None) -> bool:
    """Whether an address that this device had is no longer one of its own."""
    if address is None or address.is_loopback or address.is_link_local:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as sock:
            sock.bind((str(address), 0))
    except OSError as error:
        return error.errno == errno.EADDRNOTAVAIL
    return False


def slept() -> float:
    """Seconds that this device has slept, from some moment on: only differences count."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if hasattr(time, "CLOCK_UPTIME_RAW"):  # on macOS it stands still meanwhile, and CLOCK_MONOTONIC does not
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_UPTIME_RAW)
    return time.time() - time.monotonic()


class System(Protocol):
    """Where changes are learnt. `wait` returns when something may have changed since `forget`."""

    def look(self) -> Snapshot: ...
    async def wait(self) -> None: ...
    def forget(self) -> None: ...
    def close(self) -> None: ...


class Linux:
    """Raises OSError where it may not be asked, as on Android."""

    def __init__(self) -> None:
        from node import netlink

        self._ask = netlink
        self.look()
        changes = netlink.Changes()
        self.wait, self.forget, self.close = changes.wait, changes.forget, changes.close

    def look(self) -> Snapshot:
        return snapshot(self._ask.addresses(), map(self._ask.way_out, OUTSIDE.values()))


class Elsewhere:
    """Looks again and again at the addresses that packets leave from: all that every system tells."""

    def look(self) -> Snapshot:
        sources = [_source(address) for address in OUTSIDE.values()]
        return snapshot([source for source in sources if source], [f"{source or ''}" for source in sources])

    async def wait(self) -> None:
        await trio.sleep(LOOK_PAUSE)

    def forget(self) -> None: ...

    def close(self) -> None: ...


def _source(outside: str) -> Address | None:
    """The address that packets to another one leave from; None if no way leads there. Sends nothing."""
    family = socket.AF_INET6 if ":" in outside else socket.AF_INET
    with suppress(OSError), closing(socket.socket(family, socket.SOCK_DGRAM)) as sock:
        sock.connect((outside, 9))
        return ip_address(sock.getsockname()[0].partition("%")[0])
    return None


def this_system() -> System:
    if sys.platform in ("linux", "android"):
        with suppress(OSError):
            return Linux()
    return Elsewhere()


class NetworkWatch:
    """Calls `changed` with what has changed, in words, once for what changes together."""

    def __init__(
        self,
        changed: Callable[[str], None],
        system: Callable[[], System] = this_system,
        asleep: Callable[[], float] = slept,
    ) -> None:
        self._changed = changed
        self._system = system
        self._asleep = asleep

    async def run(self) -> None:
        """For as long as the node runs."""
        with closing(self._system()) as system:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_addresses, system)
                nursery.start_soon(self._watch_sleep)

    async def _watch_addresses(self, system: System) -> None:
        known = _look(system)
        while True:
            await system.wait()
            await trio.sleep(SETTLE)
            seen = _look(system)
            if known and seen and (told := difference(known, seen)):
                self._changed(", ".join(told))
            known = seen or known

    async def _watch_sleep(self) -> None:
        before = self._asleep()
        while True:
            await trio.sleep(SLEEP_CHECK)
            now = self._asleep()
            if now - before > SLEEP_CHECK:
                self._changed(f"this device has slept for {now - before:.0f} s")
            before = now


def _look(system: System) -> Snapshot | None:
    """None if the system does not tell, which is said in the log."""
    try:
        system.forget()
        return system.look()
    except OSError as error:
        log.warning("the system does not tell of the network: %s", error)
        return None
