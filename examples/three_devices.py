"""The main job, end to end: three nodes as separate OS processes in a line, laptop - relay - nas.

    python examples/three_devices.py [FOLDER]

Every command is printed with what came back; everything that it starts it stops; FOLDER is only read.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from devices import GLOW, HERE, START_TIME, CheckFailed, Checks, Device, digests, show, tracked_files, until


def run(check: Checks, folder: Path, work: Path, laptop: Device, relay: Device, nas: Device) -> None:
    pair(check, laptop, relay, nas)
    inbox = work / "inbox"
    inbox.mkdir()
    furnish(nas, folder, inbox)
    files(check, folder, work, inbox, laptop)
    keys(check, laptop)
    topics(check, laptop, relay)
    service(check, work, laptop, nas)
    guestbook(check, laptop)
    webassembly(check, laptop, nas)
    tally(check, laptop, nas)
    look(check, laptop)
    link(check, laptop, nas)
    settle(check, nas)
    explain(check, laptop, nas)
    survive(check, laptop, nas, inbox)


def pair(check: Checks, laptop: Device, relay: Device, nas: Device) -> None:
    [url] = relay.start("node", "--name", "relay", "--listen", "tcp://127.0.0.1:0")["listening"]
    join(check, nas, relay)
    relay.stop()
    relay.start("node", "--listen", url.replace("tcp:", "ws:"))
    join(check, laptop, relay)
    until(lambda: up(relay) == ["tcp", "websocket"])
    check("at one port of relay, nas is linked by tcp and laptop by WebSocket", True)


def join(check: Checks, device: Device, relay: Device) -> None:
    invite = relay.json("invite", "--name", device.name, "--yes")
    ready = device.start("join", invite["link"], "--name", device.name)
    check(f"{device.name} joined", ready.get("name") == device.name)


def up(device: Device) -> list[str]:
    """The kinds of a device's links."""
    return sorted(link["kind"] for link in device.json("status")["links"] if link["state"] == "up")


def furnish(nas: Device, folder: Path, inbox: Path) -> None:
    nas.glow("create", "filesystem", "--label", "files", f"root={folder}")
    nas.glow("create", "filesystem", "--label", "inbox", f"root={inbox}", "writable=yes")
    nas.glow("create", "kv", "--label", "settings")
    nas.glow("create", "pubsub", "--label", "news")
    program = HERE / "guestbook" / "process.py"
    nas.glow("create", "program", "--label", "guestbook", "--", sys.executable, str(program))


def files(check: Checks, folder: Path, work: Path, inbox: Path, laptop: Device) -> None:
    until(lambda: "files" in laptop.glow("ls", "nas"))
    laptop.glow("ls", "-l", "nas:")
    copy = work / "copy"
    laptop.glow("cp", "-r", "nas:", str(copy))
    original = digests(folder)
    check(f"{len(original)} files came over the relay byte for byte", digests(copy) == original)
    letter = work / "letter.txt"
    letter.write_text("Written on the laptop, kept on the nas.\n" * 1000)
    laptop.glow("cp", str(letter), "nas/inbox:letter.txt")
    check("a file was copied into the writable share", (inbox / "letter.txt").read_bytes() == letter.read_bytes())
    denied = laptop.refused("cp", str(letter), "nas:letter.txt")
    check("the read-only share refused a write", "hint:" in denied)


def keys(check: Checks, laptop: Device) -> None:
    with laptop.running("--jsonl", "kv", "watch", "nas/settings", "--since", "0") as lines:
        laptop.glow("kv", "set", "nas/settings", "theme", "dark")
        check("a key reads back", laptop.glow("kv", "get", "nas/settings", "theme").strip() == "dark")
        laptop.glow("kv", "set", "nas/settings", "font", "mono")
        check("keys are listed", {"theme", "font"} <= set(laptop.glow("kv", "ls", "nas/settings").split()))
        changes = [json.loads(next(lines)) for _ in range(2)]
        show("\n".join(map(json.dumps, changes)))
        check("the watch told of both keys", [change["key"] for change in changes] == ["theme", "font"])


def topics(check: Checks, laptop: Device, relay: Device) -> None:
    until(lambda: "news" in laptop.glow("ls", "nas"))
    laptop.glow("pub", "nas/news", "weather", "rain until four")
    relay.glow("pub", "nas/news", "weather", "sun from five on")
    heard = laptop.glow("sub", "nas/news", "weather", "--backlog", "-n", "2").splitlines()
    check("both messages came in their order", heard == ["rain until four", "sun from five on"])


def service(check: Checks, work: Path, laptop: Device, nas: Device) -> None:
    """A web server that runs beside nas, read on the laptop."""
    page = work / "web" / "index.html"
    page.parent.mkdir()
    page.write_text("<p>Only nas can reach this.</p>")
    serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(page.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            nas.glow("create", "forward", "--label", "web", f"target=tcp://127.0.0.1:{server.server_port}")
            until(lambda: "web" in laptop.glow("ls", "nas"))
            with laptop.running("--json", "forward", "nas/web") as lines:
                address = json.loads(next(lines))["listening"].replace("tcp:", "http:")
                with urllib.request.urlopen(address, timeout=START_TIME) as answer:
                    check("the laptop read nas's web page", answer.read() == page.read_bytes())
        finally:
            server.shutdown()


def guestbook(check: Checks, laptop: Device) -> None:
    until(lambda: "guestbook" in laptop.glow("ls", "nas"))
    laptop.glow("call", "nas/guestbook.sign", "name=laptop", "message=hello from the other side")
    rude = laptop.glow("call", "nas/guestbook.sign", "name=laptop", "message=darn", check=False)
    check("a declared error came back as one", not rude)
    entries = laptop.json("call", "nas/guestbook.entries")
    check("the example process keeps entries", [entry["name"] for entry in entries] == ["laptop"])


def webassembly(check: Checks, laptop: Device, nas: Device) -> None:
    if find_spec("wasmtime") is None:
        print("\nskipped: programs of WebAssembly, since wasmtime is not installed (pip install 'glow[wasm]')")
        return
    nas.glow("create", "executor")
    until(lambda: "executor" in laptop.glow("ls", "nas"))
    written = laptop.glow("run", "--on", "nas", str(HERE / "shout.wat"), stdin="hello from the laptop\n")
    check("a program from the laptop ran on the nas", written == "HELLO FROM THE LAPTOP\n")


def tally(check: Checks, laptop: Device, nas: Device) -> None:
    program = shutil.which("node")
    if program is None:
        print("\nskipped: a process in JavaScript, since there is no Node.js (`node`) here")
        return
    nas.glow("create", "program", "--label", "tally", "--", program, str(HERE / "javascript" / "tally.mjs"))
    until(lambda: "tally" in laptop.glow("ls", "nas"))
    laptop.glow("call", "nas/tally.add", "word=hello", "times=3")
    check("a process in JavaScript counts", laptop.json("call", "nas/tally.words") == [{"word": "hello", "count": 3}])


def link(check: Checks, laptop: Device, nas: Device) -> None:
    """For a while laptop and nas are linked through a command, as they could be through ssh."""
    url = f"pipe:env GLOW_HOME={shlex.quote(str(nas.home))} {shlex.quote(GLOW)} link stdio"
    laptop.glow("link", "add", url)
    until(lambda: [hop["name"] for hop in laptop.json("trace", "nas")] == ["laptop", "nas"])
    laptop.glow("trace", "nas")
    laptop.glow("link", "rm", url)
    until(lambda: [hop["name"] for hop in laptop.json("trace", "nas")] == ["laptop", "relay", "nas"])
    check("laptop was linked with nas through a command, and is linked by relay again", True)


def look(check: Checks, laptop: Device) -> None:
    laptop.glow("status")
    laptop.glow("ls")
    laptop.glow("link", "ls")
    kept = laptop.json("link", "ls")
    check("one link is kept, to relay", [(link["peer"], link["state"]) for link in kept] == [("relay", "up")])
    processes = laptop.json("ps", "nas")
    laptop.glow("ps", "nas")
    labels = {process["label"] for process in processes}
    check("ps shows the processes", {"files", "inbox", "settings", "news", "guestbook"} <= labels)
    laptop.glow("ping", "nas")
    laptop.glow("trace", "nas")
    hops = [hop["name"] for hop in laptop.json("trace", "nas")]
    check("the way to nas leads through relay", hops == ["laptop", "relay", "nas"])


def settle(check: Checks, nas: Device) -> None:
    nas.glow("config", "set", "invite.lifetime", "2h")
    nas.glow("config", "set", "log.level", "loud", check=False)
    check("a setting applies at once", nas.glow("config", "get", "invite.lifetime").strip() == "2h")
    nas.glow("config", "rollback")
    nas.glow("config", "history")
    changes = [entry["what"] for entry in nas.json("config", "history")]
    check("the history knows both changes", len(changes) == 2 and "2h" in changes[-1])
    check("it was taken back", nas.json("config", "get")["invite.lifetime"] == "1d")


def explain(check: Checks, laptop: Device, nas: Device) -> None:
    laptop.glow("why", "nas/settings")
    why = laptop.json("why", "nas")[0]
    check("why says how nas is reached", why["state"] == "relayed" and "via relay" in why["why"])
    nas.glow("logs", "--process", "guestbook")
    said = {record["process"] for record in nas.json("logs")}
    check("the log tells of the processes", {"files", "inbox", "settings", "guestbook"} <= said)
    checks = laptop.json("doctor")
    check("the doctor finds no failure", not [check for check in checks if check["level"] == "fail"])


def survive(check: Checks, laptop: Device, nas: Device, inbox: Path) -> None:
    before = kept(laptop)
    print("\nnas$ kill -9 (its node)")
    nas.stop(signal.SIGKILL)
    nas.start("node")
    until(lambda: "guestbook" in laptop.glow("ls", "nas", check=False))
    after = kept(laptop)
    check("after kill -9 and a restart the processes are the same", before == after)
    check("the key is still there", laptop.glow("kv", "get", "nas/settings", "theme").strip() == "dark")
    back = inbox.parent / "letter-back.txt"
    laptop.glow("cp", "nas/inbox:letter.txt", str(back))
    check("the copied file is still there", back.read_bytes() == (inbox / "letter.txt").read_bytes())
    entries = laptop.json("call", "nas/guestbook.entries")
    check("the guestbook is still signed", len(entries) == 1)


def kept(laptop: Device) -> dict[str, str]:
    """The ids of the nas's processes, without the workers that belong to one of them."""
    shown = laptop.json("ps", "nas")
    return {process["label"]: process["id"] for process in shown if not process["label"].startswith("executor-")}


@contextlib.contextmanager
def devices(work: Path) -> Iterator[tuple[Device, Device, Device]]:
    laptop, relay, nas = (Device(name, work / "homes") for name in ("laptop", "relay", "nas"))
    try:
        yield laptop, relay, nas
    finally:
        for device in (laptop, nas, relay):
            device.stop()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also as `make demo &`: its commands end by Ctrl-C
    check = Checks()
    with tempfile.TemporaryDirectory(prefix="glow-demo-") as name:
        work = Path(name)
        given = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else ""
        folder = Path(given).expanduser().resolve() if given else tracked_files(work / "repository")
        if not folder.is_dir():
            print(f"demo: {folder} is no folder", file=sys.stderr)
            return 2
        try:
            with devices(work) as (laptop, relay, nas):
                run(check, folder, work, laptop, relay, nas)
        except CheckFailed as error:
            print(f"\ndemo: FAILED: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"\ndemo: {check.passed} checks passed")
    return 0


if __name__ == "__main__":
    os.environ.pop("GLOW_HOME", None)
    # The three are a line, and stay one: they are not to find each other on this machine, or on its network.
    os.environ.update(GLOW_DISCOVERY="off", GLOW_LINKS_DIRECT="off")
    sys.exit(main())
