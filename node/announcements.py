"""Announcements of nodes on the local networks: sent, and heard, by multicast DNS (RFC 6762, RFC 6763).

Only this module knows zeroconf, which runs in a thread of its own. Nothing is asked and no question is answered: a node
announces itself, and hears who else does. So what it sends depends on itself and its own kind alone, however many
strangers there are, and what strangers announce never gets out of zeroconf's thread.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import Any, NamedTuple

import ifaddr
from zeroconf import (  # type: ignore[attr-defined] # there, but not listed
    DNSAddress,
    DNSRecord,
    DNSService,
    DNSText,
    Error,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)

from node.links.ports import bracketed
from node.recognition import TOKEN_SIZE, Tokens

SERVICE = "_glow._tcp.local."
INSTANCE = re.compile(rf"[0-9a-f]{{32}}\.{re.escape(SERVICE)}")
TEXT = re.compile(rb"\x12t=[\x00-\xff]{16}")
"""What the TXT record begins with: the length of its first entry, then the token."""
TEXT_HEAD = 3
LIFETIME = 4500
"""Seconds that an announcement is good for: an hour, after which comes the next one, and a quarter."""
KEPT = 1024
"""Announcements that are kept, in case that their nodes turn out to be of this namespace later; the oldest goes."""
MAX_HOSTS = 8
"""Addresses of a node that are announced on a network, and taken from an announcement."""

Host = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Adapter:
    """A network interface: this device's addresses there, each with its network. `host` is the one to speak from."""

    host: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]


@dataclass(frozen=True)
class Names:
    """Under which a node announces itself: random, so that they say nothing."""

    instance: str = field(default_factory=lambda: os.urandom(16).hex())
    host: str = field(default_factory=lambda: os.urandom(16).hex())


class Said(NamedTuple):
    """What a node announces."""

    token: bytes
    port: int
    hosts: frozenset[str]


@dataclass(frozen=True)
class Heard:
    """A node of this namespace has announced itself, or `leaves`. Without `urls` it cannot be dialled.

    `instance` is another one each time that the node starts.
    """

    instance: str
    address: bytes
    urls: tuple[str, ...]
    leaves: bool = False


def local_adapters() -> list[Adapter]:
    """The interfaces that lead to a network with others on it. Raises OSError."""
    return [found for found in map(_adapter, ifaddr.get_adapters()) if found is not None]


def _adapter(found: ifaddr.Adapter) -> Adapter | None:
    hosts = [(ip.ip if isinstance(ip.ip, str) else ip.ip[0], ip.network_prefix) for ip in found.ips]
    known = [ip_interface(f"{host.partition('%')[0]}/{prefix}") for host, prefix in hosts]
    fours = [each for each in known if each.version == 4 and not each.ip.is_loopback and each.network.prefixlen < 32]
    sixes = [each for each in known if each.version == 6 and not (each.ip.is_loopback or each.ip.is_link_local)]
    return Adapter(str(fours[0].ip), (*fours, *sixes)) if fours else None


@contextmanager
def _system_errors() -> Iterator[None]:
    """Zeroconf's own errors are of no other use to us: it does not begin, or end, in time."""
    try:
        yield
    except Error as error:
        raise OSError(f"zeroconf failed: {type(error).__name__}: {error}") from error


class Announcements(RecordUpdateListener):
    """Speaks and listens on these interfaces under random names, until `close`. `heard` is called in zeroconf's thread.

    Making and closing one blocks. Raises OSError.
    """

    def __init__(self, adapters: Sequence[Adapter], names: Names, heard: Callable[[Heard], None]) -> None:
        self._adapters = {adapter.host: adapter for adapter in adapters}
        self._names = names
        self._heard = heard
        self._said: Said | None = None
        self._tokens: Tokens = {}
        self._kept: OrderedDict[str, tuple[bytes, tuple[str, ...]]] = OrderedDict()
        with _system_errors():
            self._zeroconf = Zeroconf(interfaces=[adapter.host for adapter in adapters], use_asyncio=False)
        self._zeroconf.add_listener(self, None)

    def close(self) -> None:
        """Has everybody forget what was announced."""
        if self._said is not None:
            self._call(self._send, self._said, 0)
        with _system_errors():
            self._zeroconf.close()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Has zeroconf's thread do something soon."""
        assert self._zeroconf.loop is not None
        self._zeroconf.loop.call_soon_threadsafe(function, *arguments)

    # --- speaking

    def announce(self, token: bytes, port: int, hosts: frozenset[str]) -> None:
        """Sends one packet on each interface, with those of the hosts that are there."""
        self._said = Said(token, port, hosts)
        self._call(self._send, self._said, LIFETIME)

    def _send(self, said: Said, lifetime: int) -> None:
        for sender in self._zeroconf.engine.senders:
            adapter = self._adapters.get(sender.sock_name[0])
            if adapter is not None:
                info = self._info(adapter, said, lifetime)
                self._zeroconf.async_send(self._zeroconf.generate_service_broadcast(info, None), transport=sender)

    def _info(self, adapter: Adapter, said: Said, lifetime: int) -> ServiceInfo:
        hosts = [str(each.ip) for each in adapter.addresses if str(each.ip) in said.hosts]
        return ServiceInfo(
            SERVICE,
            f"{self._names.instance}.{SERVICE}",
            port=said.port,
            properties={b"t": said.token},
            server=f"{self._names.host}.local.",
            host_ttl=lifetime,
            other_ttl=lifetime,
            parsed_addresses=hosts[:MAX_HOSTS],
        )

    # --- listening

    def recognise(self, tokens: Tokens) -> None:
        """These are our own from now on; some of them may have been heard before."""
        self._call(self._recognise, tokens)

    def _recognise(self, tokens: Tokens) -> None:
        before, self._tokens = self._tokens, tokens
        for name, (token, urls) in self._kept.items():
            if token in tokens and token not in before:
                self._heard(Heard(name, tokens[token], urls))

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """A packet has come, or something has run out."""
        news = [update.new for update in records]
        for record in news:
            if isinstance(record, DNSText) and INSTANCE.fullmatch(record.key) and TEXT.match(record.text):
                token = record.text[TEXT_HEAD : TEXT_HEAD + TOKEN_SIZE]
                if record.is_expired(now):
                    self._forget(record.key, token)
                else:
                    self._take(record.key, token, self._urls(record.key, news))

    def _urls(self, name: str, records: Sequence[DNSRecord]) -> tuple[str, ...]:
        """Where the packet that announces an instance says it can be dialled."""
        places = [(each.port, each.server_key) for each in records if isinstance(each, DNSService) and each.key == name]
        port, server = places[0] if places else (0, "")
        found = [ip_address(each.address) for each in records if isinstance(each, DNSAddress) and each.key == server]
        near = sorted(filter(self._is_near, found), key=self._is_own)
        return tuple(f"tcp://{bracketed(str(host))}:{port}" for host in near[:MAX_HOSTS] if port)

    def _is_near(self, host: Host) -> bool:
        """Whether an address is on a network that this device is on: an announcement sends nobody elsewhere."""
        return any(host in each.network for adapter in self._adapters.values() for each in adapter.addresses)

    def _is_own(self, host: Host) -> bool:
        """Such as the one that every device has towards its own containers: they are tried last."""
        return any(host == each.ip for adapter in self._adapters.values() for each in adapter.addresses)

    def _take(self, name: str, token: bytes, urls: tuple[str, ...]) -> None:
        self._kept[name] = token, urls
        self._kept.move_to_end(name)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if token in self._tokens:
            self._heard(Heard(name, self._tokens[token], urls))

    def _forget(self, name: str, token: bytes) -> None:
        """Unless it is the token of the hour before that has run out."""
        if name in self._kept and self._kept[name][0] == token:
            del self._kept[name]
            if token in self._tokens:
                self._heard(Heard(name, self._tokens[token], (), leaves=True))
