"""The resource table of one OS process, and the dispatcher that answers from it."""

from __future__ import annotations

import logging
import os
from typing import Any

import msgspec

from firefly.calls import IncomingCall
from firefly.errors import BadMessage, GlowError, Internal, NoSuchResource, encode_error
from firefly.messages import Notify, Request
from firefly.rpc import Conversation
from firefly.runtime.context import Caller
from firefly.runtime.method import Method
from firefly.runtime.network import Network
from firefly.runtime.resource import LocalResource
from firefly.runtime.server import Server
from firefly.runtime.workers import Workers

log = logging.getLogger("firefly")


class Host:
    """The resource table of one OS process, and the dispatcher that answers from it.

    An entry is a LocalResource, or whatever else answers `request` and `notified` (an attached process).
    """

    def __init__(self, network: Network, workers: Workers) -> None:
        self.network = network
        self.workers = workers
        self.resources: dict[bytes, Any] = {}
        self.errors = 0

    def add(self, resource: bytes, server: Server, access: int | None = None, label: str = "") -> None:
        self.resources[resource] = entry = LocalResource(self, server, access)
        entry.label = label

    def remove(self, resource: bytes) -> None:
        self.resources.pop(resource, None)

    def caller(self, conversation: Conversation, message: Any) -> Caller:
        """Who sent a message; an attachment is told by its node, message by message. Raises BadMessage."""
        peer = conversation.peer
        if peer is not None:
            return peer  # type: ignore[no-any-return]
        try:
            return Caller(*msgspec.convert(message.peer, tuple[bytes, bytes, int, bytes]))
        except msgspec.ValidationError as error:
            raise BadMessage("the node did not say who calls", cause=str(error)) from None

    def find(self, conversation: Conversation, resource: bytes) -> Any:
        """The entry of a resource, None if there is none for this peer."""
        entry = self.resources.get(resource)
        if entry is None:
            export = conversation.exports.get(resource)
            if export is not None:
                entry = export.entry = export.entry or LocalResource(self, export.server)
        return entry

    # --- Dispatcher

    def request(self, conversation: Conversation, lane: int, request: Request) -> IncomingCall | None:
        return self.request_from(self.caller(conversation, request), conversation, lane, request)

    def request_from(
        self, caller: Caller, conversation: Conversation, lane: int, request: Request
    ) -> IncomingCall | None:
        """The same for a caller that is known otherwise."""
        entry = self.find(conversation, request.resource)
        if entry is None:
            raise NoSuchResource("there is no such resource here", hint="`glow ls NODE` shows the resources of a node")
        return entry.request(conversation, lane, request, caller)  # type: ignore[no-any-return]

    def notified(self, conversation: Conversation, lane: int, notification: Notify) -> None:
        self.notified_from(self.caller(conversation, notification), conversation, lane, notification)

    def notified_from(self, caller: Caller, conversation: Conversation, lane: int, notification: Notify) -> None:
        """The same for a caller that is known otherwise."""
        entry = self.find(conversation, notification.resource)
        if entry is None:
            conversation.refused(notification)
            return
        entry.notified(conversation, lane, notification, caller)

    def signed(self, conversation: Conversation, envelopes: list[bytes]) -> None:
        """Statements are the node's business; an OS process that only serves has no use for them."""

    # --- what went wrong

    def describe_error(self, method: Method, error: BaseException) -> tuple[int, bytes]:
        """What the caller is told of an exception: a declared or system error as it is, anything else by an id."""
        if isinstance(error, GlowError):
            if error.code >= 256 and error.code not in method.errors:
                log.warning("%s raised %s, which it does not declare", method.path, type(error).__name__)
            return encode_error(error)
        self.errors += 1
        number = os.urandom(4).hex()
        log.error("error %s in %s", number, method.path, exc_info=error)
        return encode_error(
            Internal(
                f"{method.path} failed in a way it does not declare (error {number})",
                hint=f"look for {number} in the log of the resource's node",
            )
        )
