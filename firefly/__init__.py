"""The protocol of Glow, and all that a process or program imports.

    connect, serve, Context   programs that use the network, or own resources in it
    Glow                      the network as one computer: `open`, `resolve`
    deadline                  a time limit for the calls of a block
    wait                      for handlers that block: calls others, and waits for the answer
    errors                    every error, in one tree
    programs                  what a process inside the node starts as `context.programs`

From the bottom up: keys, address, packet, envelope (what things are) · noise, hello, sealing, link (one connection) ·
flow, lane, session, sessions (end to end) · messages, outbox, fragments, credit, rpc (calls and streams) · runtime (as
trio tasks) · attachment, transport, client (programs of this device). Everything below runtime is sans-I/O but
transport.
Interfaces' stubs are in firefly.interfaces. Nothing here imports a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firefly.client import Context, Glow, NoNode, connect, serve
    from firefly.runtime.context import current_call, deadline
    from firefly.runtime.thread import wait

_HOMES = {
    "Context": "firefly.client",
    "Glow": "firefly.client",
    "NoNode": "firefly.client",
    "connect": "firefly.client",
    "serve": "firefly.client",
    "wait": "firefly.runtime.thread",
    "current_call": "firefly.runtime.context",
    "deadline": "firefly.runtime.context",
}

__all__ = ["Context", "Glow", "NoNode", "connect", "current_call", "deadline", "serve", "wait"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is: `glow --help` needs none of it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
