"""The checks of `glow doctor`: of this device, and of what its node says. Each tells how it is and what helps."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from firefly.home import socket_path
from firefly.interfaces.core import NodeStatus, NodeSummary, Role
from node.cli.explanations import Finding, LinkState
from node.cli.output import counted, duration_text, local_time, size_text
from node.cli.survey import Survey

OK, WARN, FAIL = "ok", "warn", "fail"
PYTHON = 3, 11
LITTLE_SPACE, NO_SPACE = 10**9, 10**8
"""Bytes free at the home below which it is a warning, and a failure."""
CLOCK_TOLERANCE = 300.0
"""Seconds by which the clocks of two devices may differ (docs/concepts/security.md, Authority)."""
RELEASED = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time."""
WARN_BEFORE = {Role.ADMIN: 60 * 86400.0}
WARN_BEFORE_OTHERS = 7 * 86400.0
"""Seconds before its end that a certificate is worth a warning. Members' are renewed 10 days before."""
NOT_FOR_USERS = {"dev", "bench"}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Check:
    """One line: `level` is ok, warn or fail."""

    level: str
    what: str
    hint: str = ""


Checks = Iterator[Check]

# --- this device


def python(_: Path) -> Checks:
    known = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < PYTHON:
        yield Check(FAIL, known, "Glow needs Python 3.11 or newer")
    else:
        yield Check(OK, known)


def parts(_: Path) -> Checks:
    """The distributions that Glow's own metadata names."""
    missing: list[str] = []
    for name, extra in requirements():
        if _installed(name) or extra in NOT_FOR_USERS:
            continue
        if extra:
            yield Check(OK, f"{name} is not installed; only {extra} needs it", f"pip install 'glow[{extra}]'")
        else:
            missing.append(name)
    if missing:
        yield Check(
            FAIL, f"parts that Glow needs are missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    else:
        yield Check(OK, "everything that Glow needs is installed")


def requirements() -> list[tuple[str, str]]:
    """(distribution, extra that wants it or "") of each requirement. One for other systems only is left out."""
    try:
        required = requires("glow") or []
    except PackageNotFoundError:  # it runs from a folder and is not installed
        return []
    found = []
    for requirement in required:
        match = _REQUIREMENT.match(requirement)
        marker = (match and match[2]) or ""
        extra = _EXTRA.search(marker)
        if match and (extra or not marker):
            found.append((match[1], extra[1] if extra else ""))
    return found


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def home(path: Path) -> Checks:
    """The folder of keys and state is its owner's alone."""
    if not path.exists():
        yield Check(
            WARN, f"no node has been here yet: there is no {path}", "glow node, or on a second device: glow join LINK"
        )
        return
    for part, mode in ((path, 0o700), (path / "node.key", 0o600)):
        try:
            state = part.stat()
        except FileNotFoundError:
            yield Check(WARN, f"this device has no key yet: there is no {part}", "glow node, or glow join LINK")
            continue
        if state.st_uid != os.getuid():
            yield Check(FAIL, f"{part} belongs to another user", f"sudo chown -R {os.getuid()} {path}")
        elif state.st_mode & 0o077:
            shown = f"{stat.S_IMODE(state.st_mode):04o}"
            yield Check(FAIL, f"other users of this device may open {part} (mode {shown})", f"chmod {mode:o} {part}")
        else:
            yield Check(OK, f"{part} is yours alone")


def space(path: Path) -> Checks:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    level = FAIL if free < NO_SPACE else WARN if free < LITTLE_SPACE else OK
    hint = "" if level == OK else "free some space, or move the home: --home DIR"
    yield Check(level, f"{size_text(free)} free at {there}", hint)


def clock(path: Path, now: Callable[[], float] = time.time) -> Checks:
    """A clock that stands before what was written here already is wrong."""
    shown = datetime.fromtimestamp(now(), UTC)
    hint = "set the clock: certificates are judged by it"
    if shown < RELEASED:
        yield Check(FAIL, f"the clock shows {local_time(shown)}, before this version was made", hint)
        return
    files = [path / name for name in ("state.sqlite", "node.key", "lock") if (path / name).exists()]
    newest = max((file.stat().st_mtime for file in files), default=0.0)
    if newest > now() + CLOCK_TOLERANCE:
        behind = duration_text(newest - now())
        yield Check(FAIL, f"the clock shows {local_time(shown)}, {behind} before the node last wrote its state", hint)
    else:
        yield Check(OK, f"the clock shows {local_time(shown)}")


def local_checks(path: Path) -> list[Check]:
    return [check for checks in (python, parts, home, space, clock) for check in checks(path)]


def socket_check(path: Path, answers: bool) -> Check:
    """Of the control socket, when no node answers at it or one does."""
    socket = socket_path(path)
    if answers:
        return Check(OK, f"a node answers at {socket}")
    if socket.exists():
        return Check(WARN, f"a node that was killed left {socket} behind", "glow node removes it and starts")
    return Check(WARN, "no node runs on this device", "glow node, or glow node --detach")


# --- the node


def node_checks(seen: Survey, own_version: str, now: datetime) -> list[Check]:
    """All that can be seen of a node that answers."""
    status = seen.status
    checks = [*versions(status, own_version), *certificates(status, now), *connections(seen), *counters(status)]
    return checks + [of_finding(finding) for finding in seen.findings() if not finding.well]


def versions(status: NodeStatus, own: str) -> Checks:
    if status.version == own:
        yield Check(OK, f"the node runs version {own}, as this command does")
    else:
        what = f"the node runs version {status.version}, this command is {own}"
        yield Check(WARN, what, "restart the node: glow call self.stop, then glow node --detach")


def certificates(status: NodeStatus, now: datetime) -> Checks:
    """Those that end soon; what has ended is among the findings."""
    soon = [node for node in status.nodes if node.expires is not None and ends_soon(node, now)]
    for node in soon:
        hint = "an administrator's node that is on renews it: glow ls shows who is on"
        if node.role == Role.ADMIN:
            hint = "with the 24 words of your user key it can be made anew; keep another administrator until then"
        ends = local_time(node.expires or now)
        yield Check(WARN, f"the certificate of {node.name or 'a node'} ends on {ends}", hint)
    if status.nodes and not soon:
        yield Check(OK, "no certificate ends soon")


def ends_soon(node: NodeSummary, now: datetime) -> bool:
    left = WARN_BEFORE.get(node.role, WARN_BEFORE_OTHERS)
    return node.expires is not None and (node.expires - now).total_seconds() < left


def connections(seen: Survey) -> Checks:
    """How many are well; what is not is among the findings."""
    status = seen.status
    up = sum(link.state == LinkState.UP.value for link in status.links)
    others = [node for node in status.nodes if node.address != status.address]
    reached = sum(node.reachable for node in others)
    if others and not up:
        yield Check(WARN, "no link is up, so no other node can be reached", "glow why says what the links wait for")
    else:
        yield Check(OK, f"{counted(up, 'link')} up, {reached} of {counted(len(others), 'other node')} reached")


UNUSUAL = {
    "clones": (
        FAIL,
        "another device runs with a copy of this node's key",
        "stop one of the two, and join it anew with a home of its own",
    ),
    "statements_unwritten": (FAIL, "statements could not be written to disk", "glow logs --level error says why"),
    "link_defects": (FAIL, "links ended by a defect of this node", "glow logs --level error; please report it"),
    "attachment_defects": (FAIL, "programs were cut off by a defect", "glow logs --level error; please report it"),
    "bad_handshakes": (
        WARN,
        "somebody dialled and did not finish a handshake",
        "a stranger, or a link with a wrong key",
    ),
    "half_open_dropped": (WARN, "half-open handshakes had to make room", "somebody may be flooding this node"),
    "link_errors": (WARN, "links ended because the neighbour broke the rules", "compare versions: glow status NODE"),
    "message_errors": (WARN, "a peer broke the rules of the wire", "compare versions: glow status NODE"),
    "attachment_errors": (WARN, "a program broke the rules of the wire", "glow logs --level warning"),
    "attachments_stalled": (WARN, "programs left unread what waited for them, and were detached", "glow ps"),
    "accept_errors": (WARN, "the system gave no connection", "too many open files? ulimit -n"),
    "foreign_users": (WARN, "another user of this device tried the control socket", "chmod 700 the home"),
    "notifications_lost": (WARN, "notifications to a node that cannot be reached were lost", "glow why"),
}
"""By counter: how bad it is that it is not 0, what it means, what helps."""


def counters(status: NodeStatus) -> Checks:
    found = [name for name in UNUSUAL if status.counters.get(name)]
    for name in found:
        level, what, hint = UNUSUAL[name]
        yield Check(level, f"{what}: {name} is {status.counters[name]}", hint)
    if not found:
        yield Check(OK, "the node has counted nothing unusual")


_FAILURES = {("process", "failed"), ("node", "lapsed")}


def of_finding(finding: Finding) -> Check:
    level = FAIL if (finding.kind, finding.state) in _FAILURES else WARN
    return Check(level, f"{finding.kind} {finding.thing}: {finding.why}", finding.hint)
