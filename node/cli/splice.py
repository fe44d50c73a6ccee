"""Joins two file descriptors of this OS process with a socket, for `glow link stdio`."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue

READ = 2**18
"""Bytes that are read at once."""
THREADS = "splice"


def splice(sock: socket.socket, reading: int, writing: int) -> bool:
    """Carries bytes both ways, no faster than the receiving side takes them, until one side ends.

    Returns whether that was the socket's side. Blocks; what comes from one side then and has not been read is lost.
    """
    for descriptor in (reading, writing):
        os.set_blocking(descriptor, True)
    ends: SimpleQueue[bool | BaseException] = SimpleQueue()
    for carry in (lambda: _to_socket(reading, sock), lambda: _from_socket(sock, writing)):
        threading.Thread(target=_report, args=(carry, ends), name=THREADS, daemon=True).start()
    end = ends.get()
    if isinstance(end, BaseException):
        raise end
    return end


def _report(carry: Callable[[], bool], ends: SimpleQueue[bool | BaseException]) -> None:
    try:
        ends.put(carry())
    except BaseException as error:
        ends.put(error)


def _to_socket(reading: int, sock: socket.socket) -> bool:
    while data := os.read(reading, READ):
        try:
            sock.sendall(data)
        except OSError:
            return True
    return False


def _from_socket(sock: socket.socket, writing: int) -> bool:
    while True:
        try:
            data = sock.recv(READ)
        except OSError:
            return True
        if not data:
            return True
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(writing, rest) :]
