# Made from executor.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""Runs WebAssembly: programs and reactors of WASI preview 1, within limits, with nothing that they were not given."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import errors, runtime, scalars, variants
from firefly.interfaces import core as _core


Digest: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
"""SHA-256 of a module as it was uploaded."""

Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=65536)]

FunctionName: TypeAlias = Annotated[str, msgspec.Meta(max_length=1024)]


class Limits(msgspec.Struct, array_like=True, frozen=True):
    """What a job may use at most; what is null, or not given, is as the executor is configured, which nothing can exceed."""

    wall: float | None = None
    fuel: scalars.u64 | None = None
    """About one unit for each instruction."""
    memory: scalars.u64 | None = None
    """Bytes of its linear memory."""
    output: scalars.u64 | None = None
    """Bytes that it writes to standard output and standard error together."""


class Folder(msgspec.Struct, array_like=True, frozen=True):
    """A file system of the executor's node as the program sees it."""

    label: _core.Label
    """Label of a filesystem process of the same node."""
    guest: Annotated[str, msgspec.Meta(max_length=255)] = ""
    """Whole path at which the program finds it; "/" and the label if empty."""
    writable: bool = False
    """Only where the file system is writable itself."""


class Job(msgspec.Struct, array_like=True, frozen=True):
    module: Digest
    name: Annotated[str, msgspec.Meta(max_length=255)] = "program"
    """The program's name for itself, its argument 0."""
    arguments: Annotated[list[Text], msgspec.Meta(max_length=1024)] = []
    environment: dict[str, str] = {}
    folders: Annotated[list[Folder], msgspec.Meta(max_length=16)] = []
    limits: Limits | None = None


class Usage(msgspec.Struct, array_like=True, frozen=True):
    fuel: scalars.u64
    wall: float
    memory: scalars.u64
    """Bytes of its linear memory at the end."""


class Output(variants.OpenUnion):
    pass


@variants.variant(1)
class OutputStdout(Output):
    value: bytes


@variants.variant(2)
class OutputStderr(Output):
    value: bytes


@variants.variant(3, inline=True)
class OutputExit(Output):
    """The last word."""

    code: scalars.i32
    usage: Usage


@variants.unknown
class OutputUnknown(Output):
    """A variant of Output that this version does not know."""

    ordinal: int
    body: object


class Number(variants.OpenUnion):
    pass


@variants.variant(1)
class NumberInteger(Number):
    value: scalars.i64


@variants.variant(2)
class NumberFloat(Number):
    value: float


@variants.unknown
class NumberUnknown(Number):
    """A variant of Number that this version does not know."""

    ordinal: int
    body: object


class Answer(msgspec.Struct, array_like=True, frozen=True):
    values: list[Number]
    output: bytes
    """What the function wrote to standard output."""
    errors: bytes
    """What it wrote to standard error."""
    code: scalars.i32
    """Not 0 if it ended the program."""
    usage: Usage


class _NotWasmBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str


class NotWasm(errors.DeclaredError):
    code = 0x7FE721CB
    name = "glow.executor.NotWasm"
    Body = _NotWasmBody

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _UnknownImportBody(msgspec.Struct, array_like=True, frozen=True):
    module: str
    name_: str


class UnknownImport(errors.DeclaredError):
    """The module needs something that is not part of WASI preview 1."""

    code = 0x1DA986B6
    name = "glow.executor.UnknownImport"
    Body = _UnknownImportBody

    module: str
    name_: str

    def __init__(self, module: str, name_: str) -> None:
        super().__init__(module, name_)
        self.module = module
        self.name_ = name_


class _NoSuchModuleBody(msgspec.Struct, array_like=True, frozen=True):
    module: Digest


class NoSuchModule(errors.DeclaredError):
    code = 0xC9012891
    name = "glow.executor.NoSuchModule"
    Body = _NoSuchModuleBody

    module: Digest

    def __init__(self, module: Digest) -> None:
        super().__init__(module)
        self.module = module


class _NoSuchFunctionBody(msgspec.Struct, array_like=True, frozen=True):
    name_: str
    known: list[str]


class NoSuchFunction(errors.DeclaredError):
    code = 0x0B2A0BAD
    name = "glow.executor.NoSuchFunction"
    Body = _NoSuchFunctionBody

    name_: str
    known: list[str]

    def __init__(self, name_: str, known: list[str]) -> None:
        super().__init__(name_, known)
        self.name_ = name_
        self.known = known


class _NoSuchFolderBody(msgspec.Struct, array_like=True, frozen=True):
    label: str
    known: list[str]


class NoSuchFolder(errors.DeclaredError):
    code = 0xCE3E3F30
    name = "glow.executor.NoSuchFolder"
    Body = _NoSuchFolderBody

    label: str
    known: list[str]

    def __init__(self, label: str, known: list[str]) -> None:
        super().__init__(label, known)
        self.label = label
        self.known = known


class _LimitReachedBody(msgspec.Struct, array_like=True, frozen=True):
    limit: str
    detail: str


class LimitReached(errors.DeclaredError):
    """`limit` is wall, fuel, memory, output or compile; `detail` says how much was allowed."""

    code = 0x240FAC27
    name = "glow.executor.LimitReached"
    Body = _LimitReachedBody

    limit: str
    detail: str

    def __init__(self, limit: str, detail: str) -> None:
        super().__init__(limit, detail)
        self.limit = limit
        self.detail = detail


class _TrapBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str
    backtrace: list[str]
    memory: scalars.u64
    allowed: scalars.u64


class Trap(errors.DeclaredError):
    """The program did what no program may; `backtrace` begins with the innermost function. `memory` is what it had of what
    it was allowed, in bytes: a program that cannot grow any more often ends so.
    """

    code = 0x3BEBC445
    name = "glow.executor.Trap"
    Body = _TrapBody

    reason: str
    backtrace: list[str]
    memory: int
    allowed: int

    def __init__(self, reason: str, backtrace: list[str], memory: int, allowed: int) -> None:
        super().__init__(reason, backtrace, memory, allowed)
        self.reason = reason
        self.backtrace = backtrace
        self.memory = memory
        self.allowed = allowed


class _CrashedBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str


class Crashed(errors.DeclaredError):
    """The worker ended under the job."""

    code = 0xF2B3BD66
    name = "glow.executor.Crashed"
    Body = _CrashedBody

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _NoSpaceBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str


class NoSpace(errors.DeclaredError):
    code = 0x2374D789
    name = "glow.executor.NoSpace"
    Body = _NoSpaceBody

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Executor(_core.Resource):
    """Something that answers glow.executor.Executor."""

    proto = "glow.executor.Executor"

    async def has(self, module: Digest) -> bool:
        """Whether a module is here. It may go when others come."""
        return await self._call(_EXECUTOR_HAS, (module,))

    async def upload(self, data: runtime.Source[bytes]) -> Digest:
        """Takes a module, binary or text, of at most 64 MiB, and compiles it."""
        return await self._call(_EXECUTOR_UPLOAD, (), data)

    def run(self, job: Job, stdin: runtime.Source[bytes]) -> runtime.ResultStream[Output]:
        """Runs the module's `_start` until it ends, or the stream of results is closed."""
        return self._stream(_EXECUTOR_RUN, (job,), stdin)

    async def call(self, job: Job, function: FunctionName, arguments: list[Number] = [], input: bytes = b"") -> Answer:
        """Calls one exported function of a fresh instance, after its `_initialize` if it has one. Numbers go in and out as
        the function takes and gives them, bytes by standard input and output.
        """
        return await self._call(_EXECUTOR_CALL, (job, function, arguments, input))


class Mount(msgspec.Struct, array_like=True, frozen=True):
    host: str
    guest: str
    writable: bool


class Order(msgspec.Struct, array_like=True, frozen=True):
    """A job that was checked: with folders of the device and all limits."""

    module: Digest
    arguments: list[str]
    environment: dict[str, str]
    mounts: list[Mount]
    wall: float
    fuel: scalars.u64
    memory: scalars.u64
    output: scalars.u64


class Worker(_core.Resource):
    """What an executor asks of a worker of its own; nobody else can. One job at a time."""

    proto = "glow.executor.Worker"

    async def prepare(self, module: Digest) -> None:
        """Returns when the module is compiled and kept."""
        await self._call(_WORKER_PREPARE, (module,))

    def run(self, order: Order, stdin: runtime.Source[bytes]) -> runtime.ResultStream[Output]:
        return self._stream(_WORKER_RUN, (order,), stdin)

    async def call(self, order: Order, function: FunctionName, arguments: list[Number], input: bytes) -> Answer:
        return await self._call(_WORKER_CALL, (order, function, arguments, input))

    async def settle(self) -> None:
        """Returns when nothing of the last job runs any more."""
        await self._call(_WORKER_SETTLE, ())


class _ExecutorHasArguments(msgspec.Struct, array_like=True, frozen=True):
    module: Digest


_EXECUTOR_HAS = runtime.Method(
    "has",
    "glow.executor/Executor.has",
    0xD8BA51B2,
    _ExecutorHasArguments,
    result=bool,
    idempotent=True,
)


class _ExecutorUploadArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_EXECUTOR_UPLOAD = runtime.Method(
    "upload",
    "glow.executor/Executor.upload",
    0x8B8DA42A,
    _ExecutorUploadArguments,
    result=Digest,
    argument_stream=bytes,
    errors=(NotWasm, UnknownImport, LimitReached, Crashed, NoSpace),
)


class _ExecutorRunArguments(msgspec.Struct, array_like=True, frozen=True):
    job: Job


_EXECUTOR_RUN = runtime.Method(
    "run",
    "glow.executor/Executor.run",
    0x0224D8E0,
    _ExecutorRunArguments,
    result_stream=Output,
    argument_stream=bytes,
    errors=(NoSuchModule, NoSuchFunction, NoSuchFolder, LimitReached, Trap, Crashed, NotWasm, UnknownImport),
)


class _ExecutorCallArguments(msgspec.Struct, array_like=True, frozen=True):
    job: Job
    function: FunctionName
    arguments: Annotated[list[Number], msgspec.Meta(max_length=64)] = []
    input: bytes = b""


_EXECUTOR_CALL = runtime.Method(
    "call",
    "glow.executor/Executor.call",
    0xF23A1883,
    _ExecutorCallArguments,
    result=Answer,
    errors=(NoSuchModule, NoSuchFunction, NoSuchFolder, LimitReached, Trap, Crashed, NotWasm, UnknownImport),
)


class _WorkerPrepareArguments(msgspec.Struct, array_like=True, frozen=True):
    module: Digest


_WORKER_PREPARE = runtime.Method(
    "prepare",
    "glow.executor/Worker.prepare",
    0xFB21B9B7,
    _WorkerPrepareArguments,
    errors=(NoSuchModule, NotWasm, UnknownImport),
)


class _WorkerRunArguments(msgspec.Struct, array_like=True, frozen=True):
    order: Order


_WORKER_RUN = runtime.Method(
    "run",
    "glow.executor/Worker.run",
    0xA0E444BB,
    _WorkerRunArguments,
    result_stream=Output,
    argument_stream=bytes,
    errors=(NoSuchModule, NoSuchFunction, LimitReached, Trap, NotWasm, UnknownImport),
)


class _WorkerCallArguments(msgspec.Struct, array_like=True, frozen=True):
    order: Order
    function: FunctionName
    arguments: list[Number]
    input: bytes


_WORKER_CALL = runtime.Method(
    "call",
    "glow.executor/Worker.call",
    0xD42CF1BC,
    _WorkerCallArguments,
    result=Answer,
    errors=(NoSuchModule, NoSuchFunction, LimitReached, Trap, NotWasm, UnknownImport),
)


class _WorkerSettleArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_WORKER_SETTLE = runtime.Method(
    "settle",
    "glow.executor/Worker.settle",
    0x5CFACB66,
    _WorkerSettleArguments,
)


class ExecutorServer(_core.ResourceServer):
    """Base of every process that serves Executor; a missing method answers NoSuchMethod."""

    proto = "glow.executor.Executor"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _EXECUTOR_HAS,
        _EXECUTOR_UPLOAD,
        _EXECUTOR_RUN,
        _EXECUTOR_CALL,
    )

    def has(self, module: Digest) -> runtime.Answer[bool]:
        """Whether a module is here. It may go when others come."""
        return runtime.missing(_EXECUTOR_HAS)

    def upload(self, data: runtime.ArgumentStream[bytes]) -> runtime.Answer[Digest]:
        """Takes a module, binary or text, of at most 64 MiB, and compiles it."""
        return runtime.missing(_EXECUTOR_UPLOAD)

    def run(self, job: Job, stdin: runtime.ArgumentStream[bytes]) -> runtime.Items[Output]:
        """Runs the module's `_start` until it ends, or the stream of results is closed."""
        return runtime.missing(_EXECUTOR_RUN)

    def call(self, job: Job, function: FunctionName, arguments: list[Number], input: bytes) -> runtime.Answer[Answer]:
        """Calls one exported function of a fresh instance, after its `_initialize` if it has one. Numbers go in and out as
        the function takes and gives them, bytes by standard input and output.
        """
        return runtime.missing(_EXECUTOR_CALL)


class WorkerServer(_core.ResourceServer):
    """Base of every process that serves Worker; a missing method answers NoSuchMethod."""

    proto = "glow.executor.Worker"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _WORKER_PREPARE,
        _WORKER_RUN,
        _WORKER_CALL,
        _WORKER_SETTLE,
    )

    def prepare(self, module: Digest) -> runtime.Answer[None]:
        """Returns when the module is compiled and kept."""
        return runtime.missing(_WORKER_PREPARE)

    def run(self, order: Order, stdin: runtime.ArgumentStream[bytes]) -> runtime.Items[Output]:
        return runtime.missing(_WORKER_RUN)

    def call(
        self,
        order: Order,
        function: FunctionName,
        arguments: list[Number],
        input: bytes,
    ) -> runtime.Answer[Answer]:
        return runtime.missing(_WORKER_CALL)

    def settle(self) -> runtime.Answer[None]:
        """Returns when nothing of the last job runs any more."""
        return runtime.missing(_WORKER_SETTLE)


SCHEMA: Final = rb"""{"format":1,"library":"glow.executor","doc":"Runs WebAssembly: programs and reactors of WASI preview 1, within limits, with nothing that they were not given.","declarations":[
{"kind":"alias","name":"glow.executor.Digest","doc":"SHA-256 of a module as it was uploaded.","type":{"kind":"Bytes","size":32}},
{"kind":"alias","name":"glow.executor.Text","type":{"kind":"String","bound":65536}},
{"kind":"alias","name":"glow.executor.FunctionName","type":{"kind":"String","bound":1024}},
{"kind":"struct","name":"glow.executor.Limits","doc":"What a job may use at most; what is null, or not given, is as the executor is configured, which nothing can exceed.","fields":[{"name":"wall","type":{"kind":"Optional","of":[{"kind":"Duration"}]},"default":[null]},{"name":"fuel","type":{"kind":"Optional","of":[{"kind":"u64"}]},"doc":"About one unit for each instruction.","default":[null]},{"name":"memory","type":{"kind":"Optional","of":[{"kind":"u64"}]},"doc":"Bytes of its linear memory.","default":[null]},{"name":"output","type":{"kind":"Optional","of":[{"kind":"u64"}]},"doc":"Bytes that it writes to standard output and standard error together.","default":[null]}]},
{"kind":"struct","name":"glow.executor.Folder","doc":"A file system of the executor's node as the program sees it.","fields":[{"name":"label","type":{"kind":"Ref","name":"glow.core.Label"},"doc":"Label of a filesystem process of the same node."},{"name":"guest","type":{"kind":"String","bound":255},"doc":"Whole path at which the program finds it; \"/\" and the label if empty.","default":[""]},{"name":"writable","type":{"kind":"bool"},"doc":"Only where the file system is writable itself.","default":[false]}]},
{"kind":"struct","name":"glow.executor.Job","fields":[{"name":"module","type":{"kind":"Ref","name":"glow.executor.Digest"}},{"name":"name","type":{"kind":"String","bound":255},"doc":"The program's name for itself, its argument 0.","default":["program"]},{"name":"arguments","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Text"}],"bound":1024},"default":[[]]},{"name":"environment","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"String"}]},"default":[{}]},{"name":"folders","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Folder"}],"bound":16},"default":[[]]},{"name":"limits","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.executor.Limits"}]},"default":[null]}]},
{"kind":"struct","name":"glow.executor.Usage","fields":[{"name":"fuel","type":{"kind":"u64"}},{"name":"wall","type":{"kind":"Duration"}},{"name":"memory","type":{"kind":"u64"},"doc":"Bytes of its linear memory at the end."}]},
{"kind":"struct","name":"glow.executor.OutputExit","fields":[{"name":"code","type":{"kind":"i32"}},{"name":"usage","type":{"kind":"Ref","name":"glow.executor.Usage"}}],"variant_of":"glow.executor.Output"},
{"kind":"union","name":"glow.executor.Output","variants":[{"name":"stdout","ordinal":1,"type":{"kind":"Bytes"}},{"name":"stderr","ordinal":2,"type":{"kind":"Bytes"}},{"name":"exit","ordinal":3,"type":{"kind":"Ref","name":"glow.executor.OutputExit"},"doc":"The last word."}]},
{"kind":"union","name":"glow.executor.Number","variants":[{"name":"integer","ordinal":1,"type":{"kind":"i64"}},{"name":"float","ordinal":2,"type":{"kind":"f64"}}]},
{"kind":"struct","name":"glow.executor.Answer","fields":[{"name":"values","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Number"}]}},{"name":"output","type":{"kind":"Bytes"},"doc":"What the function wrote to standard output."},{"name":"errors","type":{"kind":"Bytes"},"doc":"What it wrote to standard error."},{"name":"code","type":{"kind":"i32"},"doc":"Not 0 if it ended the program."},{"name":"usage","type":{"kind":"Ref","name":"glow.executor.Usage"}}]},
{"kind":"error","name":"glow.executor.NotWasm","code":2145853899,"fields":[{"name":"reason","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.executor.UnknownImport","doc":"The module needs something that is not part of WASI preview 1.","code":497649334,"fields":[{"name":"module","type":{"kind":"String"}},{"name":"name","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.executor.NoSuchModule","code":3372296337,"fields":[{"name":"module","type":{"kind":"Ref","name":"glow.executor.Digest"}}]},
{"kind":"error","name":"glow.executor.NoSuchFunction","code":187304877,"fields":[{"name":"name","type":{"kind":"String"}},{"name":"known","type":{"kind":"Array","of":[{"kind":"String"}]}}]},
{"kind":"error","name":"glow.executor.NoSuchFolder","code":3460185904,"fields":[{"name":"label","type":{"kind":"String"}},{"name":"known","type":{"kind":"Array","of":[{"kind":"String"}]}}]},
{"kind":"error","name":"glow.executor.LimitReached","doc":"`limit` is wall, fuel, memory, output or compile; `detail` says how much was allowed.","code":605006887,"fields":[{"name":"limit","type":{"kind":"String"}},{"name":"detail","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.executor.Trap","doc":"The program did what no program may; `backtrace` begins with the innermost function. `memory` is what it had of what\nit was allowed, in bytes: a program that cannot grow any more often ends so.","code":1005306949,"fields":[{"name":"reason","type":{"kind":"String"}},{"name":"backtrace","type":{"kind":"Array","of":[{"kind":"String"}]}},{"name":"memory","type":{"kind":"u64"}},{"name":"allowed","type":{"kind":"u64"}}]},
{"kind":"error","name":"glow.executor.Crashed","doc":"The worker ended under the job.","code":4071865702,"fields":[{"name":"reason","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.executor.NoSpace","code":594859913,"fields":[{"name":"reason","type":{"kind":"String"}}]},
{"kind":"proto","name":"glow.executor.Executor","bases":["glow.core.Resource"],"methods":[{"name":"has","path":"glow.executor/Executor.has","selector":3636089266,"arguments":[{"name":"module","type":{"kind":"Ref","name":"glow.executor.Digest"}}],"result":{"kind":"bool"},"idempotent":true,"doc":"Whether a module is here. It may go when others come."},{"name":"upload","path":"glow.executor/Executor.upload","selector":2341315626,"arguments":[{"name":"data","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Ref","name":"glow.executor.Digest"},"throws":["glow.executor.NotWasm","glow.executor.UnknownImport","glow.executor.LimitReached","glow.executor.Crashed","glow.executor.NoSpace"],"doc":"Takes a module, binary or text, of at most 64 MiB, and compiles it."},{"name":"run","path":"glow.executor/Executor.run","selector":35969248,"arguments":[{"name":"job","type":{"kind":"Ref","name":"glow.executor.Job"}},{"name":"stdin","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.executor.Output"}]},"throws":["glow.executor.NoSuchModule","glow.executor.NoSuchFunction","glow.executor.NoSuchFolder","glow.executor.LimitReached","glow.executor.Trap","glow.executor.Crashed","glow.executor.NotWasm","glow.executor.UnknownImport"],"doc":"Runs the module's `_start` until it ends, or the stream of results is closed."},{"name":"call","path":"glow.executor/Executor.call","selector":4063893635,"arguments":[{"name":"job","type":{"kind":"Ref","name":"glow.executor.Job"}},{"name":"function","type":{"kind":"Ref","name":"glow.executor.FunctionName"}},{"name":"arguments","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Number"}],"bound":64},"default":[[]]},{"name":"input","type":{"kind":"Bytes"},"default":[""]}],"result":{"kind":"Ref","name":"glow.executor.Answer"},"throws":["glow.executor.NoSuchModule","glow.executor.NoSuchFunction","glow.executor.NoSuchFolder","glow.executor.LimitReached","glow.executor.Trap","glow.executor.Crashed","glow.executor.NotWasm","glow.executor.UnknownImport"],"doc":"Calls one exported function of a fresh instance, after its `_initialize` if it has one. Numbers go in and out as\nthe function takes and gives them, bytes by standard input and output."}]},
{"kind":"struct","name":"glow.executor.Mount","fields":[{"name":"host","type":{"kind":"String"}},{"name":"guest","type":{"kind":"String"}},{"name":"writable","type":{"kind":"bool"}}]},
{"kind":"struct","name":"glow.executor.Order","doc":"A job that was checked: with folders of the device and all limits.","fields":[{"name":"module","type":{"kind":"Ref","name":"glow.executor.Digest"}},{"name":"arguments","type":{"kind":"Array","of":[{"kind":"String"}]}},{"name":"environment","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"String"}]}},{"name":"mounts","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Mount"}]}},{"name":"wall","type":{"kind":"Duration"}},{"name":"fuel","type":{"kind":"u64"}},{"name":"memory","type":{"kind":"u64"}},{"name":"output","type":{"kind":"u64"}}]},
{"kind":"proto","name":"glow.executor.Worker","doc":"What an executor asks of a worker of its own; nobody else can. One job at a time.","bases":["glow.core.Resource"],"methods":[{"name":"prepare","path":"glow.executor/Worker.prepare","selector":4213291447,"arguments":[{"name":"module","type":{"kind":"Ref","name":"glow.executor.Digest"}}],"throws":["glow.executor.NoSuchModule","glow.executor.NotWasm","glow.executor.UnknownImport"],"doc":"Returns when the module is compiled and kept."},{"name":"run","path":"glow.executor/Worker.run","selector":2699314363,"arguments":[{"name":"order","type":{"kind":"Ref","name":"glow.executor.Order"}},{"name":"stdin","type":{"kind":"Stream","of":[{"kind":"Bytes"}]}}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.executor.Output"}]},"throws":["glow.executor.NoSuchModule","glow.executor.NoSuchFunction","glow.executor.LimitReached","glow.executor.Trap","glow.executor.NotWasm","glow.executor.UnknownImport"]},{"name":"call","path":"glow.executor/Worker.call","selector":3559715260,"arguments":[{"name":"order","type":{"kind":"Ref","name":"glow.executor.Order"}},{"name":"function","type":{"kind":"Ref","name":"glow.executor.FunctionName"}},{"name":"arguments","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.executor.Number"}]}},{"name":"input","type":{"kind":"Bytes"}}],"result":{"kind":"Ref","name":"glow.executor.Answer"},"throws":["glow.executor.NoSuchModule","glow.executor.NoSuchFunction","glow.executor.LimitReached","glow.executor.Trap","glow.executor.NotWasm","glow.executor.UnknownImport"]},{"name":"settle","path":"glow.executor/Worker.settle","selector":1559939942,"doc":"Returns when nothing of the last job runs any more."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"alias","name":"glow.core.Label","doc":"A name that a person gave: `[a-z0-9-]`.","type":{"kind":"String","bound":63}},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Executor.schema = SCHEMA
Worker.schema = SCHEMA
ExecutorServer.schema = SCHEMA
WorkerServer.schema = SCHEMA
