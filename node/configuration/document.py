"""The file: one TOML of at most 16 KiB, read strictly, edited so that comments and order stay, replaced as a whole."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from node.configuration.errors import BadConfiguration, UnreadableConfiguration, UnwritableConfiguration
from node.configuration.kinds import Plain
from node.configuration.settings import SETTINGS, Values, find
from node.home import write_private

MAX_FILE = 16_384
"""Bytes: far more than every setting with its comments, and so that the worst TOML is parsed within a second."""
MAX_PROBLEMS = 8
"""That one error tells."""
MAX_SUMMARY = 300
"""Characters that a history shows of one change."""
HEADER = "# What this node is set to; `glow config explain` lists all settings.\n"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_FIX = "`glow config rollback` goes back to what was before"


def read(path: Path) -> bytes:
    """What the file holds; nothing if there is none. Raises UnreadableConfiguration."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unreadable(path, "it is no file", f"move it away: mv {path} {path}.old")
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), f"chmod 600 {path}; or {_FIX}") from None
    if len(data) > MAX_FILE:
        raise _unreadable(path, f"it has over {MAX_FILE} bytes", _FIX)
    return data


def _unreadable(path: Path, cause: str, hint: str) -> UnreadableConfiguration:
    return UnreadableConfiguration(f"the configuration in {path} cannot be read", cause, hint)


def write(path: Path, data: bytes) -> None:
    """Replaces the file, or what it links to, for its owner alone.

    Raises UnwritableConfiguration; the file is as it was then.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, data)
    except (OSError, RuntimeError) as error:
        raise UnwritableConfiguration(
            f"the configuration in {path} could not be written, and is as it was",
            cause=getattr(error, "strerror", None) or str(error),
            hint=f"see whether the disk is full or read-only: df {path.parent}",
        ) from None


def parse(data: bytes, path: Path) -> Values:
    """The checked values of a file. Raises BadConfiguration, which tells what is wrong with it, up to 8 things."""
    values: Values = {}
    problems: list[BadConfiguration] = []
    for key, raw in _keys(data, path).items():
        try:
            values[key] = find(key).check(raw)
        except BadConfiguration as error:
            problems.append(error)
        if len(problems) == MAX_PROBLEMS:
            break
    if problems:
        cause = "; ".join(problem.message for problem in problems)
        raise _bad(path, cause, f"{problems[0].hint}; {_FIX}")
    return values


def _bad(path: Path, cause: str, hint: str) -> BadConfiguration:
    return BadConfiguration(f"the configuration in {path} cannot be used", cause, hint)


def _keys(data: bytes, path: Path) -> dict[str, Any]:
    """Values of the file, as TOML has them, by dotted key. Raises BadConfiguration if it is no TOML."""
    try:
        return _flat(tomllib.loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise _bad(path, f"it is no UTF-8 text: byte {error.start} is {data[error.start]:#04x}", _FIX) from None
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"it is no TOML: {error}", f"mend it in an editor; {_FIX}") from None


def _flat(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Values by dotted key. A table in the place of a setting counts as one; so does an empty one of no setting."""
    found: dict[str, Any] = {}
    for part, value in table.items():
        key = above + (part if _BARE.fullmatch(part) else json.dumps(part))
        if isinstance(value, dict) and key not in SETTINGS and (value or _has_settings(key)):
            found |= _flat(value, f"{key}.")
        else:
            found[key] = value
    return found


def _has_settings(table: str) -> bool:
    return any(key.startswith(f"{table}.") for key in SETTINGS)


def edit(data: bytes, key: str, value: Plain | None, path: Path) -> bytes:
    """The same file with another value, or without the key. Raises BadConfiguration if it is no TOML."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before = _keys(data, path)
    after = {name: raw for name, raw in before.items() if name != key} | ({} if value is None else {key: value})
    if after == before:
        return data
    try:
        document = tomlkit.parse(data or HEADER)
        _place(document, key.split("."), value)
        edited = tomlkit.dumps(document).encode()
    except (TOMLKitError, TypeError, AttributeError, RecursionError) as error:
        raise _not_editable(path, key, str(error)) from None
    if _keys(edited, path) != after:
        raise _not_editable(path, key, "the change would touch more than that key")
    return edited


def _not_editable(path: Path, key: str, cause: str) -> BadConfiguration:
    return _bad(path, f"{key} cannot be changed where it stands: {cause}", "change it in an editor")


def _place(table: Any, parts: list[str], value: Plain | None) -> None:
    """Sets, or removes, a key in tables that are made as needed."""
    import tomlkit

    for part in parts[:-1]:
        if part not in table:
            table[part] = tomlkit.table()
        table = table[part]
    if value is None:
        del table[parts[-1]]
    else:
        table[parts[-1]] = value


def difference(before: bytes, after: bytes, path: Path) -> str:
    """What a change did, in a line."""
    try:
        new = _keys(after, path)
        parse(after, path)
    except BadConfiguration as error:
        return _cut(f"cannot be used: {error.cause}")
    try:
        old = _keys(before, path)
    except BadConfiguration:
        old = {}
    changes = [f"{key} = {_shown(raw)}" for key, raw in new.items() if key not in old or old[key] != raw]
    changes += [f"{key} unset" for key in old if key not in new]
    return _cut(", ".join(changes) or "the same values")


def _shown(raw: object) -> str:
    return json.dumps(raw, ensure_ascii=False, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SUMMARY else f"{text[: MAX_SUMMARY - 1]}…"
