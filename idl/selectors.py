"""The numbers that stand for methods and errors on the wire (docs/concepts/language.md, "Elements"; wire.md, 5)."""

from __future__ import annotations

import hashlib

from idl.model import Element


def number(text: str) -> int:
    """The first 4 bytes of SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def method_path(library: str, proto: str, method: Element) -> str:
    """`library/DeclaringProto.method`, or what `@selector` says the method was called before it was renamed.

    `@selector` takes the whole path, or leaves out what has not changed: `"Proto.method"`, `"method"`.
    """
    for attribute in method.attributes:
        if attribute.name.text == "selector" and attribute.values and isinstance(attribute.values[0].value, str):
            former = attribute.values[0].value
            if "/" in former:
                return former
            return f"{library}/{former}" if "." in former else f"{library}/{proto}.{former}"
    return f"{library}/{proto}.{method.name.text}"
