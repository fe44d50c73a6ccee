"""What the elements of a schema are called in Python: the same; what is taken there gets an underscore."""

from __future__ import annotations

import keyword

from idl.compiled import Declaration

BUILTINS = {"int", "float", "bool", "bytes", "str", "list", "dict", "tuple", "type", "object", "super"}
IMPORTED = {
    "annotations", "errors", "runtime", "scalars", "variants", "msgspec", "datetime", "Annotated", "Awaitable",
    "ClassVar", "Final", "TypeAlias", "SCHEMA",
}  # fmt: skip
_ENUM = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "is_integer",
    "mro", "name", "numerator", "real", "to_bytes", "value",
}  # fmt: skip
_ERROR = {
    "Body", "add_note", "args", "body", "cause", "code", "fault", "from_body", "hint", "message", "name",
    "with_traceback",
}  # fmt: skip
_STUB = {"is_stub", "proto", "release", "schema"}
_SERVER = {"blocking", "is_stub", "methods", "proto", "schema", "start", "stop", "thread"}
_ARGUMENT = {"runtime", "self"}


class NameClash(Exception):
    """Two elements would have one name in Python."""


def _free(name: str, taken: set[str]) -> str:
    if name.startswith("__"):
        raise NameClash(f"`{name}` begins with two underscores, which Python keeps for itself: rename it")
    return name + "_" if keyword.iskeyword(name) or name in taken else name


def declaration_name(simple: str) -> str:
    return _free(simple, BUILTINS | IMPORTED)


def field_name(name: str) -> str:
    return _free(name, set())


def error_field_name(name: str) -> str:
    return _free(name, _ERROR)


def member_name(name: str) -> str:
    return _free(name, _ENUM)


def argument_name(name: str) -> str:
    return _free(name, _ARGUMENT)


def stub_method_name(name: str) -> str:
    return _free(name, _STUB | ({name} if name.startswith("_") else set()))


def server_method_name(name: str) -> str:
    return _free(name, _SERVER | ({name} if name.startswith("_") else set()))


def module_name(library: str) -> str:
    """The module of a library: its last part."""
    return _free(library.rpartition(".")[2], set())


class Names:
    """The names at the top of one module, each taken once."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def claim(self, name: str, owner: Declaration | str) -> str:
        """Takes a name. Raises NameClash if another element has it."""
        by = owner if isinstance(owner, str) else owner.name
        if self._owners.setdefault(name, by) != by:
            raise NameClash(f"{by} and {self._owners[name]} are both called `{name}` in Python: rename one of them")
        return name
