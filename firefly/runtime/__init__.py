"""Calls and handlers as trio tasks: what the generated stubs stand on.

method.py        what a stub says of one method; codecs, open enums, unions
network.py       what calls need of the world
context.py       who calls, and until when: current_call, deadline
capabilities.py  stubs and servers in messages

stub.py          the caller's side: Stub
outgoing.py      open calls and the arguments that stream with them
streams.py       ResultStream and ArgumentStream, as their readers see them

server.py        the owner's side: Server
resource.py      from a request to its handler
served.py        from a handler to the last word
host.py          the resource table, and the dispatcher that answers from it
batches.py       Encoded and takes_batches: messages that are only passed on
workers.py       reused tasks for asynchronous handlers
thread.py        the OS thread of a process whose handlers block: wait
process.py       from a class to a process: made, started, stopped
"""

from firefly.runtime.batches import Encoded, takes_batches
from firefly.runtime.context import Caller, CurrentCall, current_call, deadline
from firefly.runtime.host import Host
from firefly.runtime.method import Method, OpenEnum, Union
from firefly.runtime.network import Network, Peer
from firefly.runtime.outgoing import ITEM_SIZE, Source
from firefly.runtime.server import Answer, Items, Server, check_access, describe, missing
from firefly.runtime.streams import ArgumentStream, ResultStream
from firefly.runtime.stub import Stub
from firefly.runtime.workers import Workers, open_workers

__all__ = [
    "ITEM_SIZE",
    "Answer",
    "ArgumentStream",
    "Caller",
    "CurrentCall",
    "Encoded",
    "Host",
    "Items",
    "Method",
    "Network",
    "OpenEnum",
    "Peer",
    "ResultStream",
    "Server",
    "Source",
    "Stub",
    "Union",
    "Workers",
    "check_access",
    "current_call",
    "deadline",
    "describe",
    "missing",
    "open_workers",
    "takes_batches",
]
