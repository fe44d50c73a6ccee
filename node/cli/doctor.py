"""`glow doctor`: what is wrong on this device and with its node, and what helps; 1 if anything failed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime

import trio

from firefly.client import Glow, NoNode
from firefly.errors import GlowError
from node.cli.checkup import FAIL, OK, Check, local_checks, node_checks, socket_check
from node.cli.client import attached
from node.cli.failures import FAILED, describe, root_cause
from node.cli.failures import OK as WELL
from node.cli.flags import home_of
from node.cli.output import Output
from node.cli.survey import survey
from node.cli.version import own_version

NAME = "doctor"
HELP = "what is wrong on this device, and what helps"
PATIENCE = 10.0
"""Seconds that the node has to answer, if --timeout says nothing else."""


def configure(parser: ArgumentParser) -> None:
    """It has no arguments of its own: it is about this device."""


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    checks = local_checks(home_of(arguments)) + of_node(arguments)
    out.show([asdict(check) for check in checks], lambda: "\n".join(text(check, out) for check in checks))
    return FAILED if any(check.level == FAIL for check in checks) else WELL


def of_node(arguments: Namespace) -> list[Check]:
    """What the node says, or that none answers."""
    home = home_of(arguments)
    arguments.timeout = arguments.timeout or PATIENCE
    found: list[Check] = []

    async def work(glow: Glow) -> int:
        seen = await survey(glow, glow.node, everywhere=True)
        found.extend(node_checks(seen, own_version(), datetime.now(UTC)))
        return WELL

    try:
        attached(arguments, work)
    except BaseException as group:
        error = root_cause(group)
        if isinstance(error, NoNode):
            return [socket_check(home, False)]
        if not isinstance(error, GlowError | trio.TooSlowError | OSError):
            raise
        said = "; ".join(describe(error).splitlines())
        return [Check(FAIL, f"the node on this device does not answer as it should: {said}", hint_of(arguments))]
    return [socket_check(home, True), *found]


def hint_of(arguments: Namespace) -> str:
    return f"its log, if it was detached, is {home_of(arguments) / 'node.log'}; stop it and start it again: glow node"


def text(check: Check, out: Output) -> str:
    level = check.level if check.level == OK else out.bold(check.level)
    line = f"{level}{' ' * (5 - len(check.level))} {check.what}"
    return f"{line}\n      hint: {check.hint}" if check.hint else line
