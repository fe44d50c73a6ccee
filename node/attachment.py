"""The node's side of the control socket: programs, commands and plugins that attach (docs/concepts/wire.md, 6).

What an attached program asks of another node goes to the session with it; what others ask of its resources comes back
the same way. While 4 MiB or 1,024 messages wait for a program nothing is read from it, and if it does not read for 10 s
it is detached.
"""

from __future__ import annotations

import hmac
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from firefly.attachment import (
    MAX_FRAME,
    MAX_SCHEMA,
    VERSION,
    Attach,
    Attached,
    AttachedConversation,
    Register,
    Registered,
)
from firefly.calls import IncomingCall
from firefly.errors import BadMessage, CallCancelled, Denied, GlowError, Interrupted, ProtocolError, encode_error
from firefly.interfaces.core import Description, ResourceServer
from firefly.link import FrameReader
from firefly.messages import Notify, Request
from firefly.packet import INTERACTIVE
from firefly.rpc import Conversation
from firefly.runtime import Caller, check_access
from firefly.runtime.workers import Errand
from firefly.transport import FramedSocket
from node.bridge import BridgedIncoming, ForwardedObject, Notifications, Waiting, bridge, check_values
from node.identity import check_label

if TYPE_CHECKING:
    from node.peers import Peers

log = logging.getLogger("node")
STALLED = 10.0
"""Seconds that an attached program may leave what waits for it unread."""
CHECK_INTERVAL = 2.0
MAX_REGISTERED = 1024
(DESCRIBE,) = ResourceServer.methods
"""Answered here, from what the program registered: no program needs to know of it."""


@dataclass
class Program:
    """What the node started a program with: it may register `resource` under `label`."""

    token: bytes
    resource: bytes
    label: str
    folder: str
    configuration: dict[str, str]
    access: int | None


class AttachedResource(ForwardedObject):
    """The entry of a resource that an attached program owns."""

    def __init__(
        self, far: Conversation, resource: bytes, label: str, proto: str, schema: bytes, access: int | None
    ) -> None:
        super().__init__(far, resource)
        self.label = label
        self.proto = proto
        self.schema = schema
        self.access = access

    def request(self, conversation: Conversation, lane: int, request: Request, caller: Any) -> IncomingCall | None:
        check_access(caller, self.access)
        if request.selector == DESCRIBE.selector and self.schema:
            conversation.release_all(request.capabilities)
            described = DESCRIBE.result_codec.encode(Description(self.proto, self.schema))
            conversation.answer(lane, request.call, described)
            return None
        return super().request(conversation, lane, request, caller)


class Attachment:
    """One attached OS process. It is a Dispatcher: what it asks for goes to its own node's host, or to a session."""

    def __init__(self, peers: Peers, sock: socket.socket, *, program: Program | None = None) -> None:
        self._peers = self.network = peers
        self._program = program
        self._attached = False
        self._fault = ""
        self._frames = FrameReader(MAX_FRAME)
        self._notifications: dict[bytes, Notifications] = {}
        self._early: dict[bytes, list[Waiting]] = {}
        self.conversation = AttachedConversation(
            self, odd=False, wake=self._wake, now=trio.current_time, control=self._control
        )
        outbox = self.conversation.outbox
        self._pump = FramedSocket(sock, self.conversation.next_frame, self._received, lambda: outbox.full)
        self.registered: dict[bytes, AttachedResource] = {}
        self.on_registered: Callable[[AttachedResource], None] | None = None

    def _wake(self, _: int) -> None:
        self._peers.written_to(self._pump, self.conversation.alone)

    def _received(self, data: bytes) -> None:
        router = self._peers.router
        router.begin()
        try:
            for frame in self._frames.feed(data):
                self.conversation.receive(INTERACTIVE, frame)
            self._frames.check()
        finally:
            router.end()

    async def run(self) -> str:
        """Serves the program until it leaves, breaks the rules or stalls; never raises for its sake.

        Returns what it did wrong, for a person; empty if it just left.
        """
        reason: GlowError = Interrupted("the program has ended", hint="`glow ps` shows why")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_stall, nursery.cancel_scope)
                await self._pump.run()
                nursery.cancel_scope.cancel()
        except* OSError:
            reason = Interrupted("the connection to the program broke")
        except* ProtocolError as group:
            self._fault = f"it broke the rules of the wire: {_first(group)}"
            reason = Interrupted("the program broke the rules of the wire", str(_first(group)), "`glow ps` shows it")
            self._peers.count("attachment_errors")
        except* Exception as group:
            log.exception("a defect of this node ended an attachment; the others go on", exc_info=group)
            self._peers.count("attachment_defects")
        finally:
            for resource in self.registered:
                self._peers.host.remove(resource)
            self._peers.resources_changed()
            self.conversation.close(reason)
            self._pump.close()
        return self._fault

    async def _watch_stall(self, scope: trio.CancelScope) -> None:
        stalled_since, sent = None, -1
        while True:
            await trio.sleep(CHECK_INTERVAL)
            waiting = self._pump.blocked
            if not waiting or self._pump.sent_bytes != sent:
                stalled_since, sent = None, self._pump.sent_bytes
            elif stalled_since is None:
                stalled_since = trio.current_time()
            elif trio.current_time() - stalled_since >= STALLED - CHECK_INTERVAL:
                self._peers.count("attachments_stalled")
                self._fault = f"it read nothing for {STALLED:.0f} s while something waited for it"
                scope.cancel()

    # --- what only attachments say

    def _control(self, message: Any) -> None:
        if isinstance(message, Attach) and not self._attached:
            self._attach(message)
        elif isinstance(message, Register) and self._attached:
            self._register(message)
        else:
            raise BadMessage(f"{type(message).__name__} is out of place")

    def _attach(self, attach: Attach) -> None:
        if attach.version != VERSION:
            raise BadMessage(f"this node speaks version {VERSION} of the attachment, not {attach.version}")
        program = self._program
        if program is not None and not hmac.compare_digest(attach.token, program.token):
            raise BadMessage("the program's token is wrong")
        self._attached = True
        key = self._peers.key
        answer = Attached(VERSION, key.address, key.public)
        if program is not None:
            answer.identity, answer.label = program.resource, program.label
            answer.folder, answer.configuration = program.folder, program.configuration
        self.conversation.append(INTERACTIVE, answer, 4096)

    def _register(self, register: Register) -> None:
        try:
            resource = self._admit(register)
        except GlowError as error:
            answer = Registered(b"", error.message)
        else:
            answer = Registered(resource)
        self.conversation.append(INTERACTIVE, answer, 256)

    def _admit(self, register: Register) -> bytes:
        program, resource = self._program, register.resource
        if len(register.label) > 63 or len(register.schema) > MAX_SCHEMA or len(register.proto) > 512:
            raise BadMessage("a label, proto or schema is too long")
        check_label(register.label)
        if len(self.registered) >= MAX_REGISTERED:
            raise Denied(f"over {MAX_REGISTERED} resources of one program")
        if resource is not None and (program is None or resource != program.resource):
            raise Denied("the id is not one of the program's specification")
        resource = resource or os.urandom(16)
        if resource in self._peers.host.resources:
            raise Denied("the id is registered already")
        access = program.access if program is not None else 2
        entry = AttachedResource(self.conversation, resource, register.label, register.proto, register.schema, access)
        self.registered[resource] = entry
        self._peers.host.resources[resource] = entry
        if self.on_registered is not None:
            self.on_registered(entry)
        self._peers.resources_changed()
        return resource

    # --- Dispatcher

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        target = self._target(request)
        if target == self._peers.address:
            return self._request_here(conversation, lane, request)
        near = BridgedIncoming(conversation, request.call, lane)
        peer = self._peers.peer(target)
        if peer is None:
            self._peers.host.workers.run(Errand(lambda: self._bridge_later(near, target, request)))
            return near
        return bridge(near, peer, request, request.resource)

    def _target(self, message: Any) -> bytes:
        target = message.peer
        if not self._attached or not isinstance(target, bytes) or len(target) != 16:
            raise BadMessage("a message of an attached program names no node, or came before ATTACH")
        return target

    def _request_here(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        return self._peers.host.request_from(self._caller, conversation, lane, request)

    @property
    def _caller(self) -> Caller:
        return self._peers.local_caller(self._program is not None)

    async def _bridge_later(self, near: BridgedIncoming, target: bytes, request: Request) -> None:
        try:
            peer = await self._peers.reach(target)
            if near.gone:
                raise CallCancelled("the caller gave up")
            if near.conversation.closed is None:
                bridge(near, peer, request, request.resource)
        except GlowError as error:
            if near.conversation.closed is None:
                near.fail(*encode_error(error))

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        target = self._target(notification)
        lane = notification.lane  # type: ignore[attr-defined]
        if target == self._peers.address:
            self._peers.host.notified_from(self._caller, conversation, lane, notification)
            return
        conversation.admit(notification.resource, check_values(notification.arguments))
        received = Waiting(conversation, lane, notification, None, notification.resource)
        early = self._early.get(target)
        peer = self._peers.peer(target)
        if early is not None:
            early.append(received)
        elif peer is not None:
            self._towards(target, peer).forward_admitted(received)
        else:
            self._early[target] = [received]
            self._peers.host.workers.run(Errand(partial(self._notify_later, target)))

    def _towards(self, target: bytes, peer: Conversation) -> Notifications:
        found = self._notifications.get(target)
        if found is None or found.far is not peer:
            found = self._notifications[target] = Notifications(peer)
        return found

    async def _notify_later(self, target: bytes) -> None:
        """Sends what came before there was a session, in order; loses it if the target cannot be reached."""
        try:
            peer = await self._peers.reach(target)
        except GlowError:
            for near, _, notification, _, _ in self._early.pop(target):
                self._peers.count("notifications_lost")
                near.release_all(notification.capabilities)
                near.consumed(notification.resource, sum(map(len, notification.arguments)))
        else:
            towards = self._towards(target, peer)
            for received in self._early.pop(target):
                towards.forward_admitted(received)

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None:
        raise BadMessage("statements do not come from attached programs")


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error  # type: ignore[return-value]
