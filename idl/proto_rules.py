"""Rules for protos: bases that exist and make no circle, one meaning for each method name and selector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from idl import scope
from idl.graphs import explore
from idl.loader import Library
from idl.model import Method, Proto, Span
from idl.report import Report
from idl.scope import Declared
from idl.selectors import method_path, number
from idl.values import MAX_CHAIN


@dataclass(frozen=True, eq=False, slots=True)
class _Offered:
    """A method and where it is declared."""

    owner: Declared
    method: Method

    @property
    def name(self) -> str:
        return f"{self.owner.declaration.name.text}.{self.method.name.text}"

    @property
    def key(self) -> tuple[str, int]:
        return self.owner.qualified, self.method.span.start

    @property
    def selector(self) -> int:
        return number(method_path(self.owner.library.name, self.owner.declaration.name.text, self.method))


class ProtoRules:
    def __init__(self, library: Library, report: Report) -> None:
        self.library = library
        self.report = report
        self._endless: set[str] = set()

    def _add(self, code: str, span: Span, **details: object) -> None:
        self.report.add(code, self.library.source, span, **details)

    def check(self, proto: Proto) -> None:
        """Bases and methods of a proto of this library."""
        bases = self._bases(proto)
        if Declared(self.library, proto).qualified in self._endless:
            return
        self.joined(bases, proto.name.span)
        inherited = [offered for base in bases for offered in _all_methods(base)]
        own = [_Offered(Declared(self.library, proto), method) for method in proto.methods]
        names = {offered.method.name.text: offered for offered in reversed(inherited)}
        selectors = {offered.selector: offered for offered in reversed(inherited)}
        for offered in own:
            self._one(offered, names, selectors)

    def _one(self, offered: _Offered, names: dict[str, _Offered], selectors: dict[int, _Offered]) -> None:
        span, name = offered.method.name.span, offered.method.name.text
        other, same = names.setdefault(name, offered), selectors.setdefault(offered.selector, offered)
        if other is not offered:
            self._add("duplicate-method", span, name=name, owner=other.owner.declaration.name.text)
        elif same is not offered:
            self._add("selector-collision", span, name=name, other=same.name)

    def _bases(self, proto: Proto) -> list[Declared]:
        found: list[Declared] = []
        for name in proto.bases:
            base = scope.find(self.library, name.text)
            if base is None:
                if name.text not in self.library.file.lost:
                    protos = [key for key, value in self.library.declarations.items() if isinstance(value, Proto)]
                    self._add("unknown-name", name.span, name=name.text, hint=scope.suggest(name.text, protos))
            elif not (isinstance(base, Declared) and isinstance(base.declaration, Proto)):
                kind = "a built-in type" if base == "builtin" else "no proto"
                self._add("wrong-kind", name.span, name=name.text, kind=kind, wanted="a proto", hint="name a proto")
            elif any(base.qualified == other.qualified for other in found):
                self._add("duplicate-base", name.span, name=name.text)
            else:
                found.append(base)
        return found

    def joined(self, protos: Sequence[Declared], span: Span) -> bool:
        """Whether several protos can be one thing: none has another's method name or selector for something else."""
        names: dict[str, _Offered] = {}
        selectors: dict[int, _Offered] = {}
        right = True
        for proto in protos:
            for offered in _all_methods(proto):
                other = names.setdefault(offered.method.name.text, offered)
                same = selectors.setdefault(offered.selector, offered)
                if other.key != offered.key and not _together(other, offered, protos):
                    owner = other.owner.declaration.name.text
                    self._add("duplicate-method", span, name=offered.name, owner=owner)
                    right = False
                elif same.key != offered.key and not _together(same, offered, protos):
                    self._add("selector-collision", span, name=offered.name, other=same.name)
                    right = False
        return right

    def circles(self) -> None:
        """Reports protos that are their own base, or have too many bases of bases; to be called before `check`."""
        known = {
            Declared(self.library, declaration).qualified: Declared(self.library, declaration)
            for declaration in self.library.file.declarations
            if isinstance(declaration, Proto)
        }

        def bases(name: str) -> Iterable[str]:
            for base in _bases_of(known[name]):
                known[base.qualified] = base
                yield base.qualified

        own = list(known)
        circles, depths = explore(own, bases)
        self._endless = {name for circle in circles for name in circle} | {
            name for name, depth in depths.items() if depth >= MAX_CHAIN
        }
        wrong = [circle[0] for circle in circles] + [name for name in own if depths[name] == MAX_CHAIN]
        for name in dict.fromkeys(wrong):
            self._add("base-cycle", known[name].declaration.name.span, name=known[name].declaration.name.text)


def _together(first: _Offered, second: _Offered, protos: Sequence[Declared]) -> bool:
    """Whether one of the protos has both already: then it has been said there."""
    return any({first.key, second.key} <= {offered.key for offered in _all_methods(proto)} for proto in protos)


def _bases_of(declared: Declared) -> Iterable[Declared]:
    assert isinstance(declared.declaration, Proto)
    for name in declared.declaration.bases:
        base = scope.find(declared.library, name.text)
        if isinstance(base, Declared) and isinstance(base.declaration, Proto):
            yield base


def _all_methods(declared: Declared) -> list[_Offered]:
    """The methods of a proto and all its bases, each once."""
    found: dict[str, Declared] = {declared.qualified: declared}
    waiting = [declared]
    while waiting:
        for base in _bases_of(waiting.pop()):
            if base.qualified not in found:
                found[base.qualified] = base
                waiting.append(base)
    return [
        _Offered(owner, method)
        for owner in found.values()
        if isinstance(owner.declaration, Proto)
        for method in owner.declaration.methods
    ]
