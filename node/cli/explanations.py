"""What every state means that the system can show, and what would change it: one table, EXPLANATIONS.

`glow why` shows what is found here, `glow doctor` counts what of it is not well. Nothing here asks anybody.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from firefly.interfaces.core import (
    LinkStatus,
    NodeSummary,
    ProcessState,
    ProcessStatus,
    ResourceStatus,
    Role,
    Route,
)
from node.cli.output import address_text, counted, duration_text, local_time


class NodeState(enum.Enum):
    THIS = "this node"
    ALONE = "alone"
    DIRECT = "direct"
    RELAYED = "relayed"
    UNREACHABLE = "unreachable"
    LAPSED = "lapsed"
    CLASHING = "clashing"


class LinkState(enum.Enum):
    UP = "up"
    UNCERTIFIED = "uncertified"
    CONNECTING = "connecting"
    WAITING = "waiting"


class WayState(enum.Enum):
    DIRECT = "direct way"
    UNLINKED = "way over others"
    FAILING = "way over others, a direct link fails"
    DETOUR = "detour"
    HUB = "way by a hub"


class ResourceState(enum.Enum):
    OFFERED = "offered"
    ATTACHED = "attached"
    DENIED = "denied"
    OUT_OF_REACH = "out of reach"


class Unknown(enum.Enum):
    """A state that the asked node knows and this command does not: the node is newer."""

    STATE = "unknown"


@dataclass(frozen=True)
class Explanation:
    """`sentence` and `hint` are filled in with what is known of the thing; `well` says that nothing need be done."""

    sentence: str
    hint: str = ""
    well: bool = False


State = NodeState | LinkState | WayState | ResourceState | ProcessState | Unknown
EXPLANATIONS: dict[State, Explanation] = {
    NodeState.THIS: Explanation("it is the node that was asked", well=True),
    NodeState.ALONE: Explanation(
        "it belongs to no namespace yet, so it talks to no other node",
        "glow join LINK, with a link that `glow invite` prints on one of your devices",
    ),
    NodeState.DIRECT: Explanation("it is reached {how}: {reason}", well=True),
    NodeState.RELAYED: Explanation(
        "it is reached {how}: {reason}{direct}", "glow trace {name} shows what each hop takes", well=True
    ),
    NodeState.UNREACHABLE: Explanation(
        "it cannot be reached: {reason}{direct}",
        "switch the device on and run `glow node` there; if it runs, `glow why` there says what its links wait for",
    ),
    NodeState.LAPSED: Explanation(
        "its certificate ended on {expires}, so no node talks to it any more",
        "is a clock wrong? glow doctor; else join it anew: glow invite here, glow join LINK --home DIR there",
    ),
    NodeState.CLASHING: Explanation(
        "another node was called {name} first, so this name leads there",
        "use its address instead: glow ping {address}",
    ),
    LinkState.UP: Explanation("it is up since {since}, round trip {round_trip}{remark}", well=True),
    LinkState.UNCERTIFIED: Explanation(
        "it is up, but {reason}: nothing is passed on for it, and it ends soon",
        "if it is a device of yours that should join: glow invite",
    ),
    LinkState.CONNECTING: Explanation(
        "it is being made{again}", "if it stays so, the other device is off or a firewall drops what it is sent"
    ),
    LinkState.WAITING: Explanation(
        "it could not be made: {reason}; it is tried again {retry}",
        "is the other device on? `glow status` there shows where it listens",
    ),
    WayState.DIRECT: Explanation(
        "packets take the link itself, cost {cost}, which no other way undercuts; {alternate}", well=True
    ),
    WayState.UNLINKED: Explanation(
        "packets go by way of {next}, {hops}, cost {cost}, the least of all ways; {alternate}; {reason}",
        "glow link add tcp://HOST:PORT, at an address that `glow status {name}` shows it to listen at", well=True,
    ),
    WayState.FAILING: Explanation(
        "packets go by way of {next}, {hops}, cost {cost}, the least of all ways; {alternate}; "
        "not directly, because the link at {url} could not be made: {reason}",
        "see whether a firewall is between them, and whether `glow status {name}` shows that address", well=True,
    ),
    WayState.DETOUR: Explanation(
        "packets go to {waypoints} first: of the {hops} by way of {next}, cost {cost}, one seems to swallow them; "
        "that way is tried again every few minutes",
        "glow trace {name} shows which of them does not answer; `glow node` there, started anew, or an update may help",
    ),
    WayState.HUB: Explanation(
        "it is of another namespace; {hub}, the hub that is {hops} away, cost {cost}, passes packets on if it serves "
        "that namespace too; what they may do there its owner decides",
        "glow trace {name} shows the way to the hub", well=True,
    ),
    ProcessState.STARTING: Explanation("it is starting; it has 30 s until it must serve", well=True),
    ProcessState.RUNNING: Explanation("it is running since {since}{restarts}", well=True),
    ProcessState.WAITING: Explanation(
        "it ended and is about to be started again: {reason}{restarts}", "glow logs {node} --process {name}"
    ),
    ProcessState.FAILED: Explanation(
        "it is not started any more: {reason}",
        "glow logs {node} --process {name} says what it did; then glow kill {node}/{name}, and create it anew",
    ),
    ProcessState.STOPPED: Explanation("it was ended: {reason}", "glow --node {node} create makes it again"),
    ResourceState.OFFERED: Explanation("{node} offers it as a {proto}, for {access}", well=True),
    ResourceState.ATTACHED: Explanation(
        "{node} offers it as a {proto}, for {access}, as long as the program that owns it is attached", well=True
    ),
    ResourceState.DENIED: Explanation(
        "it is for {access} only, and this node is a {role}",
        "use it on an administrator's device, or create its process with --access member",
    ),
    ResourceState.OUT_OF_REACH: Explanation(
        "{node} offers it, but cannot be reached: {reason}", "glow why {node}"
    ),
    Unknown.STATE: Explanation(
        "it is {state}: {reason}", "this command does not know that state; the node may be newer: glow version"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A thing, the state it is in, why, and what would change that. `kind`: node, way, link, process or resource."""

    kind: str
    thing: str
    state: str
    well: bool
    why: str
    hint: str

    def data(self) -> dict[str, Any]:
        return asdict(self)


def explain(kind: str, thing: str, state: State, known: dict[str, str]) -> Finding:
    """A finding whose texts are filled in with what is `known`; a state of no name here is shown as it came."""
    explanation = EXPLANATIONS[state]
    known = {"name": thing, **known}
    shown = known["state"] if state is Unknown.STATE else state_name(state)
    why, hint = (text.format_map(known) for text in (explanation.sentence, explanation.hint))
    return Finding(kind, thing, shown, explanation.well, why, hint)


def state_name(state: State) -> str:
    return state.name.lower() if isinstance(state, ProcessState) else str(state.value)


def node_finding(node: NodeSummary, *, lapsed: bool = False) -> Finding:
    """Of one node, as another one sees it."""
    known = {
        "how": node.how,
        "reason": node.reason or "no reason is known",
        "direct": f"; {node.direct}" if node.direct else "",
        "expires": "an unknown day" if node.expires is None else local_time(node.expires),
        "address": address_text(node.address),
    }
    return explain("node", node.name or known["address"], node_state(node, lapsed), known)


def node_state(node: NodeSummary, lapsed: bool = False) -> NodeState:
    if lapsed:
        return NodeState.LAPSED
    if node.clash:
        return NodeState.CLASHING
    if node.how == NodeState.THIS.value:
        return NodeState.THIS
    if not node.reachable:
        return NodeState.UNREACHABLE
    return NodeState.DIRECT if node.hops <= 1 else NodeState.RELAYED


def link_finding(link: LinkStatus) -> Finding:
    known = {
        "reason": link.reason or "no reason is known",
        "again": f"; the last time it did not work: {link.reason}" if link.reason else "",
        "since": "now" if link.since is None else local_time(link.since),
        "round_trip": "not measured yet" if link.round_trip is None else duration_text(link.round_trip),
        "retry": "soon" if link.retry is None else time_until(link.retry),
        "state": link.state,
        "remark": f"; {link.reason}" if link.reason else "",
    }
    peer = link.peer or (address_text(link.address) if link.address else "")
    return explain("link", f"{link.url} to {peer}" if peer else link.url, link_state(link), known)


def way_finding(route: Route, direct: LinkStatus | None, reason: str = "") -> Finding:
    """Why packets to a node go as they do; `direct`: a link to it that is to be, but is not up; `reason`: why the node
    is reached as it is.
    """
    state = WayState.DIRECT if route.hops <= 1 else WayState.UNLINKED if direct is None else WayState.FAILING
    state = WayState.HUB if route.hub else WayState.DETOUR if route.waypoints else state
    stands_in = f"if it is lost, {route.alternate_name} stands in at once"
    known = {
        "next": route.next_name,
        "hops": counted(route.hops, "hop"),
        "cost": duration_text(route.cost / 1e6),
        "alternate": stands_in if route.alternate else "nothing stands in at once if it is lost",
        "hub": route.hub_name,
        "waypoints": ", then to ".join(route.waypoint_names),
        "url": direct.url if direct is not None else "",
        "reason": (reason if direct is None else direct.reason) or "no reason is known",
    }
    return explain("way", route.name or address_text(route.destination), state, known)


def time_until(moment: datetime) -> str:
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {duration_text(seconds)}" if seconds > 0 else "now"


def link_state(link: LinkStatus) -> State:
    if link.state == LinkState.UP.value and not link.certified and not link.admitted:
        return LinkState.UNCERTIFIED
    return next((state for state in LinkState if state.value == link.state), Unknown.STATE)


def process_finding(process: ProcessStatus, node: str) -> Finding:
    """Of a process of the node that is called `node`."""
    state: State = process.state if process.state in EXPLANATIONS else Unknown.STATE
    known = {
        "node": node,
        "name": process.label,
        "reason": process.reason or "no reason is known",
        "since": "now" if process.started is None else local_time(process.started),
        "restarts": f", after {process.restarts} restarts" if process.restarts else "",
        "state": process.state.name.lower(),
    }
    return explain("process", f"{node}/{process.label}", state, known)


def resource_finding(resource: ResourceStatus, owner: NodeSummary, role: Role, *, owned: bool) -> Finding:
    """Of a resource of `owner`, for a caller on a node with `role`; `owned` says that a process of it is known."""
    here = owner.how == NodeState.THIS.value
    if not here and not owner.reachable:
        state = ResourceState.OUT_OF_REACH
    elif not here and not 1 <= role <= resource.access:
        state = ResourceState.DENIED
    else:
        state = ResourceState.OFFERED if owned else ResourceState.ATTACHED
    known = {
        "node": owner.name,
        "proto": resource.proto,
        "access": "administrators" if resource.access == Role.ADMIN else "administrators and members",
        "role": role.name.lower(),
        "reason": owner.reason,
    }
    return explain("resource", f"{owner.name}/{resource.label}", state, known)
