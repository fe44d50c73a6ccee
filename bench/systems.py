"""Who is measured."""

from dataclasses import dataclass

from bench.works import MESSAGING, WASM


@dataclass(frozen=True)
class System:
    """A system in one mode. `module` has the interface of bench/client.py; `works` are names from bench/works.py."""

    name: str
    mode: str
    module: str
    has_broker: bool = False
    works: tuple[str, ...] = MESSAGING

    def __str__(self) -> str:
        return f"{self.name}, {self.mode}"


SYSTEMS = (
    System("glow", "direct", "bench.glow"),
    System("glow", "async", "bench.glow", works=("calls",)),
    System("glow", "websocket", "bench.glow"),
    System("glow", "relay", "bench.glow", has_broker=True),
    System("glow", "webrtc", "bench.webrtc", has_broker=True),
    System("glow", "webrtc, thread", "bench.webrtc", has_broker=True),
    System("glow", "attached client", "bench.glow"),
    System("glow", "attached both", "bench.glow"),
    System("glow", "pubsub, batches", "bench.pubsub", works=("messages",)),
    System("glow", "pubsub, async for", "bench.pubsub", works=("messages",)),
    System("glow", "copy", "bench.devices", works=("copy",)),
    System("glow", "copy to", "bench.devices", works=("copy",)),
    System("glow", "status", "bench.devices", works=("status",)),
    System("glow", "ready", "bench.devices", works=("ready",)),
    System("glow", "memory", "bench.devices", works=("memory",)),
    System("glow", "executor", "bench.executor", works=WASM),
    System("wasmtime", "in process", "bench.peers.wasmtime_py", works=WASM),
    System("bare trio", "direct", "bench.peers.bare_trio"),
    System("aiortc", "bare data channel", "bench.peers.aiortc_channel"),
    System("grpc.aio", "direct", "bench.peers.grpc_aio"),
    System("nats", "server between", "bench.peers.nats", has_broker=True),
    System("zenoh", "direct", "bench.peers.zenoh"),
    System("zenoh", "router between", "bench.peers.zenoh", has_broker=True),
    System("zenoh", "shared memory", "bench.peers.zenoh", works=("chunks",)),
    System("python", "-c pass", "bench.commands", works=("command",)),
    System("glow", "--help", "bench.commands", works=("command",)),
)
