"""`glow why`: why something is as it is, and what would change it; alone, everything that is not well."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from firefly.address import matches_prefix
from firefly.client import Glow
from firefly.errors import GlowError, NoSuchResource, Unreachable
from firefly.interfaces.core import Node, NodeSummary, NoSuchName, Route
from node.cli.address import SCHEME, SELF, parse
from node.cli.client import attached, named, node_at
from node.cli.explanations import Finding, link_finding, node_finding, process_finding, resource_finding, way_finding
from node.cli.failures import OK
from node.cli.output import Output, counted
from node.cli.survey import Survey, survey

NAME = "why"
HELP = "why something is as it is, and what would change it"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "thing",
        nargs="?",
        metavar="THING",
        help="NODE, NODE/RESOURCE, a process, an address or the URL of a link (default: all that is not well)",
    )


def run(arguments: Namespace) -> int:
    out = Output(arguments)
    thing = arguments.thing

    async def work(glow: Glow) -> int:
        _, start = await node_at(glow, named(arguments, None))
        seen = await survey(glow, start, everywhere=not thing)
        findings = seen.findings()
        found = await about(glow, start, seen, thing) if thing else [one for one in findings if not one.well]
        if not found and not out.json:
            out.note(f"all is well: {everything(seen)}")
        out.show([finding.data() for finding in found], lambda: "\n".join(text(finding, out) for finding in found))
        return OK

    return attached(arguments, work, arguments.node or "")


def everything(seen: Survey) -> str:
    counts = {"node": len(seen.status.nodes), "link": len(seen.status.links)}
    counts["process"] = sum(map(len, seen.processes.values()))
    return ", ".join(counted(count, what) for what, count in counts.items())


def text(finding: Finding, out: Output) -> str:
    lines = [f"{out.bold(finding.thing)} ({finding.kind}): {finding.why}"]
    return "\n".join([*lines, f"  hint: {finding.hint}"] if finding.hint else lines)


async def about(glow: Glow, start: Node, seen: Survey, thing: str) -> list[Finding]:
    """All that goes by that name. Raises NoSuchResource, UsageError."""
    if "://" in thing and not thing.startswith(SCHEME):
        found = [link_finding(link) for link in seen.status.links if link.url == thing]
    else:
        address = parse(thing)
        if address.resource is None and address.path is None:
            found = of_name(seen, address.node) + await ways(start, seen, address.node)
        else:
            found = await of_resource(glow, start, seen, address.name)
    if not found:
        raise NoSuchResource(f"there is nothing called {thing!r} here", cause=known_names(seen), hint="glow ls")
    return found


def of_name(seen: Survey, name: str) -> list[Finding]:
    """A node with its links, and a process of the asked node."""
    status = seen.status
    found = [node_finding(node, lapsed=True) for node in status.lapsed if means(node, name)]
    nodes = [node for node in status.nodes if means(node, name) or (name == SELF and node.address == status.address)]
    addresses = {node.address for node in nodes}
    found += [node_finding(node) for node in nodes]
    found += [link_finding(link) for link in status.links if link.address in addresses or link.peer == name]
    if name in (SELF, status.name) and not any(status.namespace):
        found += [finding for finding in seen.findings() if finding.kind == "node"]
    here = seen.processes[status.address]
    return found + [process_finding(process, seen.name_of(status.address)) for process in here if process.label == name]


async def ways(start: Node, seen: Survey, name: str) -> list[Finding]:
    """Why packets to the nodes of that name go as they do, or to an address of another namespace."""
    found = []
    for node in seen.status.nodes:
        if means(node, name) and node.reachable and node.address != seen.status.address:
            (route,) = await start.routes(node.address)
            waiting = (link for link in seen.status.links if link.address == node.address and link.state != "up")
            found.append(way_finding(route, next(waiting, None), node.reason))
    if not any(means(node, name) for node in seen.status.nodes):
        found += [way_finding(route, None) for route in await beyond(start, name)]
    return found


async def beyond(start: Node, name: str) -> list[Route]:
    """The way to a node of another namespace, if the name is its whole address."""
    try:
        location = await start.resolve(name)
        return await start.routes(location.node) if not any(location.key) else []
    except (NoSuchName, Unreachable):
        return []


def means(node: NodeSummary, name: str) -> bool:
    """Whether a name, an address or the beginning of one means the node."""
    return node.name == name or matches_prefix(node.address, name)


async def of_resource(glow: Glow, start: Node, seen: Survey, name: str) -> list[Finding]:
    """A resource by its node and label, and the process that owns it. Raises NoSuchName for an unknown node."""
    node_name, _, label = name.partition("/")
    location = await start.resolve(node_name)
    owner = next((node for node in seen.status.nodes if node.address == location.node), None)
    if owner is None:
        return []
    offered = [found for found in await start.resources(owner.address) if label in (found.label, found.id.hex())]
    processes = []
    found: list[Finding] = []
    if owner.reachable:
        try:
            processes = await glow.at(owner.address, owner.address, Node).processes()
        except GlowError:
            found.append(node_finding(owner))
    owners = {process.id for process in processes}
    role = seen.status.role
    found += [resource_finding(one, owner, role, owned=one.id in owners or not owner.reachable) for one in offered]
    ids = {one.id for one in offered}
    found += [
        process_finding(process, seen.name_of(owner.address))
        for process in processes
        if process.id in ids or label in (process.label, process.id.hex())
    ]
    return found


def known_names(seen: Survey) -> str:
    processes = [process.label for process in seen.processes[seen.status.address]]
    names = sorted({*(node.name for node in seen.status.nodes if node.name), *processes})
    return f"known here: {', '.join(names)}" if names else "nothing is known here yet"
