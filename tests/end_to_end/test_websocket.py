"""Nodes as OS processes that reach each other over WebSocket, with and without TLS, at one port."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.devices import Device

LIMIT = 30.0
"""Seconds after which nodes that do not find each other again count as lost."""


def start(device: Device, *urls: str) -> dict[str, Any]:
    return device.start("node", "--name", "relay", *(word for url in urls for word in ("--listen", url)))


def join(relay: Device, device: Device, name: str) -> None:
    link = relay.json("invite", "--name", name, "--yes")["link"]
    device.start("join", link, "--name", name, "--listen", "tcp://127.0.0.1:0")


def links(device: Device) -> set[tuple[str, str]]:
    """Kind and scheme of every link that is up."""
    found = device.json("status")["links"]
    return {(link["kind"], link["url"].partition(":")[0]) for link in found if link["state"] == "up"}


def answered(device: Device, other: str) -> None:
    """Waits until the other node answers."""
    end = time.monotonic() + LIMIT
    while device.run("ping", other, "-n", "1").returncode:
        assert time.monotonic() < end


def stop(*devices: Device) -> None:
    for device in devices:
        if device.node is not None:
            device.stop()


def test_one_joins_over_ws_and_one_over_wss_with_a_pinned_key(tmp_path: Path) -> None:
    relay, laptop, nas = (Device(tmp_path / name) for name in ("relay", "laptop", "nas"))
    try:
        [url] = start(relay, "ws://127.0.0.1:0")["listening"]
        join(relay, laptop, "laptop")
        assert links(laptop) == {("websocket", "ws")}
        relay.stop()
        [pinned] = start(relay, url.replace("ws:", "wss:"))["listening"]
        assert pinned.startswith(url.replace("ws:", "wss:") + "#sha256=")
        join(relay, nas, "nas")
        assert links(nas) == {("websocket", "wss")}
        answered(laptop, "nas")  # it came back to the same port without TLS
        assert links(laptop) == {("websocket", "ws")}
        assert links(relay) == {("websocket", "ws"), ("websocket", "wss")}
        relay.stop(signal.SIGKILL)
        assert relay.start("node")["listening"] == [pinned]  # the same port and key
        answered(nas, "laptop")
    finally:
        stop(laptop, nas, relay)


def test_one_port_takes_everything(tmp_path: Path) -> None:
    relay = Device(tmp_path / "relay")
    try:
        tcp, ws, wss = start(relay, *(f"{scheme}://127.0.0.1:0" for scheme in ("tcp", "ws", "wss")))["listening"]
        assert len({url.partition("#")[0].rpartition(":")[2] for url in (tcp, ws, wss)}) == 1
    finally:
        stop(relay)


def test_health_and_metrics_are_read_where_the_links_come_in(tmp_path: Path) -> None:
    nas = Device(tmp_path / "nas")
    try:
        [url] = start(nas, "tcp://127.0.0.1:0")["listening"]
        page = url.replace("tcp:", "http:")
        with urllib.request.urlopen(f"{page}/healthz", timeout=20) as answer:
            assert answer.read() == b"ok\n"
        request = urllib.request.Request(f"{page}/metrics", headers={"Host": "nas.example"})
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(request, timeout=20)
        refused.value.close()
        nas.stop()
        nas.start("node", "--pages-for", "all")
        nas.stop()
        nas.start("node")  # it remembers
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert b"glow_start_time_seconds" in answer.read()
    finally:
        stop(nas)
