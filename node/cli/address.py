"""How a person names things: NODE, NODE/RESOURCE, NODE[/RESOURCE]:PATH, glow://NODE/RESOURCE/PATH.

A node is named by its label, by `self`, or by at least 4 digits of its address. Anything that begins with `/`, `./`,
`../` or `~`, or has no colon, is a path of this device where both are possible.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from node.cli.failures import UsageError

SCHEME = "glow://"
SELF = "self"
DEFAULT_RESOURCE = "files"
MAX_LENGTH = 8192
_NODE = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_RESOURCE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"({_NODE})(?:/({_RESOURCE}))?")
_LOCAL = ("/", "./", "../", "~")
_FORMS = "NODE, NODE/RESOURCE, NODE:PATH or NODE/RESOURCE:PATH, for example nas:photos/2024"


@dataclass(frozen=True)
class Address:
    """A node, a resource of it, or a path in one. `path` has no slash at its ends; "" is the root."""

    node: str
    resource: str | None = None
    path: str | None = None
    into: bool = False
    """The path was written with a slash at its end: a folder is meant."""

    @property
    def name(self) -> str:
        """What the node resolves: `nas` or `nas/files`; a path belongs to the default resource if none is named."""
        resource = self.resource or (DEFAULT_RESOURCE if self.path is not None else None)
        return f"{self.node}/{resource}" if resource else self.node

    def __str__(self) -> str:
        name = f"{self.node}/{self.resource}" if self.resource else self.node
        return name if self.path is None else f"{name}:{self.path}"

    def child(self, name: str) -> Address:
        """The address of an entry of this folder."""
        return Address(self.node, self.resource, join(self.path or "", name))


def join(folder: str, name: str) -> str:
    """The path of an entry of a folder."""
    return f"{folder}/{name}" if folder else name


def parse(text: str) -> Address:
    """The address that a person wrote. Raises UsageError."""
    if len(text) > MAX_LENGTH:
        raise UsageError("this address is too long", hint=_FORMS)
    if text.startswith(SCHEME):
        return _parse_url(text)
    name, colon, path = text.partition(":")
    match = _NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"{text!r} is no address", hint=_FORMS)
    node, resource = match.groups()
    return Address(node, resource, _path(path), path.endswith("/")) if colon else Address(node, resource)


def parse_resource(text: str, what: str, example: str) -> Address:
    """The address of a resource: NODE/RESOURCE. Raises UsageError, in which it is no `what`."""
    address = parse(text)
    if address.resource is None or address.path is not None:
        raise UsageError(f"{text!r} is no {what}", hint=f"NODE/RESOURCE, for example {example}")
    return address


def _parse_url(text: str) -> Address:
    node, _, rest = text.removeprefix(SCHEME).partition("/")
    resource, slash, path = rest.partition("/")
    if _NAME.fullmatch(f"{node}/{resource}" if resource else node) is None:
        raise UsageError(f"{text!r} is no address", hint="glow://NODE/RESOURCE/PATH")
    return Address(node, resource or None, _path(path) if slash else None, path.endswith("/"))


def _path(text: str) -> str:
    """A path as file systems take it: NFC, without a slash at either end; `.` is the root."""
    path = unicodedata.normalize("NFC", text).strip("/")
    return "" if path == "." else path


def parse_remote(text: str) -> Address:
    """An address with a path; `nas` alone and `nas/files` mean the root. Raises UsageError."""
    address = parse(text)
    return address if address.path is not None else Address(address.node, address.resource, "", address.into)


def parse_place(text: str) -> Address | Path:
    """A path of this device, or an address with a path in it: what `glow cp` takes. Raises UsageError."""
    if text.startswith(SCHEME):
        return parse_remote(text)
    name = text.partition(":")[0]
    if text.startswith(_LOCAL) or ":" not in text or _NAME.fullmatch(name) is None:
        return Path(text).expanduser()
    return parse(text)
