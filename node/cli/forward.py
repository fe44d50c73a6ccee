"""`glow forward`: a service of another device at a port of this one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial

import trio

from firefly.client import Glow
from firefly.interfaces.forward import Forward
from node.cli.address import parse_resource
from node.cli.client import attached, expecting
from node.cli.failures import OK, UsageError
from node.cli.forwarding import datagrams, streams
from node.cli.output import Output

NAME = "forward"
HELP = "use a service of another device at a port of this one"
HOST = "127.0.0.1"


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "On the other device: glow create forward --label web target=tcp://127.0.0.1:8080"
    parser.add_argument("service", metavar="NODE/RESOURCE", help="the forward to use")
    parser.add_argument("port", nargs="?", type=int, default=0, metavar="PORT", help="of this device (default: any)")
    parser.add_argument("--host", default=HOST, help=f"address of this device to listen at (default: {HOST})")


def run(arguments: Namespace) -> int:
    address = parse_resource(arguments.service, "forward", "nas/web")
    if not 0 <= arguments.port < 65536:
        raise UsageError(f"{arguments.port} is no port", hint="a number from 1 to 65535")
    out = Output(arguments)

    async def work(glow: Glow) -> int:
        location = await glow.resolve(address.name)
        with expecting("forward", address.name, location):
            forward = glow.at(location.node, location.resource, Forward)
            target = await forward.target()
            carry = datagrams.carry if target.startswith("udp:") else streams.carry
            ready = partial(announce, out, arguments.service, target)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(glow.network.watch)
                await carry(forward, arguments.host, arguments.port, ready, out.note)
        return OK

    return attached(arguments, work, about=arguments.service)


def announce(out: Output, service: str, target: str, host: str, port: int) -> None:
    """Says where the service is to be found now."""
    kind = target.partition(":")[0]
    here = f"{kind}://[{host}]:{port}" if ":" in host else f"{kind}://{host}:{port}"
    out.item({"listening": here, "forward": service, "target": target}, here)
    out.note(f"it leads to {target} at {service}, until Ctrl-C")
