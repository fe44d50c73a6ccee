"""Which exit code and which words an error gets.

0 ok   1 failed   2 usage   3 no such node or resource   4 denied   5 unreachable or timeout   6 partly done
7 conflict   8 requirement unmet   9 no node running here   130 interrupted
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firefly.errors import (
    DeadlineExceeded,
    DeclaredError,
    Denied,
    GlowError,
    Interrupted,
    NoSuchResource,
    Unreachable,
)

OK, FAILED, USAGE, NO_SUCH, DENIED, UNREACHABLE, PARTLY, CONFLICT, UNMET, NO_NODE, INTERRUPTED = (*range(10), 130)


class UsageError(GlowError):
    """The command line makes no sense."""

    fault = "caller"


class PartlyDone(GlowError):
    """Some of the work is done, some could not be."""


_BY_CLASS: dict[str, int] = {
    "UsageError": USAGE,
    "PartlyDone": PARTLY,
    "BadConfiguration": USAGE,
    "NoNode": NO_NODE,
    NoSuchResource.__name__: NO_SUCH,
    Denied.__name__: DENIED,
    Unreachable.__name__: UNREACHABLE,
    DeadlineExceeded.__name__: UNREACHABLE,
    Interrupted.__name__: UNREACHABLE,
    "TooSlowError": UNREACHABLE,
    "PermissionError": DENIED,
    "FileExistsError": CONFLICT,
    "KeyboardInterrupt": INTERRUPTED,
}
_BY_NAME: dict[str, int] = {
    "glow.core.NoSuchName": NO_SUCH,
    "glow.core.NameTaken": CONFLICT,
    "glow.core.BadConfiguration": USAGE,
    "glow.core.LinkFailed": UNREACHABLE,
    "glow.kv.Conflict": CONFLICT,
    "glow.kv.TooOld": CONFLICT,
    "glow.filesystem.ReadOnly": DENIED,
    "glow.filesystem.Exists": CONFLICT,
    "glow.filesystem.NotEmpty": CONFLICT,
    "glow.executor.NoSuchFolder": NO_SUCH,
    "glow.executor.UnknownImport": UNMET,
}

Words = tuple[str, str, str]
"""error, cause, hint; the last two may be empty."""


def _known(name: str, names: list[str]) -> str:
    if names:
        return f"known here: {', '.join(names)}"
    node, slash, _ = name.partition("/")
    return f"{node} offers nothing yet" if slash else "this node knows no other node yet"


def _path(error: Any) -> str:
    return repr(error.path) if error.path else "the whole file system"


_LIMITS: dict[str, Words] = {
    "wall": ("the program was stopped after {}", "it used all the time that it had", "--wall 5m gives it more"),
    "fuel": ("the program was stopped after {} units of fuel", "that was all it had", "--fuel gives it more"),
    "memory": ("the program has not enough memory", "it may have {}", "--memory 512MB gives it more"),
    "output": ("the program was stopped after it wrote {}", "it may not write more", "--output 1GB lets it"),
    "compile": ("the module was not compiled within {}", "it is too big or too odd", "run a smaller one"),
}


def _limit(error: Any) -> Words:
    if error.limit not in _LIMITS:
        return f"the program reached the limit {error.limit}", error.detail, ""
    what, why, hint = (text.format(error.detail) for text in _LIMITS[error.limit])
    return what, why, hint


def _trap(error: Any) -> Words:
    hint = f"its memory was nearly full with {error.memory:,} bytes: --memory gives it more"
    where = " < ".join(error.backtrace[:5])
    full = error.memory > error.allowed / 2
    return f"the program failed: {error.reason}", where and f"in {where}", hint if full else ""


_WORDS: dict[str, Callable[[Any], Words]] = {
    "glow.core.NoSuchName": lambda e: (f"there is no {e.name_!r}", _known(e.name_, e.known), "glow ls"),
    "glow.core.NameTaken": lambda e: (f"the name {e.name_} is taken", "", "choose another one with --label"),
    "glow.core.BadSpecification": lambda e: (
        "no process can be made of this",
        e.reason,
        e.help or "glow create --help",
    ),
    "glow.core.BadConfiguration": lambda e: (e.what, e.why, e.help),
    "glow.core.LinkFailed": lambda e: (e.what, e.why, e.help),
    "glow.core.InviteRefused": lambda e: (
        "the invite was refused",
        e.reason.removeprefix("the invite was refused: "),
        "ask for a new one: glow invite",
    ),
    "glow.kv.Conflict": lambda e: (
        f"{e.key} was changed meanwhile" if e.revision else f"{e.key} does not exist",
        f"its revision is {e.revision}",
        "read it again, then repeat with the new --expected",
    ),
    "glow.kv.TooOld": lambda e: (
        "changes as old as that are no longer kept",
        f"the oldest is {e.oldest}",
        f"list the keys, then watch with --since {e.oldest}",
    ),
    "glow.executor.NotWasm": lambda e: (
        "this is no WebAssembly module that can run there",
        e.reason,
        "build it for WASI preview 1: rustc --target wasm32-wasip1, clang --target=wasm32-wasi",
    ),
    "glow.executor.UnknownImport": lambda e: (
        f"the module needs {e.module}.{e.name_}",
        "nothing but WASI preview 1 is offered to a module",
        "build it for WASI preview 1: rustc --target wasm32-wasip1, clang --target=wasm32-wasi",
    ),
    "glow.executor.NoSuchModule": lambda e: ("the module went before it ran", "others took its place", "run it again"),
    "glow.executor.NoSuchFunction": lambda e: (
        f"the module has no function {e.name_}",
        f"its functions are: {', '.join(e.known) or 'none'}",
        "glow run --function NAME FILE -- NUMBER…",
    ),
    "glow.executor.NoSuchFolder": lambda e: (
        f"there is no file system {e.label} beside the executor",
        f"there are: {', '.join(e.known) or 'none'}",
        f"glow create filesystem --label {e.label} root=FOLDER",
    ),
    "glow.executor.LimitReached": _limit,
    "glow.executor.Trap": _trap,
    "glow.executor.Crashed": lambda e: (
        "the worker ended under the program",
        e.reason,
        "run it again; `glow ps` shows it",
    ),
    "glow.executor.NoSpace": lambda e: ("the module could not be kept there", e.reason, "make room on that device"),
    "glow.filesystem.NotFound": lambda e: (f"there is no {_path(e)}", "", ""),
    "glow.filesystem.ReadOnly": lambda e: (
        f"{_path(e)} was not changed",
        "its owner shares this folder read-only",
        "use a share made with writable=yes; `glow ls` shows what there is",
    ),
    "glow.filesystem.Exists": lambda e: (f"{_path(e)} exists already", "", "choose another name, or remove it first"),
    "glow.filesystem.NotAFile": lambda e: (f"{_path(e)} is not a file", "", "for folders: glow cp -r"),
    "glow.filesystem.NotAFolder": lambda e: (f"{_path(e)} is not a folder", "", ""),
    "glow.filesystem.NotEmpty": lambda e: (f"the folder {_path(e)} is not empty", "", "glow rm -r"),
    "glow.filesystem.BadPath": lambda e: (f"{_path(e)} is no path that is served", e.reason, ""),
    "glow.filesystem.NoSpace": lambda e: (f"there is no room for {_path(e)}", "the disk of that node is full", ""),
    "glow.filesystem.Mismatch": lambda e: (
        f"{_path(e)} did not arrive as it was sent, so nothing was changed",
        "the source changed while it was read, or a disk is failing",
        "run the command again",
    ),
}


def root_cause(error: BaseException) -> BaseException:
    """The one error that a person should hear of when several tasks failed together."""
    while isinstance(error, BaseExceptionGroup):
        error = max(error.exceptions, key=_weight)
    return error


def _weight(error: BaseException) -> int:
    inner = root_cause(error)
    if isinstance(inner, KeyboardInterrupt | SystemExit):
        return 3
    if isinstance(inner, GlowError | OSError):
        return 1
    return 2 if isinstance(inner, Exception) else 0


def exit_code(error: BaseException) -> int:
    """The exit code for an error of a command."""
    if isinstance(error, DeclaredError):
        return _BY_NAME.get(error.name, FAILED)
    return next((_BY_CLASS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_CLASS), FAILED)


def words(error: BaseException) -> Words:
    """What to say about an error."""
    if isinstance(error, DeclaredError):
        explain = _WORDS.get(error.name)
        return explain(error) if explain else (_declared(error), f"the owner answered {error.name}", "")
    if isinstance(error, GlowError):
        return error.message or type(error).__name__, error.cause, error.hint
    if isinstance(error, OSError):
        name = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{name}", "", ""
    if type(error).__name__ == "TooSlowError":
        return "it took too long", "the limit given by --timeout passed", "give it more time: --timeout 5m"
    return f"something went wrong inside glow: {type(error).__name__}: {error}", "", "run it again with --debug"


def _declared(error: DeclaredError) -> str:
    """An error of an interface that this file knows nothing of: its name and fields."""
    fields = [f"{name} {getattr(error, name)!r}" for name in error.Body.__struct_fields__]
    return f"{error.name.rpartition('.')[2]}: {', '.join(fields)}" if fields else error.name.rpartition(".")[2]


def describe(error: BaseException) -> str:
    """The lines that stderr gets."""
    kinds = zip(("error", "cause", "hint"), words(error), strict=True)
    return "".join(f"{kind}: {text}\n" for kind, text in kinds if text)
