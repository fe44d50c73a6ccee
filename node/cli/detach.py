"""`--detach`: the node as an OS process of its own, in the background; returns when it is ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from node.cli.failures import FAILED, OK
from node.cli.flags import home_of
from node.cli.output import Output
from node.cli.running import ready_text

LOG = "node.log"
SHOWN = 4096
"""Bytes of the log that are shown when the node did not come up."""


def detach(arguments: Namespace, words: list[str], told: str = "") -> int:
    """Runs `glow` with `words` in the background; `told` goes to its standard input, for secrets.

    The exit code is 0 once the node is ready, else the one with which it ended.
    """
    home = home_of(arguments)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = home / LOG
    reading, writing = os.pipe()
    with os.fdopen(reading) as ready, open(log, "ab") as output:
        begin = output.tell()
        try:
            process = _start(arguments, [*words, "--ready-descriptor", str(writing)], writing, output.fileno())
        finally:
            os.close(writing)
        try:
            assert process.stdin is not None
            with process.stdin as stdin:
                stdin.write(told)
            line = ready.readline()
        except BaseException:
            process.terminate()
            raise
    if not line:
        sys.stderr.write(_tail(log, begin))
        return process.wait() or FAILED
    data = json.loads(line)
    Output(arguments).show(data, lambda: f"{ready_text(data)}\nIt runs in the background; its log is {log}")
    return OK


def _start(arguments: Namespace, words: list[str], descriptor: int, output: int) -> subprocess.Popen[str]:
    flags = ["--home", str(home_of(arguments))] + (["--debug"] if arguments.debug else [])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "node.cli.main", *flags, *words],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=[descriptor],
        start_new_session=True,
        text=True,
    )


def _tail(log: Path, begin: int) -> str:
    """What the node said before it ended."""
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begin, size - SHOWN))
        return file.read().decode(errors="replace")


def node_words(arguments: Namespace) -> list[str]:
    """The flags of `configure_node`, as they are passed on."""
    words = ["--name", arguments.name] if arguments.name else []
    for url in arguments.listen or []:
        words += ["--listen", url]
    for name in ("certificate", "key", "pages_for"):
        if value := getattr(arguments, name):
            words += [f"--{name.replace('_', '-')}", value]
    return words
