"""Calls and handlers as trio tasks: what the generated stubs stand on.

method.py    what a stub says of one method; codecs, open enums, unions
stub.py      the caller's side: Stub, ResultStream, deadline
server.py    the owner's side: Server, ArgumentStream, the dispatcher
network.py   what calls need of the world
workers.py   reused tasks for asynchronous handlers
"""

from firefly.runtime.method import Method, OpenEnum, Union
from firefly.runtime.network import Network, Peer
from firefly.runtime.server import (
    Answer,
    ArgumentStream,
    Caller,
    CurrentCall,
    Host,
    Server,
    current_call,
    describe,
    missing,
)
from firefly.runtime.stub import ResultStream, Source, Stub, deadline
from firefly.runtime.workers import Workers, open_workers

__all__ = [
    "Answer",
    "ArgumentStream",
    "Caller",
    "CurrentCall",
    "Host",
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
    "current_call",
    "deadline",
    "describe",
    "missing",
    "open_workers",
]
