"""The commands that are the node: they run it in this OS process until it is stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlencode

import trio

from firefly.client import Glow
from firefly.interfaces.core import NodeStatus
from node.cli.failures import INTERRUPTED, OK, UsageError
from node.cli.flags import home_of
from node.cli.output import Output, plain
from node.configuration.kinds import NOWHERE

Begin = Callable[[Glow], Awaitable[None]]
JOIN = "next: `glow join LINK` makes it one of your devices, which it is not yet"
LOGGERS = ("firefly", "glow", "node")


def configure_node(parser: ArgumentParser) -> None:
    """The arguments of every command that can become the node."""
    parser.add_argument("--name", help="what this device is called (default: its host name)")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="URL",
        help="where links may come in: tcp://0.0.0.0:4747, ws:// or wss:// too; may be given again, also for one port; "
        "none: no port is opened",
    )
    parser.add_argument("--certificate", metavar="FILE", help="PEM for wss:// (default: the node makes its own)")
    parser.add_argument("--key", metavar="FILE", help="PEM of the certificate's key, if that is another file")
    parser.add_argument(
        "--pages-for", choices=["local", "all"], help="who may read /healthz and /metrics there (default: local)"
    )
    parser.add_argument(
        "--detach", action="store_true", help="return when the node is ready; it runs in the background"
    )
    parser.add_argument("--ready-descriptor", type=int, help=SUPPRESS)


def run_node(arguments: Namespace, begin: Begin, *, found: bool = True) -> int:
    """Runs the node at the home that is meant, and `begin` when it is up.

    Where there is no identity it makes one: of a first device, or without `found` of one that is to join others.
    Returns when `Node.stop` was called (0), or by SIGTERM (0) or SIGINT (130).
    """
    return trio.run(_run_node, arguments, listening(arguments), begin, found)


async def _run_node(arguments: Namespace, listen: list[str] | None, begin: Begin, found: bool) -> int:
    from node import start
    from node.collector import spread
    from node.configuration.settings import LOG_LEVEL

    stopped_by: list[int] = []
    with log_to_standard_error() as written:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_by_signal, stopped_by, nursery.cancel_scope)
            nursery.start_soon(spread)
            running = start(
                home_of(arguments),
                name=arguments.name,
                listen=listen,
                found=found,
                pages_for=arguments.pages_for,
            )
            async with running as glow:
                glow.configuration.follow(LOG_LEVEL, partial(log_at, written))
                await begin(glow)
                await glow.stopped.wait()
            nursery.cancel_scope.cancel()
    return INTERRUPTED if signal.SIGINT in stopped_by else OK


async def _stop_by_signal(stopped_by: list[int], running: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            stopped_by.append(number)
            running.cancel()


@contextmanager
def log_to_standard_error() -> Iterator[logging.Handler]:
    """Has what is logged in the block written to standard error, with the time; yields what writes it."""
    written = logging.StreamHandler()
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("", *LOGGERS)]
    before = [logger.level for logger in loggers]
    loggers[0].addHandler(written)
    loggers[0].setLevel(logging.INFO)  # which `glow logs` shows in any case
    try:
        yield written
    finally:
        loggers[0].removeHandler(written)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def log_at(written: logging.Handler, level: str) -> None:
    """Sets how much goes to standard error, and so how much Glow's own loggers are to say at least."""
    written.setLevel(level.upper())
    for name in LOGGERS:
        logging.getLogger(name).setLevel(min(written.level, logging.INFO))


def listen_of(urls: list[str] | None) -> list[str] | None:
    """Where to listen: nowhere for `none`, as the last time for None. Raises UsageError."""
    if not urls or NOWHERE not in urls:
        return urls
    if set(urls) != {NOWHERE}:
        raise UsageError(
            f"--listen {NOWHERE} and an address contradict each other", hint=f"glow node --listen {NOWHERE}"
        )
    return []


def listening(arguments: Namespace) -> list[str] | None:
    """The URLs to listen at, in which those of wss name their certificate. Raises UsageError."""
    if not arguments.certificate:
        if arguments.key:
            raise UsageError("--key goes with --certificate", hint="--certificate FILE --key FILE")
        return listen_of(arguments.listen)
    files = {"certificate": arguments.certificate, "key": arguments.key}
    query = urlencode({name: os.path.abspath(file) for name, file in files.items() if file})
    urls = [f"{url}?{query}" if url.startswith("wss:") and "?" not in url else url for url in arguments.listen or []]
    if urls == (arguments.listen or []):
        raise UsageError("--certificate is for wss://", hint="--listen wss://0.0.0.0:443 --certificate FILE --key FILE")
    return urls


def announce(status: NodeStatus, arguments: Namespace, next_step: str, alone: str = JOIN) -> None:
    """Says once that the node is ready: to the person, as JSON, or to the command that started it.

    What comes next is said too: `alone` if the node is in no namespace yet.
    """
    data = ready_data(status)
    if not any(status.namespace):
        next_step = alone
    if arguments.ready_descriptor is not None:
        with os.fdopen(arguments.ready_descriptor, "w") as ready:
            ready.write(json.dumps(data) + "\n")
        return
    Output(arguments).item(data, f"{ready_text(data)}\n{next_step}")


def ready_data(status: NodeStatus) -> dict[str, Any]:
    fields = ("name", "address", "key", "namespace", "role", "listening", "home", "version")
    data: dict[str, Any] = {field: plain(getattr(status, field), field) for field in fields}
    return {**data, "nodes": len(status.nodes), "os_process": os.getpid()}


def ready_text(data: dict[str, Any]) -> str:
    where = ", ".join(data["listening"]) or "nothing: only this device can begin a link"
    return f"{data['name'] or 'this device'} is ready: {data['address']}, listening on {where}"


def show_words(words: str, out: Output) -> None:
    """The 24 words, to the person alone: never into a log."""
    if not sys.stderr.isatty():
        out.note("a new identity was made; its 24 recovery words were not shown, since nobody is looking")
        out.note("to see them on the first device: glow init, on a terminal or with --json, before glow node")
        return
    listed = words.split()
    rows = ("  ".join(f"{n + 1:2}. {listed[n]:9}" for n in range(row, 24, 6)) for row in range(6))
    out.note("Write these 24 words on paper. They alone can appoint administrators if this device is lost,")
    out.note("and nobody can show them again:\n")
    out.note("\n".join(f"    {row}" for row in rows) + "\n")
