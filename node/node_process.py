"""The node as a resource: proto Node, which the command line and other nodes call."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from firefly.address import parse_address
from firefly.errors import Denied, InvalidArgument, NoSuchResource, Unreachable
from firefly.interfaces import core
from firefly.runtime import Caller, current_call
from node.certificates import ADMIN, MEMBER
from node.configuration.answers import Answers, local_user
from node.configuration.history import Author
from node.configuration.live import Configuration
from node.directory import Directory, Resource
from node.doorkeeper import Doorkeeper
from node.host import ProcessHost
from node.introductions import Introductions
from node.link_book import LinkBook
from node.links import LinkError
from node.metrics import collect
from node.node import Node
from node.pairing import Invite, InviteRefusedError
from node.status import entries_of, status_of
from node.topology import Topology

SELF = "self"


UNKNOWN_KEY = bytes(32)
"""Of a node in another namespace, before there is a session with it."""


class NodeProcess(core.NodeServer):
    """Answers for the node itself. Reading is for members, changing for administrators, joining for the local user."""

    def __init__(
        self,
        node: Node,
        processes: ProcessHost,
        doorkeeper: Doorkeeper,
        configuration: Configuration,
        stop: Callable[[], None],
    ) -> None:
        self._node = node
        self._configuration = Answers(configuration)
        self._processes = processes
        self._doorkeeper = doorkeeper
        self._stop = stop
        self._link_book = LinkBook(node, node.name_of)
        self._topology = Topology(node, node.name_of)
        self._introductions = Introductions(node.peers.host, node.caller_of, node.start_soon)

    # --- looking

    def status(self) -> core.ProcessStatus:
        self._members_only()
        return core.ProcessStatus(
            id=self._node.address,
            label=self._node.label,
            kind=core.ProcessKind.BUILTIN,
            program="node",
            proto=self.proto,
            state=core.ProcessState.RUNNING,
            reason="",
            restarts=0,
            started=self._node.started,
            os_process=os.getpid(),
        )

    def node_status(self) -> core.NodeStatus:
        self._members_only()
        return status_of(self._node)

    def resolve(self, name: str) -> core.Location:
        self._members_only()
        node_name, _, resource = name.partition("/")
        entry = self._resolve_node(node_name)
        address, key, label = entry
        resource = resource.strip("/")
        if not resource:
            return core.Location(address, key, label, address, "", core.NodeServer.proto)
        offered = self._offered(address)
        for candidate in offered:
            if resource in (candidate.label, candidate.id.hex()):
                return core.Location(address, key, label, candidate.id, candidate.label, candidate.proto)
        raise core.NoSuchName(name, sorted(candidate.label for candidate in offered))

    def _resolve_node(self, name: str) -> tuple[bytes, bytes, str]:
        node = self._node
        if name in (SELF, ""):
            return node.address, node.key.public, node.label
        directory = node.directory
        found = directory.find(name) if directory is not None else []
        if not found and (foreigner := self._foreigner(name)) is not None:
            return foreigner, UNKNOWN_KEY, ""
        if len(found) != 1:
            known = [entry.label for entry in (found or entries_of(node))]
            raise core.NoSuchName(name, sorted(known))
        return found[0].address, found[0].key, found[0].label

    def _foreigner(self, name: str) -> bytes | None:
        """The whole address of a node of another namespace, if there is a hub for it, or is to be one."""
        try:
            address = parse_address(name)
        except ValueError:
            return None
        node = self._node
        return address if node.admission.uses() or node.mesh.hub_for(address) is not None else None

    def _offered(self, address: bytes) -> list[Resource]:
        if address == self._node.address:
            return self.own_resources()
        directory: Directory | None = self._node.directory
        entry = directory.entry(address) if directory is not None else None
        return entry.contents.resources if entry is not None else []

    def own_resources(self) -> list[Resource]:
        """What this node's processes offer right now."""
        found = [
            Resource(process.id, process.specification.label, process.proto, int(process.specification.access))
            for process in self._processes.processes.values()
            if process.owner is None and process.id in self._node.peers.host.resources
        ]
        known = self._processes.processes.keys()
        for identifier, entry in self._node.peers.host.resources.items():
            if identifier not in known and getattr(entry, "label", None):
                found.append(Resource(identifier, entry.label, entry.proto, int(entry.access or MEMBER)))
        return found[:1024]

    def resources(self, node: bytes) -> list[core.ResourceStatus]:
        self._members_only()
        if self._node.mesh.hub_for(node) is not None:
            raise Denied("what the node offers is not known", cause="it belongs to another namespace")
        return [
            core.ResourceStatus(resource.id, resource.label, resource.proto, core.Role(resource.access))
            for resource in self._offered(node)
        ]

    def processes(self) -> list[core.ProcessStatus]:
        self._members_only()
        return [process.status() for process in self._processes.processes.values()]

    def route(self, destination: bytes) -> list[core.Hop]:
        self._members_only()
        node = self._node
        here = core.Hop(node.address, node.label, "", 0.0)
        if destination == node.address:
            return [here]
        hub = node.mesh.hub_for(destination)
        path = node.mesh.path(destination) or [*node.mesh.path(hub or b""), destination]
        link: Any = node.mesh.next_hop(destination, None)
        if link is None:
            raise Unreachable(
                "no path leads to the node", hint="`glow status` shows which nodes are linked; is it switched on?"
            )
        hops = [core.Hop(address, self._node.name_of(address), "", None) for address in path]
        hops[0] = core.Hop(path[0], self._node.name_of(path[0]), link.kind, link.liveness.rtt)
        return [here, *hops]

    def records(self) -> list[core.LinkStateRecord]:
        self._members_only()
        return self._topology.records()

    def routes(self, destination: bytes | None) -> list[core.Route]:
        self._members_only()
        return self._topology.routes(destination)

    def echo(self, payload: bytes) -> bytes:
        return payload

    def metrics(self) -> list[core.Metric]:
        self._members_only()
        return collect(self._node, self._processes)

    def logs(
        self, after: int, last: int | None, follow: bool, level: core.LogLevel, process: str
    ) -> AsyncIterator[core.LogRecord]:
        self._administrators_only()
        return self._node.log.read(
            after, last, follow, lambda record: record.level >= level and process in ("", record.process)
        )

    # --- changing

    async def create(self, specification: core.Specification) -> core.ProcessStatus:
        self._administrators_only()
        process = await self._processes.create(specification)
        return process.status()

    async def kill(self, process: bytes) -> core.ProcessStatus:
        self._administrators_only()
        found = self._processes.find(process)
        if found is None:
            raise NoSuchResource("there is no such process here", hint="`glow ps NODE` lists them")
        return await self._processes.kill(found)

    async def invite(
        self, name: str, role: core.Role, lifetime: float, accept: bool, at: list[str]
    ) -> AsyncIterator[core.PairingEvent]:
        self._administrators_only()
        if self._node.role != ADMIN:
            raise Denied(
                "this device may not invite",
                cause="only an administrator's device can",
                hint="run `glow invite` on the first device of the namespace",
            )
        if not math.isfinite(lifetime):
            raise InvalidArgument("the lifetime is not a number of seconds")
        invite, link = await self._doorkeeper.invite(name, int(role), lifetime, accept, at)
        if at:
            await self._link_book.add(at, None, current_call().caller.local)
        events = self._doorkeeper.events(invite.id)
        yield core.PairingEventCreated(_invite_value(invite, link))
        async for happened in events:
            yield self._event(happened)

    def _event(self, happened: Any) -> core.PairingEvent:
        if happened.what == "asked":
            return core.PairingEventAsked(happened.invite, happened.label, happened.address, happened.detail)
        if happened.what == "joined":
            return core.PairingEventJoined(happened.label, happened.address)
        return core.PairingEventRefused(happened.detail)

    async def confirm(self, invite: bytes, accept: bool) -> None:
        self._administrators_only()
        await self._doorkeeper.confirm(invite, accept)

    async def join(self, link: str, name: str) -> core.NodeStatus:
        self._local_only()
        try:
            await self._doorkeeper.join(link, name)
        except InviteRefusedError as error:
            raise core.InviteRefused(f"{error.message}: {error.cause}" if error.cause else error.message) from None
        return self.node_status()

    def stop_(self) -> None:
        self._local_only()
        self._stop()

    async def configuration(self) -> core.Configuration:
        self._administrators_only()
        return await self._configuration.configuration()

    async def configure(self, key: str, value: str | None) -> core.ConfigurationChange:
        self._administrators_only()
        return await self._configuration.configure(key, value, self._author())

    async def configuration_history(self) -> list[core.ConfigurationEntry]:
        self._administrators_only()
        return await self._configuration.history()

    async def configuration_text(self, number: int) -> bytes:
        self._administrators_only()
        return await self._configuration.text(number)

    async def configuration_rollback(self, number: int | None) -> core.ConfigurationChange:
        self._administrators_only()
        return await self._configuration.rollback(number, self._author())

    def introduce(self, id: bytes, key: bytes, narrowing: bytes) -> bytes:
        """Makes a fresh id for `id` that only the node with `key` can use, with the caller's rights."""
        call = current_call()
        return self._introductions.make(call.conversation, call.caller, id, key)

    def links_list(self) -> list[core.StandingLink]:
        self._members_only()
        return self._link_book.all()

    async def links_add(self, urls: list[str], key: bytes | None) -> core.StandingLink:
        self._administrators_only()
        return await self._link_book.add(urls, key, current_call().caller.local)

    async def links_remove(self, urls: list[str]) -> None:
        self._administrators_only()
        await self._link_book.remove(urls)

    async def meet(self, caller: core.Meeting) -> core.Meeting:
        self._members_only()
        return await self._node.meetings.met(current_call().caller.key, caller)

    async def link_offer(self) -> core.LinkOffer:
        self._local_only()
        with _told():
            return core.LinkOffer(*await self._node.offers.make())

    async def link_answer(self, offer: str) -> str:
        self._local_only()
        with _told():
            return await self._node.offers.answer(offer)

    async def link_accept(self, number: int, answer: str) -> core.NodeSummary:
        self._local_only()
        with _told():
            link = await self._node.offers.accept(number, answer)
        return next(node for node in status_of(self._node).nodes if node.address == link.peer_address)

    # --- who may

    def _author(self) -> Author:
        caller = current_call().caller
        return local_user() if caller.local else Author(self._node.name_of(caller.address), caller.key)

    def _members_only(self) -> None:
        _require(current_call().caller, MEMBER)

    def _administrators_only(self) -> None:
        _require(current_call().caller, ADMIN)

    def _local_only(self) -> None:
        if not current_call().caller.local:
            raise Denied("only this device's own user may do this", hint="run it on the device itself")


@contextmanager
def _told() -> Iterator[None]:
    """Why there is no link, in a form that crosses the wire."""
    try:
        yield
    except LinkError as error:
        raise core.LinkFailed(error.message, error.cause, error.hint) from None


def _require(caller: Caller, role: int) -> None:
    from firefly.runtime import check_access

    check_access(caller, role)


def _invite_value(invite: Invite, link: str) -> core.Invite:
    return core.Invite(invite.id, link, invite.name, datetime.fromtimestamp(invite.expires, UTC))
