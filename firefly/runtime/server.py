"""The owner's side: what the generated servers derive from, and who may call them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any, ClassVar, NoReturn, Self, TypeVar, Union

from firefly.errors import Denied, NoSuchMethod
from firefly.runtime.context import Caller
from firefly.runtime.method import Capability, Method
from firefly.runtime.thread import HandlerThread, own_thread

T = TypeVar("T")
Answer = Union[T, Awaitable[T]]  # noqa: UP007 (an alias with a type variable)
"""What a handler gives: a value, or (`async def`) the promise of one."""

Items = Union[AsyncIterator[T], Iterator[T]]  # noqa: UP007
"""What the handler of a stream of results gives: an async generator does, or a plain one."""
FAULTS = Exception, SystemExit
"""What the code of a process may raise. `sys.exit` ends its handler, not the OS process in which it is a guest."""

ADMIN, MEMBER = 1, 2


class Server(Capability):
    """Base of the generated servers. A subclass overrides the methods that it serves.

    A server can be passed wherever its proto is an argument or a result. If it has a method `released()`, that is
    called when a peer has no copy of it any more. With `blocking = True` a process gets an OS thread of its own, in
    which its plain `def` handlers may block (firefly/runtime/thread.py).
    """

    blocking: ClassVar[bool] = False
    thread: HandlerThread | None = None
    """Where its handlers run: what is made in such a thread belongs to it."""
    proto: ClassVar[str] = ""
    schema: ClassVar[bytes] = b""
    methods: ClassVar[tuple[Method, ...]] = ()

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        made = super().__new__(cls)
        thread = own_thread()
        if thread is not None:
            made.thread = thread
        return made


def missing(method: Method) -> NoReturn:
    """The answer of a method that a process does not implement."""
    raise NoSuchMethod(f"{method.path} is not implemented here")


def describe(server: Server) -> Any:
    """The answer of `Resource.describe`, which every server has."""
    from firefly.interfaces.core import Description

    return Description(server.proto, server.schema)


def check_access(caller: Caller, access: int | None) -> None:
    """Raises Denied if the caller's role is below `access` (core.Role: ADMIN 1, MEMBER 2)."""
    if access is not None and not caller.local and not 1 <= caller.role <= access:
        raise Denied(
            "the caller's role does not allow this call",
            cause=f"it needs {'an administrator' if access == ADMIN else 'a member'} of the namespace",
            hint="run it on a device of an administrator, or create the process with access for members",
        )
