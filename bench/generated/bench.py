# Made from bench.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""What `make bench` serves and calls; the peers do the same work with what they offer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar, Final

import msgspec

from firefly import runtime, scalars
from firefly.interfaces import core as _core


class Bench(_core.Resource):
    """Something that answers glow.bench.Bench."""

    proto = "glow.bench.Bench"

    async def echo(self, data: bytes) -> bytes:
        """Answers its argument."""
        return await self._call(_BENCH_ECHO, (data,))

    def push(self, data: bytes) -> Awaitable[None]:
        """Counts `data`."""
        return self._notify(_BENCH_PUSH, (data,))

    async def received(self) -> int:
        """How many `push` the handler has received since the last reset."""
        return await self._call(_BENCH_RECEIVED, ())

    async def reset(self) -> None:
        await self._call(_BENCH_RESET, ())


class _BenchEchoArguments(msgspec.Struct, array_like=True, frozen=True):
    data: bytes


_BENCH_ECHO = runtime.Method(
    "echo",
    "glow.bench/Bench.echo",
    0x464D60B1,
    _BenchEchoArguments,
    result=bytes,
)


class _BenchPushArguments(msgspec.Struct, array_like=True, frozen=True):
    data: bytes


_BENCH_PUSH = runtime.Method(
    "push",
    "glow.bench/Bench.push",
    0x6B15E9B4,
    _BenchPushArguments,
    notify=True,
)


class _BenchReceivedArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_BENCH_RECEIVED = runtime.Method(
    "received",
    "glow.bench/Bench.received",
    0xDD869A6A,
    _BenchReceivedArguments,
    result=scalars.u64,
)


class _BenchResetArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_BENCH_RESET = runtime.Method(
    "reset",
    "glow.bench/Bench.reset",
    0x2BB38BA2,
    _BenchResetArguments,
)


class BenchServer(_core.ResourceServer):
    """Base of every process that serves Bench; a missing method answers NoSuchMethod."""

    proto = "glow.bench.Bench"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _BENCH_ECHO,
        _BENCH_PUSH,
        _BENCH_RECEIVED,
        _BENCH_RESET,
    )

    def echo(self, data: bytes) -> runtime.Answer[bytes]:
        """Answers its argument."""
        return runtime.missing(_BENCH_ECHO)

    def push(self, data: bytes) -> runtime.Answer[None]:
        """Counts `data`."""
        return runtime.missing(_BENCH_PUSH)

    def received(self) -> runtime.Answer[int]:
        """How many `push` the handler has received since the last reset."""
        return runtime.missing(_BENCH_RECEIVED)

    def reset(self) -> runtime.Answer[None]:
        return runtime.missing(_BENCH_RESET)


SCHEMA: Final = rb"""{"format":1,"library":"glow.bench","doc":"What `make bench` serves and calls; the peers do the same work with what they offer.","declarations":[
{"kind":"proto","name":"glow.bench.Bench","bases":["glow.core.Resource"],"methods":[{"name":"echo","path":"glow.bench/Bench.echo","selector":1179476145,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"result":{"kind":"Bytes"},"doc":"Answers its argument."},{"name":"push","path":"glow.bench/Bench.push","selector":1796598196,"arguments":[{"name":"data","type":{"kind":"Bytes"}}],"notify":true,"doc":"Counts `data`."},{"name":"received","path":"glow.bench/Bench.received","selector":3716586090,"result":{"kind":"u64"},"doc":"How many `push` the handler has received since the last reset."},{"name":"reset","path":"glow.bench/Bench.reset","selector":733186978}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Bench.schema = SCHEMA
BenchServer.schema = SCHEMA
