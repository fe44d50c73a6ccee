"""The settings of a node: declared here, once, and nowhere else. A new one is a constant, and a row of SETTINGS.

A flag of the node stands above the environment (`log.level` is GLOW_LOG_LEVEL), that above the file, that above the
default. Whoever uses a setting follows it (node/configuration/live.py); the wiring is in node/running.py.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from node.configuration.errors import BadConfiguration
from node.configuration.kinds import Addresses, Choice, Duration, Kind, Nodes, Whole

T = TypeVar("T")
AT_ONCE, AT_RESTART = "at once", "at a restart"
DEFAULT, FILE = "default", "file"


@dataclass(frozen=True)
class Setting(Generic[T]):
    """`applies` says when a running node takes a new value; `flag` is the one of `glow node` that stands above it."""

    key: str
    kind: Kind[T]
    default: T
    meaning: str
    applies: str = AT_ONCE
    flag: str = ""

    @property
    def variable(self) -> str:
        """The variable of the environment that stands above the file."""
        return "GLOW_" + self.key.upper().replace(".", "_")

    def literal(self, value: T) -> str:
        """A value as JSON has it, and TOML too."""
        return json.dumps(self.kind.plain(value), ensure_ascii=False)

    def check(self, raw: object) -> T:
        """Raises BadConfiguration."""
        try:
            return self.kind.check(raw)
        except ValueError as error:
            reason = f" ({error})" if isinstance(raw, list) and str(error) else ""
            message = f"{self.key} must be {self.kind.what}, not {_shown(raw)}{reason}"
            raise BadConfiguration(message, hint=f"glow config explain {self.key}") from None

    def typed(self, text: str) -> T:
        """The value of a TOML literal, or of text that a person need not quote. Raises BadConfiguration."""
        raw = _literal(text)
        return self.check(self.kind.typed(raw) if isinstance(raw, str) else raw)


LISTEN = Setting(
    "listen",
    Addresses(16),
    ("tcp://0.0.0.0:0",),
    "where links may come in; a port 0 is chosen once and kept. Without it: where the node listened the last time",
    AT_RESTART,
    flag="--listen",
)
LOG_LEVEL = Setting(
    "log.level",
    Choice(("error", "warning", "info", "debug")),
    "warning",
    "how much `glow node` writes to its log, which is its standard error",
)
INVITE_LIFETIME = Setting(
    "invite.lifetime",
    Duration(1.0, 30 * 86400.0),
    86400.0,
    "how long an invite is valid that was made without --lifetime",
)
LINK_RETRY = Setting(
    "links.retry",
    Duration(1.0, 86400.0),
    30.0,
    "the longest pause between two attempts to reach a node that does not answer",
)
DISCOVERY = Setting(
    "discovery",
    Choice(("on", "off")),
    "on",
    "whether this node announces itself on the networks that it is on, and links with those of its namespace that do",
)
LINK_DIRECT = Setting(
    "links.direct",
    Choice(("on", "off")),
    "on",
    "whether this node looks for direct links to those of its namespace that it talks with over others",
)
PROCESS_START = Setting(
    "processes.start",
    Duration(1.0, 3600.0),
    30.0,
    "how long a process may take until it serves, before it is ended and started again",
)
PROGRAM_LIMIT = Setting(
    "programs.limit",
    Whole(16, 65536),
    1024,
    "how many programs and commands may be attached to the node at the same time",
)
RELAY = Setting(
    "relay",
    Choice(("auto", "always", "when-needed", "never")),
    "auto",
    "whether packets of others go over this node: always, when-needed (only where nothing else can) or never; auto is "
    "when-needed on battery or a metered network, else always",
)
HUB_ADMITS = Setting(
    "hub.admits",
    Choice(("mine", "granted", "open")),
    "mine",
    "for whom this node is a hub: mine, the namespaces that have invited it as a relay; granted, also the nodes that "
    "hub.granted lists, for packets of their own; open, also any node that links to it, likewise",
)
HUB_GRANTED = Setting(
    "hub.granted",
    Nodes(100),
    (),
    "nodes outside of the namespaces that have invited this hub which it serves where hub.admits is granted; the link "
    "of one that is taken off the list ends",
)
HUB_USES = Setting(
    "hub.uses",
    Nodes(16),
    (),
    "hubs outside of this node's namespace that it uses: what is for nodes of other namespaces goes to these. Each "
    "needs a link: glow link add",
)
LIMIT_ADDRESS = Setting(
    "limits.address",
    Whole(1, 65536),
    64,
    "how many links may come in from one IPv4 address, or one IPv6 /64",
)
LIMIT_NAMESPACE = Setting(
    "limits.namespace",
    Whole(1, 128),
    128,
    "how many nodes of one namespace may be linked to this node; its record can name no more than 128",
)
LIMIT_HANDSHAKES = Setting(
    "limits.handshakes",
    Whole(1, 65536),
    50,
    "how many handshakes may begin in a second from one IPv4 address, or one IPv6 /64",
)
LIMIT_STRANGERS = Setting(
    "limits.strangers",
    Whole(1, 100),
    20,
    "percent of a processor core that handshakes of nodes which this one does not know may use; more of them wait",
)
LIMIT_RELAYED = Setting(
    "limits.relayed",
    Whole(1024, 2**40),
    16 * 2**20,
    "bytes per second that the nodes of a namespace which is not this node's own may have forwarded; more is dropped",
)
LIMIT_IDLE = Setting(
    "limits.idle",
    Duration(0.0, 365 * 86400.0),
    0.0,
    "after which time without use the link of a neighbour without a certificate ends (see hub.admits); 0: never",
)
SETTINGS: dict[str, Setting[Any]] = {
    setting.key: setting
    for setting in (
        LISTEN,
        LOG_LEVEL,
        INVITE_LIFETIME,
        DISCOVERY,
        LINK_RETRY,
        LINK_DIRECT,
        PROCESS_START,
        PROGRAM_LIMIT,
        RELAY,
        HUB_ADMITS,
        HUB_GRANTED,
        HUB_USES,
        LIMIT_ADDRESS,
        LIMIT_NAMESPACE,
        LIMIT_HANDSHAKES,
        LIMIT_STRANGERS,
        LIMIT_RELAYED,
        LIMIT_IDLE,
    )
}
Values = dict[str, Any]
"""Checked values by key: what a file sets."""


def find(key: str) -> Setting[Any]:
    """Raises BadConfiguration."""
    if key not in SETTINGS:
        raise BadConfiguration(f"there is no setting {_shown(key)}", hint=_hint_for(key))
    return SETTINGS[key]


def _hint_for(key: str) -> str:
    """What helps who wrote a key that does not exist."""
    close = get_close_matches(key, SETTINGS, 1) or [known for known in SETTINGS if known.startswith(f"{key}.")]
    return f"did you mean {close[0]}? `glow config explain` lists all" if close else "glow config explain"


@dataclass(frozen=True)
class Effective(Generic[T]):
    """A value, and where it comes from."""

    value: T
    source: str


Given = Mapping[str, Effective[Any]]
"""What flags and the environment of one run set, by key."""


def given(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Given:
    """What flags (values by key, None: not given) and GLOW_… variables set. Raises BadConfiguration for a variable."""
    found: dict[str, Effective[Any]] = {}
    for key, setting in SETTINGS.items():
        flag, text = flags.get(key), environment.get(setting.variable)
        if flag is not None:
            found[key] = Effective(flag, setting.flag)
        elif text:
            try:
                found[key] = Effective(setting.typed(text), setting.variable)
            except BadConfiguration as error:
                what = f"{setting.variable}={text} cannot be used"
                raise BadConfiguration(what, error.message, error.hint) from None
    return found


def effective(setting: Setting[T], above: Given, values: Values) -> Effective[T]:
    """Which of flag, environment, file and default counts."""
    if setting.key in above:
        return above[setting.key]
    if setting.key in values:
        return Effective(values[setting.key], FILE)
    return Effective(setting.default, DEFAULT)


def _literal(text: str) -> object:
    """What TOML makes of the text as a value, or the text itself."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def _shown(raw: object) -> str:
    """A value in an error, as TOML and not too long."""
    try:
        text = json.dumps(raw, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(raw)
    return text if len(text) <= 100 else f"{text[:100]}…"
