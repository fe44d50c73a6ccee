# Made from forward.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""A service of another device, as if it ran on this one."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from firefly import errors, runtime
from firefly.interfaces import core as _core
from firefly.interfaces import streams as _streams


class _RefusedBody(msgspec.Struct, array_like=True, frozen=True):
    target: str
    reason: str


class Refused(errors.DeclaredError):
    """The target does not take the connection."""

    code = 0x2E1E7550
    name = "glow.forward.Refused"
    Body = _RefusedBody

    target: str
    reason: str

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason


class _WrongKindBody(msgspec.Struct, array_like=True, frozen=True):
    target: str


class WrongKind(errors.DeclaredError):
    """The target is of the other kind: tcp has connections, udp has flows."""

    code = 0x45E23D2B
    name = "glow.forward.WrongKind"
    Body = _WrongKindBody

    target: str

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


class Forward(_core.Resource):
    """A way to the one service that its configuration names."""

    proto = "glow.forward.Forward"

    async def target(self) -> str:
        """For example tcp://127.0.0.1:8080 or udp://127.0.0.1:53."""
        return await self._call(_FORWARD_TARGET, ())

    async def connect(self) -> _streams.Sequence:
        """A new connection to a tcp target."""
        return await self._call(_FORWARD_CONNECT, ())

    async def flow(self) -> _streams.Flow:
        """A new socket towards a udp target."""
        return await self._call(_FORWARD_FLOW, ())


class _ForwardTargetArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FORWARD_TARGET = runtime.Method(
    "target",
    "glow.forward/Forward.target",
    0x69FFFC82,
    _ForwardTargetArguments,
    result=str,
    idempotent=True,
)


class _ForwardConnectArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FORWARD_CONNECT = runtime.Method(
    "connect",
    "glow.forward/Forward.connect",
    0x6340A6C1,
    _ForwardConnectArguments,
    result=_streams.Sequence,
    errors=(Refused, WrongKind),
)


class _ForwardFlowArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_FORWARD_FLOW = runtime.Method(
    "flow",
    "glow.forward/Forward.flow",
    0x6EE6910B,
    _ForwardFlowArguments,
    result=_streams.Flow,
    errors=(Refused, WrongKind),
)


class ForwardServer(_core.ResourceServer):
    """Base of every process that serves Forward; a missing method answers NoSuchMethod."""

    proto = "glow.forward.Forward"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _FORWARD_TARGET,
        _FORWARD_CONNECT,
        _FORWARD_FLOW,
    )

    def target(self) -> runtime.Answer[str]:
        """For example tcp://127.0.0.1:8080 or udp://127.0.0.1:53."""
        return runtime.missing(_FORWARD_TARGET)

    def connect(self) -> runtime.Answer[_streams.Sequence | _streams.SequenceServer]:
        """A new connection to a tcp target."""
        return runtime.missing(_FORWARD_CONNECT)

    def flow(self) -> runtime.Answer[_streams.Flow | _streams.FlowServer]:
        """A new socket towards a udp target."""
        return runtime.missing(_FORWARD_FLOW)


SCHEMA: Final = rb"""{"format":1,"library":"glow.forward","doc":"A service of another device, as if it ran on this one.","declarations":[
{"kind":"error","name":"glow.forward.Refused","doc":"The target does not take the connection.","code":773748048,"fields":[{"name":"target","type":{"kind":"String"}},{"name":"reason","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.forward.WrongKind","doc":"The target is of the other kind: tcp has connections, udp has flows.","code":1172454699,"fields":[{"name":"target","type":{"kind":"String"}}]},
{"kind":"proto","name":"glow.forward.Forward","doc":"A way to the one service that its configuration names.","bases":["glow.core.Resource"],"methods":[{"name":"target","path":"glow.forward/Forward.target","selector":1778384002,"result":{"kind":"String"},"idempotent":true,"doc":"For example tcp://127.0.0.1:8080 or udp://127.0.0.1:53."},{"name":"connect","path":"glow.forward/Forward.connect","selector":1665181377,"result":{"kind":"Ref","name":"glow.streams.Sequence"},"throws":["glow.forward.Refused","glow.forward.WrongKind"],"doc":"A new connection to a tcp target."},{"name":"flow","path":"glow.forward/Forward.flow","selector":1860604171,"result":{"kind":"Ref","name":"glow.streams.Flow"},"throws":["glow.forward.Refused","glow.forward.WrongKind"],"doc":"A new socket towards a udp target."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]},
{"kind":"struct","name":"glow.streams.Datagram","fields":[{"name":"data","type":{"kind":"Bytes","bound":65507}}]},
{"kind":"proto","name":"glow.streams.Flow","doc":"Datagrams, like udp's: each whole or not at all, in any order, maybe never.","bases":["glow.core.Resource"],"methods":[{"name":"send","path":"glow.streams/Flow.send","selector":1969133218,"arguments":[{"name":"datagram","type":{"kind":"Ref","name":"glow.streams.Datagram"}}],"notify":true,"doc":"Sends one datagram. It is dropped where there is no room for it."},{"name":"receive","path":"glow.streams/Flow.receive","selector":304136692,"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.streams.Datagram"}]},"doc":"Datagrams that come from the other side. They are dropped when they are not read in time."}]},
{"kind":"proto","name":"glow.streams.Sequence","doc":"An ordered conversation of bytes, like a tcp connection.","bases":["glow.core.Resource"],"methods":[{"name":"exchange","path":"glow.streams/Sequence.exchange","selector":3176170052,"arguments":[{"name":"data","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Stream","of":[{"kind":"Bytes"}]},"doc":"Sends `data` to the other side and streams what comes back; once only. The end of `data` tells the other side that\nno more comes. The end of the result ends the conversation."}]}
]}
"""
Forward.schema = SCHEMA
ForwardServer.schema = SCHEMA
