"""Every state that the system can show has an explanation, and each thing finds its own."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import get_args

import pytest

from firefly.interfaces.core import (
    LinkStatus,
    NodeSummary,
    ProcessKind,
    ProcessState,
    ProcessStatus,
    ResourceStatus,
    Role,
)
from node.cli.commands import COMMANDS
from node.cli.explanations import (
    EXPLANATIONS,
    LinkState,
    NodeState,
    ResourceState,
    State,
    Unknown,
    link_finding,
    node_finding,
    process_finding,
    resource_finding,
)

ADDRESS, KEY = bytes(range(16)), bytes(32)


def node(**changes: object) -> NodeSummary:
    plain = {"name": "nas", "address": ADDRESS, "key": KEY, "role": Role.MEMBER, "reachable": True, "hops": 1,
             "how": "direct tcp", "reason": "linked at tcp://10.0.0.1:4747", "platform": "Linux"}  # fmt: skip
    return NodeSummary(**(plain | changes))  # type: ignore[arg-type]


def link(**changes: object) -> LinkStatus:
    plain = {"peer": "nas", "address": ADDRESS, "kind": "tcp", "url": "tcp://10.0.0.1:4747", "state": "up",
             "reason": "", "round_trip": 0.001, "since": datetime.now(UTC), "sent": 1, "received": 2}  # fmt: skip
    return LinkStatus(**(plain | changes))  # type: ignore[arg-type]


def process(state: ProcessState, reason: str = "") -> ProcessStatus:
    return ProcessStatus(bytes(16), "settings", ProcessKind.BUILTIN, "kv", "glow.kv.KV", state, reason, 2, None, None)


def resource(access: Role = Role.MEMBER) -> ResourceStatus:
    return ResourceStatus(bytes(16), "settings", "glow.kv.KV", access)


def states() -> list[Enum]:
    return [state for kind in get_args(State) for state in kind]


@pytest.mark.parametrize("state", states(), ids=str)
def test_every_state_is_explained(state: State) -> None:
    explanation = EXPLANATIONS[state]
    assert explanation.sentence
    assert explanation.well or explanation.hint, "what is not well has a hint"


def test_nothing_else_is_explained() -> None:
    assert set(EXPLANATIONS) == set(states())


@pytest.mark.parametrize("state", states(), ids=str)
def test_hints_name_commands_that_exist(state: State) -> None:
    named = re.findall(r"\bglow (?:--\w+ \{?\w+\}? )?([a-z]+)", EXPLANATIONS[state].hint)
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("summary", "state", "text"),
    [
        (node(how="this node", hops=0, reason=""), NodeState.THIS, "the node that was asked"),
        (node(), NodeState.DIRECT, "direct tcp: linked at tcp://10.0.0.1:4747"),
        (node(how="via relay", hops=2, reason="no link leads there directly"), NodeState.RELAYED, "via relay"),
        (node(how="unreachable", hops=0, reachable=False, reason="it is off"), NodeState.UNREACHABLE, "it is off"),
        (node(clash=True), NodeState.CLASHING, "another node was called nas first"),
        (node(how="direct carrier-pigeon"), NodeState.DIRECT, "carrier-pigeon"),
    ],
)
def test_nodes(summary: NodeSummary, state: NodeState, text: str) -> None:
    finding = node_finding(summary)
    assert (finding.kind, finding.thing, finding.state) == ("node", "nas", state.value)
    assert text in finding.why


def test_a_node_whose_certificate_has_ended_names_the_day() -> None:
    finding = node_finding(node(expires=datetime(2026, 5, 4, 12, tzinfo=UTC)), lapsed=True)
    assert (finding.state, finding.well) == ("lapsed", False)
    assert "2026-05-04" in finding.why


@pytest.mark.parametrize(
    ("status", "state", "text"),
    [
        (link(), LinkState.UP, "round trip 1 ms"),
        (link(certified=False, reason="no certificate yet"), LinkState.UNCERTIFIED, "no certificate yet"),
        (link(state="connecting", since=None), LinkState.CONNECTING, "it is being made"),
        (link(state="connecting", reason="refused"), LinkState.CONNECTING, "the last time it did not work: refused"),
        (link(state="waiting", reason="refused"), LinkState.WAITING, "not be made: refused; it is tried again soon"),
        (link(state="levitating", reason="magic"), Unknown.STATE, "it is levitating: magic"),
    ],
)  # fmt: skip
def test_links(status: LinkStatus, state: LinkState, text: str) -> None:
    finding = link_finding(status)
    assert finding.state == ("levitating" if state is Unknown.STATE else state.value)
    assert text in finding.why


def test_a_waiting_link_says_when_it_is_tried_again() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=50)
    assert re.search("again in (50|49) s", link_finding(link(state="waiting", retry=soon)).why)
    past = datetime.now(UTC) - timedelta(seconds=50)
    assert "tried again now" in link_finding(link(state="waiting", retry=past)).why


@pytest.mark.parametrize("state", ProcessState)
def test_processes(state: ProcessState) -> None:
    finding = process_finding(process(state, "it exited with {3}"), "nas")
    assert (finding.thing, finding.state) == ("nas/settings", state.name.lower())
    assert "{3}" in finding.why or finding.well, "a reason is told as it is, whatever is in it"


def test_a_state_that_a_newer_node_knows() -> None:
    finding = process_finding(process(ProcessState(77), "it hibernates"), "nas")
    assert (finding.state, finding.why) == ("unknown_77", "it is unknown_77: it hibernates")


@pytest.mark.parametrize(
    ("access", "owner", "role", "owned", "state"),
    [
        (Role.MEMBER, node(), Role.MEMBER, True, ResourceState.OFFERED),
        (Role.MEMBER, node(), Role.MEMBER, False, ResourceState.ATTACHED),
        (Role.ADMIN, node(), Role.MEMBER, True, ResourceState.DENIED),
        (Role.ADMIN, node(), Role.ADMIN, True, ResourceState.OFFERED),
        (Role.ADMIN, node(how="this node"), Role.MEMBER, True, ResourceState.OFFERED),
        (Role.MEMBER, node(reachable=False, how="unreachable"), Role.MEMBER, True, ResourceState.OUT_OF_REACH),
        (Role.MEMBER, node(), Role(0), True, ResourceState.DENIED),
    ],
)
def test_resources(access: Role, owner: NodeSummary, role: Role, owned: bool, state: ResourceState) -> None:
    finding = resource_finding(resource(access), owner, role, owned=owned)
    assert (finding.thing, finding.state) == ("nas/settings", state.value)
    assert not [name for _, name, _, _ in string.Formatter().parse(finding.why + finding.hint) if name]
