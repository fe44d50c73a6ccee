# Made from core.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""What every resource, process and node answers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from firefly import errors, runtime, scalars, variants


Address: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
"""The first 16 bytes of BLAKE2b-256 of a node's Ed25519 key."""

Key: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
"""An Ed25519 public key."""

Label: TypeAlias = Annotated[str, msgspec.Meta(max_length=63)]
"""A name that a person gave: `[a-z0-9-]`."""


class Description(msgspec.Struct, array_like=True, frozen=True):
    """The compiled interface of a resource."""

    proto: str
    schema: bytes


class Resource(runtime.Stub):
    """Anything that can be addressed."""

    proto = "glow.core.Resource"

    async def describe(self) -> Description:
        """The compiled interface, from which a caller without stubs can build its calls."""
        return await self._call(_RESOURCE_DESCRIBE, ())


class ProcessKind(runtime.OpenEnum):
    BUILTIN = 1
    PLUGIN = 2
    THREAD = 3
    PROGRAM = 4
    WASM = 5


class ProcessState(runtime.OpenEnum):
    STARTING = 1
    RUNNING = 2
    WAITING = 3
    FAILED = 4
    STOPPED = 5


class Role(runtime.OpenEnum):
    ADMIN = 1
    MEMBER = 2
    GUEST = 3
    RELAY = 4


class Specification(msgspec.Struct, array_like=True, frozen=True):
    """What a process is made from; a node keeps it and starts the process again with it."""

    label: Label
    kind: ProcessKind
    program: Annotated[str, msgspec.Meta(max_length=4096)]
    """The entry point's name (builtin, plugin) or the executable (program)."""
    arguments: Annotated[list[Annotated[str, msgspec.Meta(max_length=65536)]], msgspec.Meta(max_length=1024)] = []
    configuration: dict[str, str] = {}
    access: Role = Role.MEMBER
    """The lowest role that may call it: MEMBER or ADMIN."""


class ProcessStatus(msgspec.Struct, array_like=True, frozen=True):
    id: scalars.Id
    label: Label
    kind: ProcessKind
    program: str
    proto: str
    state: ProcessState
    reason: str
    """Why it is in this state."""
    restarts: scalars.u32
    started: scalars.Timestamp | None
    os_process: scalars.u32 | None


class Process(Resource):
    """A program that owns resources and answers for them."""

    proto = "glow.core.Process"

    async def status(self) -> ProcessStatus:
        return await self._call(_PROCESS_STATUS, ())


class LinkStatus(msgspec.Struct, array_like=True, frozen=True):
    peer: Label
    """Label of the node at the other end, empty while it is not known."""
    address: Address | None
    kind: str
    url: str
    state: str
    """up, connecting or waiting"""
    reason: str
    round_trip: float | None
    since: scalars.Timestamp | None
    sent: scalars.u64
    received: scalars.u64
    hint: str = ""
    """What helps against the reason; empty if nothing does."""
    certified: bool = True
    """False while the neighbour has shown no certificate; nothing is relayed for it then."""
    retry: scalars.Timestamp | None = None
    """When a waiting link is tried again."""
    admitted: bool = False
    """Without a certificate, but dealt with as a hub or as a node that uses this hub."""


class StandingLink(msgspec.Struct, array_like=True, frozen=True):
    """A node that is dialled until it is linked, and again when the link ends."""

    urls: list[str]
    """In the order in which they are tried."""
    key: Key | None
    """Whose key must answer there; whoever answers, if it is null."""
    peer: Label
    """The node at the other end, as far as it is known."""
    address: Address | None
    state: str
    """up, connecting or waiting"""
    reason: str
    hint: str
    """What helps against the reason; empty if nothing does."""
    url: str
    """The address and kind of the link that is up; empty if none is."""
    kind: str
    since: scalars.Timestamp
    """Since when it is in this state."""
    next_attempt: float | None
    """Until it is dialled again, while it is waiting."""
    round_trip: float | None


class NodeSummary(msgspec.Struct, array_like=True, frozen=True):
    name: Label
    address: Address
    key: Key
    role: Role
    reachable: bool
    how: str
    """this node, direct tcp, via relay, or unreachable"""
    hops: scalars.u8
    reason: str
    """Why it is reached this way, or not at all."""
    platform: str
    expires: scalars.Timestamp | None = None
    """When its certificate ends; null if it has none."""
    clash: bool = False
    """Another node had this name first: it answers to its address only."""
    direct: str = ""
    """What came of the last attempt at a direct link, and when the next is made; empty if none was needed."""


class Relaying(runtime.OpenEnum):
    """How willing a node is to forward for others."""

    ALWAYS = 1
    WHEN_NEEDED = 2
    NEVER = 3


class NodeStatus(msgspec.Struct, array_like=True, frozen=True):
    name: Label
    address: Address
    key: Key
    namespace: Key
    role: Role
    version: str
    platform: str
    home: str
    started: scalars.Timestamp
    listening: list[str]
    nodes: list[NodeSummary]
    links: list[LinkStatus]
    counters: dict[str, scalars.u64] = {}
    lapsed: list[NodeSummary] = []
    """Nodes whose certificate has ended; they can do nothing until an administrator renews it."""
    relaying: Relaying = Relaying.ALWAYS
    """How willing it is to forward for others, and why if it is not simply willing."""
    relaying_why: str = ""
    serves: list[Key] = []
    """Namespaces of others for which this node is a relay: it connects those that it serves, its own among them."""


class ResourceStatus(msgspec.Struct, array_like=True, frozen=True):
    """A resource as its node's directory statement shows it."""

    id: scalars.Id
    label: Label
    proto: str
    access: Role


class Location(msgspec.Struct, array_like=True, frozen=True):
    node: Address
    key: Key
    """All zeros for a node of another namespace."""
    name: Label
    resource: scalars.Id
    label: Label
    proto: str


class Hop(msgspec.Struct, array_like=True, frozen=True):
    node: Address
    name: Label
    link: str
    """Kind of the link that leads to this hop; empty for the first, this node itself."""
    round_trip: float | None


class Edge(msgspec.Struct, array_like=True, frozen=True):
    node: Address
    name: Label
    cost: scalars.u64
    """µs, as its record says; an edge counts only while both ends list it, at the larger cost."""


class LinkStateRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a node last said of itself, as the asked node holds it."""

    node: Address
    name: Label
    instance: bytes
    sequence: scalars.u64
    age: float
    relaying: Relaying
    neighbours: list[Edge]
    attached: list[Address]
    """Foreigners that are attached to it."""


class Route(msgspec.Struct, array_like=True, frozen=True):
    """The way that packets of the asked node take to one other."""

    destination: Address
    name: Label
    next_hop: Address
    """The neighbour that packets go to first, and the link by which."""
    next_name: Label
    link: str
    round_trip: float | None
    cost: scalars.u64
    """µs, of all links on the way together."""
    hops: scalars.u32
    queued: scalars.u64
    """Bytes of other nodes' packets that wait for that link."""
    alternate: Address | None = None
    """The neighbour that stands in at once if that link is lost; null: until routes are computed anew there is none."""
    alternate_name: Label = ""
    waypoints: list[Address] = []
    """The nodes that packets of this node go to one after another, because a relay on that way seems to swallow them."""
    waypoint_names: list[Label] = []
    hub: Address | None = None
    """For a node of another namespace: the hub that takes packets there; cost and hops are those to the hub."""
    hub_name: Label = ""


class Invite(msgspec.Struct, array_like=True, frozen=True):
    id: scalars.Id
    link: str
    name: Label
    expires: scalars.Timestamp


class LogLevel(runtime.OpenEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class LogRecord(msgspec.Struct, array_like=True, frozen=True):
    """Something that a node, or a process of it, said."""

    number: scalars.u64
    """The first since the node started is 1."""
    time: scalars.Timestamp
    level: LogLevel
    process: str
    """Label of the process that said it, "node" for the node itself."""
    logger: str
    """Where in the program: the name of a Python logger, "stderr", "process" for its state."""
    message: str
    fields: dict[str, str] = {}
    lost: scalars.u64 = 0
    """How many records are gone between the one that was given before this one and this one."""


class MetricKind(runtime.OpenEnum):
    COUNTER = 1
    GAUGE = 2


class Metric(msgspec.Struct, array_like=True, frozen=True):
    """One value of one series; the name says the unit, as Prometheus has it."""

    name: str
    kind: MetricKind
    help: str
    labels: dict[str, str]
    value: float


class PairingEvent(variants.OpenUnion):
    pass


@variants.variant(1)
class PairingEventCreated(PairingEvent):
    """The invite exists; its link can be shown."""

    value: Invite


@variants.variant(2, inline=True)
class PairingEventAsked(PairingEvent):
    """A device with a right proof waits for a yes."""

    invite: scalars.Id
    name: Label
    address: Address
    from_: str


@variants.variant(3, inline=True)
class PairingEventJoined(PairingEvent):
    """The device is certified."""

    name: Label
    address: Address


@variants.variant(4, inline=True)
class PairingEventRefused(PairingEvent):
    reason: str


@variants.unknown
class PairingEventUnknown(PairingEvent):
    """A variant of PairingEvent that this version does not know."""

    ordinal: int
    body: object


class Setting(msgspec.Struct, array_like=True, frozen=True):
    """A setting of a node. Values are written as JSON, which is TOML too."""

    key: str
    kind: str
    """What its value may be, for a person."""
    value: str
    """In effect now."""
    source: str
    """Where that comes from: a flag, a variable of the environment, "file" or "default"."""
    default: str
    meaning: str
    applies: str
    """When a new value takes effect: "at once" or "at a restart"."""
    pending: str | None
    """What it will be after a restart, if that is something else."""


class Configuration(msgspec.Struct, array_like=True, frozen=True):
    path: str
    """The file."""
    settings: list[Setting]
    problem: str
    """Why the file as it is now is not in effect; empty if it is."""


class ConfigurationEntry(msgspec.Struct, array_like=True, frozen=True):
    """A change of the configuration."""

    number: scalars.u32
    time: scalars.Timestamp
    """For an edited file: when it was first seen."""
    who: str
    """A user of the node's device, the name of another node, or "edited file"."""
    key: Key | None
    """The key of that other node."""
    what: str


class ConfigurationChange(msgspec.Struct, array_like=True, frozen=True):
    entry: ConfigurationEntry | None
    """null if nothing had to be changed"""
    applied: list[str]
    """Keys whose new value is in effect."""
    restart: list[str]
    """Keys whose new value comes with a restart."""
    overridden: list[str]
    """Keys above whose new value stands a flag of the running node, or a variable of its environment."""


class _BadConfigurationBody(msgspec.Struct, array_like=True, frozen=True):
    what: str
    why: str
    help: str


class BadConfiguration(errors.DeclaredError):
    """No such setting, a value that does not fit it, or a file that cannot be used."""

    code = 0xD069D789
    name = "glow.core.BadConfiguration"
    Body = _BadConfigurationBody

    what: str
    why: str
    help: str

    def __init__(self, what: str, why: str, help: str) -> None:
        super().__init__(what, why, help)
        self.what = what
        self.why = why
        self.help = help


class _NoSuchNameBody(msgspec.Struct, array_like=True, frozen=True):
    name_: str
    known: list[str]


class NoSuchName(errors.DeclaredError):
    code = 0x455C980A
    name = "glow.core.NoSuchName"
    Body = _NoSuchNameBody

    name_: str
    known: list[str]

    def __init__(self, name_: str, known: list[str]) -> None:
        super().__init__(name_, known)
        self.name_ = name_
        self.known = known


class _NameTakenBody(msgspec.Struct, array_like=True, frozen=True):
    name_: str


class NameTaken(errors.DeclaredError):
    code = 0x5E891EF2
    name = "glow.core.NameTaken"
    Body = _NameTakenBody

    name_: str

    def __init__(self, name_: str) -> None:
        super().__init__(name_)
        self.name_ = name_


class _BadSpecificationBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str
    help: str = ""


class BadSpecification(errors.DeclaredError):
    code = 0xFE07BC50
    name = "glow.core.BadSpecification"
    Body = _BadSpecificationBody

    reason: str
    help: str

    def __init__(self, reason: str, help: str = "") -> None:
        super().__init__(reason, help)
        self.reason = reason
        self.help = help


class _LinkFailedBody(msgspec.Struct, array_like=True, frozen=True):
    what: str
    why: str
    help: str


class LinkFailed(errors.DeclaredError):
    """No link came about."""

    code = 0x919909FF
    name = "glow.core.LinkFailed"
    Body = _LinkFailedBody

    what: str
    why: str
    help: str

    def __init__(self, what: str, why: str, help: str) -> None:
        super().__init__(what, why, help)
        self.what = what
        self.why = why
        self.help = help


class _InviteRefusedBody(msgspec.Struct, array_like=True, frozen=True):
    reason: str


class InviteRefused(errors.DeclaredError):
    code = 0x8FBB934A
    name = "glow.core.InviteRefused"
    Body = _InviteRefusedBody

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Meeting(msgspec.Struct, array_like=True, frozen=True):
    """How a node can be reached: what two nodes tell each other so that they can link directly."""

    urls: Annotated[list[Annotated[str, msgspec.Meta(max_length=512)]], msgspec.Meta(max_length=8)]
    """Addresses: tcp, ws, wss."""
    description: Annotated[str, msgspec.Meta(max_length=16384)] = ""
    """A WebRTC session description (SDP) with all its candidates; empty if none is offered, or none can be answered."""
    reason: Annotated[str, msgspec.Meta(max_length=512)] = ""
    """Why there is no description in an answer."""
    behind: Annotated[str, msgspec.Meta(max_length=512)] = ""
    """What it is behind, for people: a NAT of which kind, or nothing."""
    unrelayed: bool = False
    """Neither end is to use TURN: what it relays would be there first, and hide that there is a direct way."""


class LinkOffer(msgspec.Struct, array_like=True, frozen=True):
    """A direct link on offer, for a person to carry to the other device."""

    number: scalars.u32
    text: str


class Node(Process):
    """One relay on one device. Its resource id is its address."""

    proto = "glow.core.Node"

    async def node_status(self) -> NodeStatus:
        return await self._call(_NODE_NODE_STATUS, ())

    async def resolve(self, name: str) -> Location:
        """Where "nas", "nas/files" or "self/files" is; an address prefix of at least 4 characters serves as a node's name."""
        return await self._call(_NODE_RESOLVE, (name,))

    async def resources(self, node: Address) -> list[ResourceStatus]:
        """Resources of one node of the namespace, from its directory statement."""
        return await self._call(_NODE_RESOURCES, (node,))

    async def processes(self) -> list[ProcessStatus]:
        return await self._call(_NODE_PROCESSES, ())

    async def route(self, destination: Address) -> list[Hop]:
        """The nodes that a packet from here to `destination` visits, this node first."""
        return await self._call(_NODE_ROUTE, (destination,))

    async def echo(self, payload: bytes) -> bytes:
        """Answers its argument; measures a round trip."""
        return await self._call(_NODE_ECHO, (payload,))

    async def create(self, specification: Specification) -> ProcessStatus:
        """Administrators only."""
        return await self._call(_NODE_CREATE, (specification,))

    async def kill(self, process: bytes) -> ProcessStatus:
        """Administrators only: ends a process and forgets its specification."""
        return await self._call(_NODE_KILL, (process,))

    def invite(
        self,
        name: Label = "",
        role: Role = Role.MEMBER,
        lifetime: float = 0.0,
        accept: bool = False,
        at: list[str] = [],
    ) -> runtime.ResultStream[PairingEvent]:
        """Administrators only: makes an invite and tells what becomes of it until the stream is closed; the invite stays valid.
        With `accept` a right proof is enough, else confirm() must follow an `asked`. A lifetime of 0 is the node's setting.
        A device that cannot dial this one is dialled itself, at the addresses `at`, and kept linked from then on.
        """
        return self._stream(_NODE_INVITE, (name, role, lifetime, accept, at))

    async def confirm(self, invite: bytes, accept: bool) -> None:
        """Administrators only: the person's answer to an `asked`."""
        await self._call(_NODE_CONFIRM, (invite, accept))

    async def join(self, link: str, name: Label = "") -> NodeStatus:
        """Local user only: joins the namespace that an invite link names."""
        return await self._call(_NODE_JOIN, (link, name))

    async def stop(self) -> None:
        """Local user only: ends the node after its processes ended."""
        await self._call(_NODE_STOP, ())

    async def introduce(self, id: bytes, key: Key, narrowing: bytes = b"") -> bytes:
        """A fresh id through which the holder of `key` uses `id` with the caller's rights; held 60 s until used."""
        return await self._call(_NODE_INTRODUCE, (id, key, narrowing))

    async def configuration(self) -> Configuration:
        """Administrators only, as all of these: what the node is set to, and why."""
        return await self._call(_NODE_CONFIGURATION, ())

    async def configure(self, key: str, value: str | None = None) -> ConfigurationChange:
        """Gives a setting a value: TOML, or text that needs no quotes. null: its default."""
        return await self._call(_NODE_CONFIGURE, (key, value))

    async def configuration_history(self) -> list[ConfigurationEntry]:
        """The newest 1,000 changes, newest first."""
        return await self._call(_NODE_CONFIGURATION_HISTORY, ())

    async def configuration_text(self, number: int) -> bytes:
        """The file as a change left it."""
        return await self._call(_NODE_CONFIGURATION_TEXT, (number,))

    async def configuration_rollback(self, number: int | None = None) -> ConfigurationChange:
        """Goes back to the file that change `number` left; null: to the last good one before the newest change."""
        return await self._call(_NODE_CONFIGURATION_ROLLBACK, (number,))

    async def links_list(self) -> list[StandingLink]:
        return await self._call(_NODE_LINKS_LIST, ())

    async def links_add(self, urls: list[str], key: Key | None = None) -> StandingLink:
        """Administrators only: keeps a link to one node, at whichever of the addresses answers; tells how the first attempt went.
        `pipe:` and other addresses that mean something on this device alone are for its own user.
        """
        return await self._call(_NODE_LINKS_ADD, (urls, key))

    async def links_remove(self, urls: list[str]) -> None:
        """Administrators only: dials these addresses no more, and ends the links that were made there."""
        await self._call(_NODE_LINKS_REMOVE, (urls,))

    def logs(
        self,
        after: int = 0,
        last: int | None = None,
        follow: bool = False,
        level: LogLevel = LogLevel.DEBUG,
        process: str = "",
    ) -> runtime.ResultStream[LogRecord]:
        """Administrators only: what was said, oldest first, of the last 10,000 records: those after the one with number
        `after`, of a process, of a level and above, and of these the `last` ones. With `follow` it goes on with what
        comes; who is too slow for that loses the oldest.
        """
        return self._stream(_NODE_LOGS, (after, last, follow, level, process))

    async def metrics(self) -> list[Metric]:
        """What the node counts and measures."""
        return await self._call(_NODE_METRICS, ())

    async def records(self) -> list[LinkStateRecord]:
        """What every node of the namespace last said of itself, as far as it is known here."""
        return await self._call(_NODE_RECORDS, ())

    async def routes(self, destination: Address | None = None) -> list[Route]:
        """The ways to all nodes that can be reached, or to one."""
        return await self._call(_NODE_ROUTES, (destination,))

    async def meet(self, caller: Meeting) -> Meeting:
        """Members and administrators of the namespace: how the caller can be reached, for how this node can be. Each then
        dials the other. Only the node with the lower address offers a description; the answer has one, too.
        """
        return await self._call(_NODE_MEET, (caller,))

    async def link_offer(self) -> LinkOffer:
        """Local user only: offers a direct link to whichever device of the namespace answers within 10 minutes."""
        return await self._call(_NODE_LINK_OFFER, ())

    async def link_answer(self, offer: str) -> str:
        """Local user only: answers an offer; the text is for the device that made it."""
        return await self._call(_NODE_LINK_ANSWER, (offer,))

    async def link_accept(self, number: int, answer: str) -> NodeSummary:
        """Local user only: takes the answer to an offer; returns who is linked, once it is."""
        return await self._call(_NODE_LINK_ACCEPT, (number, answer))


class _ResourceDescribeArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_RESOURCE_DESCRIBE = runtime.Method(
    "describe",
    "glow.core/Resource.describe",
    0xB8C77DE4,
    _ResourceDescribeArguments,
    result=Description,
    idempotent=True,
)


class _ProcessStatusArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_PROCESS_STATUS = runtime.Method(
    "status",
    "glow.core/Process.status",
    0xA6E48329,
    _ProcessStatusArguments,
    result=ProcessStatus,
    idempotent=True,
)


class _NodeNodeStatusArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_NODE_STATUS = runtime.Method(
    "node_status",
    "glow.core/Node.node_status",
    0xF8C4BE81,
    _NodeNodeStatusArguments,
    result=NodeStatus,
    idempotent=True,
)


class _NodeResolveArguments(msgspec.Struct, array_like=True, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=512)]


_NODE_RESOLVE = runtime.Method(
    "resolve",
    "glow.core/Node.resolve",
    0xC6E006CF,
    _NodeResolveArguments,
    result=Location,
    errors=(NoSuchName,),
    idempotent=True,
)


class _NodeResourcesArguments(msgspec.Struct, array_like=True, frozen=True):
    node: Address


_NODE_RESOURCES = runtime.Method(
    "resources",
    "glow.core/Node.resources",
    0x51ACCFCA,
    _NodeResourcesArguments,
    result=list[ResourceStatus],
    idempotent=True,
)


class _NodeProcessesArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_PROCESSES = runtime.Method(
    "processes",
    "glow.core/Node.processes",
    0x7601F968,
    _NodeProcessesArguments,
    result=list[ProcessStatus],
    idempotent=True,
)


class _NodeRouteArguments(msgspec.Struct, array_like=True, frozen=True):
    destination: Address


_NODE_ROUTE = runtime.Method(
    "route",
    "glow.core/Node.route",
    0xCDAB22A7,
    _NodeRouteArguments,
    result=list[Hop],
    idempotent=True,
)


class _NodeEchoArguments(msgspec.Struct, array_like=True, frozen=True):
    payload: Annotated[bytes, msgspec.Meta(max_length=65536)]


_NODE_ECHO = runtime.Method(
    "echo",
    "glow.core/Node.echo",
    0x78A653BD,
    _NodeEchoArguments,
    result=bytes,
    idempotent=True,
)


class _NodeCreateArguments(msgspec.Struct, array_like=True, frozen=True):
    specification: Specification


_NODE_CREATE = runtime.Method(
    "create",
    "glow.core/Node.create",
    0x8262C502,
    _NodeCreateArguments,
    result=ProcessStatus,
    errors=(NameTaken, BadSpecification),
)


class _NodeKillArguments(msgspec.Struct, array_like=True, frozen=True):
    process: scalars.Id


_NODE_KILL = runtime.Method(
    "kill",
    "glow.core/Node.kill",
    0x68690C0A,
    _NodeKillArguments,
    result=ProcessStatus,
)


class _NodeInviteArguments(msgspec.Struct, array_like=True, frozen=True):
    name: Label = ""
    role: Role = Role.MEMBER
    lifetime: float = 0.0
    accept: bool = False
    at: Annotated[list[Annotated[str, msgspec.Meta(max_length=4096)]], msgspec.Meta(max_length=16)] = []


_NODE_INVITE = runtime.Method(
    "invite",
    "glow.core/Node.invite",
    0xDF0D41CA,
    _NodeInviteArguments,
    result_stream=PairingEvent,
)


class _NodeConfirmArguments(msgspec.Struct, array_like=True, frozen=True):
    invite: scalars.Id
    accept: bool


_NODE_CONFIRM = runtime.Method(
    "confirm",
    "glow.core/Node.confirm",
    0x2DDF27C6,
    _NodeConfirmArguments,
)


class _NodeJoinArguments(msgspec.Struct, array_like=True, frozen=True):
    link: Annotated[str, msgspec.Meta(max_length=4096)]
    name: Label = ""


_NODE_JOIN = runtime.Method(
    "join",
    "glow.core/Node.join",
    0x6C040520,
    _NodeJoinArguments,
    result=NodeStatus,
    errors=(InviteRefused,),
)


class _NodeStopArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_STOP = runtime.Method(
    "stop",
    "glow.core/Node.stop",
    0x7E8041DD,
    _NodeStopArguments,
)


class _NodeIntroduceArguments(msgspec.Struct, array_like=True, frozen=True):
    id: scalars.Id
    key: Key
    narrowing: bytes = b""


_NODE_INTRODUCE = runtime.Method(
    "introduce",
    "glow.core/Node.introduce",
    0x45FECE71,
    _NodeIntroduceArguments,
    result=scalars.Id,
)


class _NodeConfigurationArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_CONFIGURATION = runtime.Method(
    "configuration",
    "glow.core/Node.configuration",
    0xB33F07C2,
    _NodeConfigurationArguments,
    result=Configuration,
    idempotent=True,
)


class _NodeConfigureArguments(msgspec.Struct, array_like=True, frozen=True):
    key: Annotated[str, msgspec.Meta(max_length=256)]
    value: Annotated[str, msgspec.Meta(max_length=4096)] | None = None


_NODE_CONFIGURE = runtime.Method(
    "configure",
    "glow.core/Node.configure",
    0xB5CE51D5,
    _NodeConfigureArguments,
    result=ConfigurationChange,
    errors=(BadConfiguration,),
)


class _NodeConfigurationHistoryArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_CONFIGURATION_HISTORY = runtime.Method(
    "configuration_history",
    "glow.core/Node.configuration_history",
    0x80A8A078,
    _NodeConfigurationHistoryArguments,
    result=list[ConfigurationEntry],
    idempotent=True,
)


class _NodeConfigurationTextArguments(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32


_NODE_CONFIGURATION_TEXT = runtime.Method(
    "configuration_text",
    "glow.core/Node.configuration_text",
    0x5D3773E2,
    _NodeConfigurationTextArguments,
    result=bytes,
    idempotent=True,
)


class _NodeConfigurationRollbackArguments(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32 | None = None


_NODE_CONFIGURATION_ROLLBACK = runtime.Method(
    "configuration_rollback",
    "glow.core/Node.configuration_rollback",
    0x61E6FD1E,
    _NodeConfigurationRollbackArguments,
    result=ConfigurationChange,
    errors=(BadConfiguration,),
)


class _NodeLinksListArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_LINKS_LIST = runtime.Method(
    "links_list",
    "glow.core/Node.links_list",
    0xD6A3CF83,
    _NodeLinksListArguments,
    result=list[StandingLink],
    idempotent=True,
)


class _NodeLinksAddArguments(msgspec.Struct, array_like=True, frozen=True):
    urls: Annotated[list[Annotated[str, msgspec.Meta(max_length=4096)]], msgspec.Meta(max_length=16)]
    key: Key | None = None


_NODE_LINKS_ADD = runtime.Method(
    "links_add",
    "glow.core/Node.links_add",
    0xB6443EF4,
    _NodeLinksAddArguments,
    result=StandingLink,
)


class _NodeLinksRemoveArguments(msgspec.Struct, array_like=True, frozen=True):
    urls: Annotated[list[Annotated[str, msgspec.Meta(max_length=4096)]], msgspec.Meta(max_length=16)]


_NODE_LINKS_REMOVE = runtime.Method(
    "links_remove",
    "glow.core/Node.links_remove",
    0x76857B1E,
    _NodeLinksRemoveArguments,
)


class _NodeLogsArguments(msgspec.Struct, array_like=True, frozen=True):
    after: scalars.u64 = 0
    last: scalars.u64 | None = None
    follow: bool = False
    level: LogLevel = LogLevel.DEBUG
    process: Annotated[str, msgspec.Meta(max_length=63)] = ""


_NODE_LOGS = runtime.Method(
    "logs",
    "glow.core/Node.logs",
    0x13115155,
    _NodeLogsArguments,
    result_stream=LogRecord,
)


class _NodeMetricsArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_METRICS = runtime.Method(
    "metrics",
    "glow.core/Node.metrics",
    0x046FF3D7,
    _NodeMetricsArguments,
    result=list[Metric],
    idempotent=True,
)


class _NodeRecordsArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_RECORDS = runtime.Method(
    "records",
    "glow.core/Node.records",
    0xA8577EA0,
    _NodeRecordsArguments,
    result=list[LinkStateRecord],
    idempotent=True,
)


class _NodeRoutesArguments(msgspec.Struct, array_like=True, frozen=True):
    destination: Address | None = None


_NODE_ROUTES = runtime.Method(
    "routes",
    "glow.core/Node.routes",
    0xA148003C,
    _NodeRoutesArguments,
    result=list[Route],
    idempotent=True,
)


class _NodeMeetArguments(msgspec.Struct, array_like=True, frozen=True):
    caller: Meeting


_NODE_MEET = runtime.Method(
    "meet",
    "glow.core/Node.meet",
    0xBFBD728D,
    _NodeMeetArguments,
    result=Meeting,
)


class _NodeLinkOfferArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_NODE_LINK_OFFER = runtime.Method(
    "link_offer",
    "glow.core/Node.link_offer",
    0xFC7F3FC5,
    _NodeLinkOfferArguments,
    result=LinkOffer,
    errors=(LinkFailed,),
)


class _NodeLinkAnswerArguments(msgspec.Struct, array_like=True, frozen=True):
    offer: Annotated[str, msgspec.Meta(max_length=16384)]


_NODE_LINK_ANSWER = runtime.Method(
    "link_answer",
    "glow.core/Node.link_answer",
    0xDD91E6C9,
    _NodeLinkAnswerArguments,
    result=str,
    errors=(LinkFailed,),
)


class _NodeLinkAcceptArguments(msgspec.Struct, array_like=True, frozen=True):
    number: scalars.u32
    answer: Annotated[str, msgspec.Meta(max_length=16384)]


_NODE_LINK_ACCEPT = runtime.Method(
    "link_accept",
    "glow.core/Node.link_accept",
    0xEDEB1B78,
    _NodeLinkAcceptArguments,
    result=NodeSummary,
    errors=(LinkFailed,),
)


class ResourceServer(runtime.Server):
    """Base of every process that serves Resource; a missing method answers NoSuchMethod."""

    proto = "glow.core.Resource"
    methods: ClassVar[tuple[runtime.Method, ...]] = (_RESOURCE_DESCRIBE,)

    def describe(self) -> runtime.Answer[Description]:
        """The compiled interface, from which a caller without stubs can build its calls."""
        return runtime.describe(self)


class ProcessServer(ResourceServer):
    """Base of every process that serves Process; a missing method answers NoSuchMethod."""

    proto = "glow.core.Process"
    methods: ClassVar[tuple[runtime.Method, ...]] = (*ResourceServer.methods, _PROCESS_STATUS)

    def status(self) -> runtime.Answer[ProcessStatus]:
        return runtime.missing(_PROCESS_STATUS)


class NodeServer(ProcessServer):
    """Base of every process that serves Node; a missing method answers NoSuchMethod."""

    proto = "glow.core.Node"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *ProcessServer.methods,
        _NODE_NODE_STATUS,
        _NODE_RESOLVE,
        _NODE_RESOURCES,
        _NODE_PROCESSES,
        _NODE_ROUTE,
        _NODE_ECHO,
        _NODE_CREATE,
        _NODE_KILL,
        _NODE_INVITE,
        _NODE_CONFIRM,
        _NODE_JOIN,
        _NODE_STOP,
        _NODE_INTRODUCE,
        _NODE_CONFIGURATION,
        _NODE_CONFIGURE,
        _NODE_CONFIGURATION_HISTORY,
        _NODE_CONFIGURATION_TEXT,
        _NODE_CONFIGURATION_ROLLBACK,
        _NODE_LINKS_LIST,
        _NODE_LINKS_ADD,
        _NODE_LINKS_REMOVE,
        _NODE_LOGS,
        _NODE_METRICS,
        _NODE_RECORDS,
        _NODE_ROUTES,
        _NODE_MEET,
        _NODE_LINK_OFFER,
        _NODE_LINK_ANSWER,
        _NODE_LINK_ACCEPT,
    )

    def node_status(self) -> runtime.Answer[NodeStatus]:
        return runtime.missing(_NODE_NODE_STATUS)

    def resolve(self, name: str) -> runtime.Answer[Location]:
        """Where "nas", "nas/files" or "self/files" is; an address prefix of at least 4 characters serves as a node's name."""
        return runtime.missing(_NODE_RESOLVE)

    def resources(self, node: Address) -> runtime.Answer[list[ResourceStatus]]:
        """Resources of one node of the namespace, from its directory statement."""
        return runtime.missing(_NODE_RESOURCES)

    def processes(self) -> runtime.Answer[list[ProcessStatus]]:
        return runtime.missing(_NODE_PROCESSES)

    def route(self, destination: Address) -> runtime.Answer[list[Hop]]:
        """The nodes that a packet from here to `destination` visits, this node first."""
        return runtime.missing(_NODE_ROUTE)

    def echo(self, payload: bytes) -> runtime.Answer[bytes]:
        """Answers its argument; measures a round trip."""
        return runtime.missing(_NODE_ECHO)

    def create(self, specification: Specification) -> runtime.Answer[ProcessStatus]:
        """Administrators only."""
        return runtime.missing(_NODE_CREATE)

    def kill(self, process: bytes) -> runtime.Answer[ProcessStatus]:
        """Administrators only: ends a process and forgets its specification."""
        return runtime.missing(_NODE_KILL)

    def invite(
        self,
        name: Label,
        role: Role,
        lifetime: float,
        accept: bool,
        at: list[str],
    ) -> runtime.Items[PairingEvent]:
        """Administrators only: makes an invite and tells what becomes of it until the stream is closed; the invite stays valid.
        With `accept` a right proof is enough, else confirm() must follow an `asked`. A lifetime of 0 is the node's setting.
        A device that cannot dial this one is dialled itself, at the addresses `at`, and kept linked from then on.
        """
        return runtime.missing(_NODE_INVITE)

    def confirm(self, invite: bytes, accept: bool) -> runtime.Answer[None]:
        """Administrators only: the person's answer to an `asked`."""
        return runtime.missing(_NODE_CONFIRM)

    def join(self, link: str, name: Label) -> runtime.Answer[NodeStatus]:
        """Local user only: joins the namespace that an invite link names."""
        return runtime.missing(_NODE_JOIN)

    def stop_(self) -> runtime.Answer[None]:
        """Local user only: ends the node after its processes ended."""
        return runtime.missing(_NODE_STOP)

    def introduce(self, id: bytes, key: Key, narrowing: bytes) -> runtime.Answer[bytes]:
        """A fresh id through which the holder of `key` uses `id` with the caller's rights; held 60 s until used."""
        return runtime.missing(_NODE_INTRODUCE)

    def configuration(self) -> runtime.Answer[Configuration]:
        """Administrators only, as all of these: what the node is set to, and why."""
        return runtime.missing(_NODE_CONFIGURATION)

    def configure(self, key: str, value: str | None) -> runtime.Answer[ConfigurationChange]:
        """Gives a setting a value: TOML, or text that needs no quotes. null: its default."""
        return runtime.missing(_NODE_CONFIGURE)

    def configuration_history(self) -> runtime.Answer[list[ConfigurationEntry]]:
        """The newest 1,000 changes, newest first."""
        return runtime.missing(_NODE_CONFIGURATION_HISTORY)

    def configuration_text(self, number: int) -> runtime.Answer[bytes]:
        """The file as a change left it."""
        return runtime.missing(_NODE_CONFIGURATION_TEXT)

    def configuration_rollback(self, number: int | None) -> runtime.Answer[ConfigurationChange]:
        """Goes back to the file that change `number` left; null: to the last good one before the newest change."""
        return runtime.missing(_NODE_CONFIGURATION_ROLLBACK)

    def links_list(self) -> runtime.Answer[list[StandingLink]]:
        return runtime.missing(_NODE_LINKS_LIST)

    def links_add(self, urls: list[str], key: Key | None) -> runtime.Answer[StandingLink]:
        """Administrators only: keeps a link to one node, at whichever of the addresses answers; tells how the first attempt went.
        `pipe:` and other addresses that mean something on this device alone are for its own user.
        """
        return runtime.missing(_NODE_LINKS_ADD)

    def links_remove(self, urls: list[str]) -> runtime.Answer[None]:
        """Administrators only: dials these addresses no more, and ends the links that were made there."""
        return runtime.missing(_NODE_LINKS_REMOVE)

    def logs(
        self,
        after: int,
        last: int | None,
        follow: bool,
        level: LogLevel,
        process: str,
    ) -> runtime.Items[LogRecord]:
        """Administrators only: what was said, oldest first, of the last 10,000 records: those after the one with number
        `after`, of a process, of a level and above, and of these the `last` ones. With `follow` it goes on with what
        comes; who is too slow for that loses the oldest.
        """
        return runtime.missing(_NODE_LOGS)

    def metrics(self) -> runtime.Answer[list[Metric]]:
        """What the node counts and measures."""
        return runtime.missing(_NODE_METRICS)

    def records(self) -> runtime.Answer[list[LinkStateRecord]]:
        """What every node of the namespace last said of itself, as far as it is known here."""
        return runtime.missing(_NODE_RECORDS)

    def routes(self, destination: Address | None) -> runtime.Answer[list[Route]]:
        """The ways to all nodes that can be reached, or to one."""
        return runtime.missing(_NODE_ROUTES)

    def meet(self, caller: Meeting) -> runtime.Answer[Meeting]:
        """Members and administrators of the namespace: how the caller can be reached, for how this node can be. Each then
        dials the other. Only the node with the lower address offers a description; the answer has one, too.
        """
        return runtime.missing(_NODE_MEET)

    def link_offer(self) -> runtime.Answer[LinkOffer]:
        """Local user only: offers a direct link to whichever device of the namespace answers within 10 minutes."""
        return runtime.missing(_NODE_LINK_OFFER)

    def link_answer(self, offer: str) -> runtime.Answer[str]:
        """Local user only: answers an offer; the text is for the device that made it."""
        return runtime.missing(_NODE_LINK_ANSWER)

    def link_accept(self, number: int, answer: str) -> runtime.Answer[NodeSummary]:
        """Local user only: takes the answer to an offer; returns who is linked, once it is."""
        return runtime.missing(_NODE_LINK_ACCEPT)


SCHEMA: Final = rb"""{"format":1,"library":"glow.core","doc":"What every resource, process and node answers.","declarations":[
{"kind":"alias","name":"glow.core.Address","doc":"The first 16 bytes of BLAKE2b-256 of a node's Ed25519 key.","type":{"kind":"Bytes","size":16}},
{"kind":"alias","name":"glow.core.Key","doc":"An Ed25519 public key.","type":{"kind":"Bytes","size":32}},
{"kind":"alias","name":"glow.core.Label","doc":"A name that a person gave: `[a-z0-9-]`.","type":{"kind":"String","bound":63}},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]},
{"kind":"enum","name":"glow.core.ProcessKind","members":[{"name":"BUILTIN","value":1},{"name":"PLUGIN","value":2},{"name":"THREAD","value":3},{"name":"PROGRAM","value":4},{"name":"WASM","value":5}]},
{"kind":"enum","name":"glow.core.ProcessState","members":[{"name":"STARTING","value":1},{"name":"RUNNING","value":2},{"name":"WAITING","value":3},{"name":"FAILED","value":4},{"name":"STOPPED","value":5}]},
{"kind":"enum","name":"glow.core.Role","members":[{"name":"ADMIN","value":1},{"name":"MEMBER","value":2},{"name":"GUEST","value":3},{"name":"RELAY","value":4}]},
{"kind":"struct","name":"glow.core.Specification","doc":"What a process is made from; a node keeps it and starts the process again with it.","fields":[{"name":"label","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"kind","type":{"kind":"Ref","name":"glow.core.ProcessKind"}},{"name":"program","type":{"kind":"String","bound":4096},"doc":"The entry point's name (builtin, plugin) or the executable (program)."},{"name":"arguments","type":{"kind":"Array","of":[{"kind":"String","bound":65536}],"bound":1024},"default":[[]]},{"name":"configuration","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"String"}]},"default":[{}]},{"name":"access","type":{"kind":"Ref","name":"glow.core.Role"},"doc":"The lowest role that may call it: MEMBER or ADMIN.","default":[2]}]},
{"kind":"struct","name":"glow.core.ProcessStatus","fields":[{"name":"id","type":{"kind":"Id"}},{"name":"label","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"kind","type":{"kind":"Ref","name":"glow.core.ProcessKind"}},{"name":"program","type":{"kind":"String"}},{"name":"proto","type":{"kind":"String"}},{"name":"state","type":{"kind":"Ref","name":"glow.core.ProcessState"}},{"name":"reason","type":{"kind":"String"},"doc":"Why it is in this state."},{"name":"restarts","type":{"kind":"u32"}},{"name":"started","type":{"kind":"Optional","of":[{"kind":"Timestamp"}]}},{"name":"os_process","type":{"kind":"Optional","of":[{"kind":"u32"}]}}]},
{"kind":"proto","name":"glow.core.Process","doc":"A program that owns resources and answers for them.","bases":["glow.core.Resource"],"methods":[{"name":"status","path":"glow.core/Process.status","selector":2799993641,"result":{"kind":"Ref","name":"glow.core.ProcessStatus"},"idempotent":true}]},
{"kind":"struct","name":"glow.core.LinkStatus","fields":[{"name":"peer","type":{"kind":"Ref","name":"glow.core.Label"},"doc":"Label of the node at the other end, empty while it is not known."},{"name":"address","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]}},{"name":"kind","type":{"kind":"String"}},{"name":"url","type":{"kind":"String"}},{"name":"state","type":{"kind":"String"},"doc":"up, connecting or waiting"},{"name":"reason","type":{"kind":"String"}},{"name":"round_trip","type":{"kind":"Optional","of":[{"kind":"Duration"}]}},{"name":"since","type":{"kind":"Optional","of":[{"kind":"Timestamp"}]}},{"name":"sent","type":{"kind":"u64"}},{"name":"received","type":{"kind":"u64"}},{"name":"hint","type":{"kind":"String"},"doc":"What helps against the reason; empty if nothing does.","default":[""]},{"name":"certified","type":{"kind":"bool"},"doc":"False while the neighbour has shown no certificate; nothing is relayed for it then.","default":[true]},{"name":"retry","type":{"kind":"Optional","of":[{"kind":"Timestamp"}]},"doc":"When a waiting link is tried again.","default":[null]},{"name":"admitted","type":{"kind":"bool"},"doc":"Without a certificate, but dealt with as a hub or as a node that uses this hub.","default":[false]}]},
{"kind":"struct","name":"glow.core.StandingLink","doc":"A node that is dialled until it is linked, and again when the link ends.","fields":[{"name":"urls","type":{"kind":"Array","of":[{"kind":"String"}]},"doc":"In the order in which they are tried."},{"name":"key","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Key"}]},"doc":"Whose key must answer there; whoever answers, if it is null."},{"name":"peer","type":{"kind":"Ref","name":"glow.core.Label"},"doc":"The node at the other end, as far as it is known."},{"name":"address","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]}},{"name":"state","type":{"kind":"String"},"doc":"up, connecting or waiting"},{"name":"reason","type":{"kind":"String"}},{"name":"hint","type":{"kind":"String"},"doc":"What helps against the reason; empty if nothing does."},{"name":"url","type":{"kind":"String"},"doc":"The address and kind of the link that is up; empty if none is."},{"name":"kind","type":{"kind":"String"}},{"name":"since","type":{"kind":"Timestamp"},"doc":"Since when it is in this state."},{"name":"next_attempt","type":{"kind":"Optional","of":[{"kind":"Duration"}]},"doc":"Until it is dialled again, while it is waiting."},{"name":"round_trip","type":{"kind":"Optional","of":[{"kind":"Duration"}]}}]},
{"kind":"struct","name":"glow.core.NodeSummary","fields":[{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"address","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"key","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"role","type":{"kind":"Ref","name":"glow.core.Role"}},{"name":"reachable","type":{"kind":"bool"}},{"name":"how","type":{"kind":"String"},"doc":"this node, direct tcp, via relay, or unreachable"},{"name":"hops","type":{"kind":"u8"}},{"name":"reason","type":{"kind":"String"},"doc":"Why it is reached this way, or not at all."},{"name":"platform","type":{"kind":"String"}},{"name":"expires","type":{"kind":"Optional","of":[{"kind":"Timestamp"}]},"doc":"When its certificate ends; null if it has none.","default":[null]},{"name":"clash","type":{"kind":"bool"},"doc":"Another node had this name first: it answers to its address only.","default":[false]},{"name":"direct","type":{"kind":"String"},"doc":"What came of the last attempt at a direct link, and when the next is made; empty if none was needed.","default":[""]}]},
{"kind":"struct","name":"glow.core.NodeStatus","fields":[{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"address","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"key","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"namespace","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"role","type":{"kind":"Ref","name":"glow.core.Role"}},{"name":"version","type":{"kind":"String"}},{"name":"platform","type":{"kind":"String"}},{"name":"home","type":{"kind":"String"}},{"name":"started","type":{"kind":"Timestamp"}},{"name":"listening","type":{"kind":"Array","of":[{"kind":"String"}]}},{"name":"nodes","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.NodeSummary"}]}},{"name":"links","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.LinkStatus"}]}},{"name":"counters","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"u64"}]},"default":[{}]},{"name":"lapsed","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.NodeSummary"}]},"doc":"Nodes whose certificate has ended; they can do nothing until an administrator renews it.","default":[[]]},{"name":"relaying","type":{"kind":"Ref","name":"glow.core.Relaying"},"doc":"How willing it is to forward for others, and why if it is not simply willing.","default":[1]},{"name":"relaying_why","type":{"kind":"String"},"default":[""]},{"name":"serves","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Key"}]},"doc":"Namespaces of others for which this node is a relay: it connects those that it serves, its own among them.","default":[[]]}]},
{"kind":"struct","name":"glow.core.ResourceStatus","doc":"A resource as its node's directory statement shows it.","fields":[{"name":"id","type":{"kind":"Id"}},{"name":"label","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"proto","type":{"kind":"String"}},{"name":"access","type":{"kind":"Ref","name":"glow.core.Role"}}]},
{"kind":"struct","name":"glow.core.Location","fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"key","type":{"kind":"Ref","name":"glow.core.Key"},"doc":"All zeros for a node of another namespace."},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"resource","type":{"kind":"Id"}},{"name":"label","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"proto","type":{"kind":"String"}}]},
{"kind":"struct","name":"glow.core.Hop","fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"link","type":{"kind":"String"},"doc":"Kind of the link that leads to this hop; empty for the first, this node itself."},{"name":"round_trip","type":{"kind":"Optional","of":[{"kind":"Duration"}]}}]},
{"kind":"enum","name":"glow.core.Relaying","doc":"How willing a node is to forward for others.","members":[{"name":"ALWAYS","value":1},{"name":"WHEN_NEEDED","value":2},{"name":"NEVER","value":3}]},
{"kind":"struct","name":"glow.core.Edge","fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"cost","type":{"kind":"u64"},"doc":"\u00b5s, as its record says; an edge counts only while both ends list it, at the larger cost."}]},
{"kind":"struct","name":"glow.core.LinkStateRecord","doc":"What a node last said of itself, as the asked node holds it.","fields":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"instance","type":{"kind":"Bytes"}},{"name":"sequence","type":{"kind":"u64"}},{"name":"age","type":{"kind":"Duration"}},{"name":"relaying","type":{"kind":"Ref","name":"glow.core.Relaying"}},{"name":"neighbours","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Edge"}]}},{"name":"attached","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Address"}]},"doc":"Foreigners that are attached to it."}]},
{"kind":"struct","name":"glow.core.Route","doc":"The way that packets of the asked node take to one other.","fields":[{"name":"destination","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"next_hop","type":{"kind":"Ref","name":"glow.core.Address"},"doc":"The neighbour that packets go to first, and the link by which."},{"name":"next_name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"link","type":{"kind":"String"}},{"name":"round_trip","type":{"kind":"Optional","of":[{"kind":"Duration"}]}},{"name":"cost","type":{"kind":"u64"},"doc":"\u00b5s, of all links on the way together."},{"name":"hops","type":{"kind":"u32"}},{"name":"queued","type":{"kind":"u64"},"doc":"Bytes of other nodes' packets that wait for that link."},{"name":"alternate","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]},"doc":"The neighbour that stands in at once if that link is lost; null: until routes are computed anew there is none.","default":[null]},{"name":"alternate_name","type":{"kind":"Ref","name":"glow.core.Label"},"default":[""]},{"name":"waypoints","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Address"}]},"doc":"The nodes that packets of this node go to one after another, because a relay on that way seems to swallow them.","default":[[]]},{"name":"waypoint_names","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Label"}]},"default":[[]]},{"name":"hub","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]},"doc":"For a node of another namespace: the hub that takes packets there; cost and hops are those to the hub.","default":[null]},{"name":"hub_name","type":{"kind":"Ref","name":"glow.core.Label"},"default":[""]}]},
{"kind":"struct","name":"glow.core.Invite","fields":[{"name":"id","type":{"kind":"Id"}},{"name":"link","type":{"kind":"String"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"expires","type":{"kind":"Timestamp"}}]},
{"kind":"enum","name":"glow.core.LogLevel","members":[{"name":"DEBUG","value":10},{"name":"INFO","value":20},{"name":"WARNING","value":30},{"name":"ERROR","value":40},{"name":"CRITICAL","value":50}]},
{"kind":"struct","name":"glow.core.LogRecord","doc":"Something that a node, or a process of it, said.","fields":[{"name":"number","type":{"kind":"u64"},"doc":"The first since the node started is 1."},{"name":"time","type":{"kind":"Timestamp"}},{"name":"level","type":{"kind":"Ref","name":"glow.core.LogLevel"}},{"name":"process","type":{"kind":"String"},"doc":"Label of the process that said it, \"node\" for the node itself."},{"name":"logger","type":{"kind":"String"},"doc":"Where in the program: the name of a Python logger, \"stderr\", \"process\" for its state."},{"name":"message","type":{"kind":"String"}},{"name":"fields","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"String"}]},"default":[{}]},{"name":"lost","type":{"kind":"u64"},"doc":"How many records are gone between the one that was given before this one and this one.","default":[0]}]},
{"kind":"enum","name":"glow.core.MetricKind","members":[{"name":"COUNTER","value":1},{"name":"GAUGE","value":2}]},
{"kind":"struct","name":"glow.core.Metric","doc":"One value of one series; the name says the unit, as Prometheus has it.","fields":[{"name":"name","type":{"kind":"String"}},{"name":"kind","type":{"kind":"Ref","name":"glow.core.MetricKind"}},{"name":"help","type":{"kind":"String"}},{"name":"labels","type":{"kind":"Map","of":[{"kind":"String"},{"kind":"String"}]}},{"name":"value","type":{"kind":"f64"}}]},
{"kind":"struct","name":"glow.core.PairingEventAsked","fields":[{"name":"invite","type":{"kind":"Id"}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"address","type":{"kind":"Ref","name":"glow.core.Address"}},{"name":"from","type":{"kind":"String"}}],"variant_of":"glow.core.PairingEvent"},
{"kind":"struct","name":"glow.core.PairingEventJoined","fields":[{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"}},{"name":"address","type":{"kind":"Ref","name":"glow.core.Address"}}],"variant_of":"glow.core.PairingEvent"},
{"kind":"struct","name":"glow.core.PairingEventRefused","fields":[{"name":"reason","type":{"kind":"String"}}],"variant_of":"glow.core.PairingEvent"},
{"kind":"union","name":"glow.core.PairingEvent","variants":[{"name":"created","ordinal":1,"type":{"kind":"Ref","name":"glow.core.Invite"},"doc":"The invite exists; its link can be shown."},{"name":"asked","ordinal":2,"type":{"kind":"Ref","name":"glow.core.PairingEventAsked"},"doc":"A device with a right proof waits for a yes."},{"name":"joined","ordinal":3,"type":{"kind":"Ref","name":"glow.core.PairingEventJoined"},"doc":"The device is certified."},{"name":"refused","ordinal":4,"type":{"kind":"Ref","name":"glow.core.PairingEventRefused"}}]},
{"kind":"struct","name":"glow.core.Setting","doc":"A setting of a node. Values are written as JSON, which is TOML too.","fields":[{"name":"key","type":{"kind":"String"}},{"name":"kind","type":{"kind":"String"},"doc":"What its value may be, for a person."},{"name":"value","type":{"kind":"String"},"doc":"In effect now."},{"name":"source","type":{"kind":"String"},"doc":"Where that comes from: a flag, a variable of the environment, \"file\" or \"default\"."},{"name":"default","type":{"kind":"String"}},{"name":"meaning","type":{"kind":"String"}},{"name":"applies","type":{"kind":"String"},"doc":"When a new value takes effect: \"at once\" or \"at a restart\"."},{"name":"pending","type":{"kind":"Optional","of":[{"kind":"String"}]},"doc":"What it will be after a restart, if that is something else."}]},
{"kind":"struct","name":"glow.core.Configuration","fields":[{"name":"path","type":{"kind":"String"},"doc":"The file."},{"name":"settings","type":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Setting"}]}},{"name":"problem","type":{"kind":"String"},"doc":"Why the file as it is now is not in effect; empty if it is."}]},
{"kind":"struct","name":"glow.core.ConfigurationEntry","doc":"A change of the configuration.","fields":[{"name":"number","type":{"kind":"u32"}},{"name":"time","type":{"kind":"Timestamp"},"doc":"For an edited file: when it was first seen."},{"name":"who","type":{"kind":"String"},"doc":"A user of the node's device, the name of another node, or \"edited file\"."},{"name":"key","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Key"}]},"doc":"The key of that other node."},{"name":"what","type":{"kind":"String"}}]},
{"kind":"struct","name":"glow.core.ConfigurationChange","fields":[{"name":"entry","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.ConfigurationEntry"}]},"doc":"null if nothing had to be changed"},{"name":"applied","type":{"kind":"Array","of":[{"kind":"String"}]},"doc":"Keys whose new value is in effect."},{"name":"restart","type":{"kind":"Array","of":[{"kind":"String"}]},"doc":"Keys whose new value comes with a restart."},{"name":"overridden","type":{"kind":"Array","of":[{"kind":"String"}]},"doc":"Keys above whose new value stands a flag of the running node, or a variable of its environment."}]},
{"kind":"error","name":"glow.core.BadConfiguration","doc":"No such setting, a value that does not fit it, or a file that cannot be used.","code":3496597385,"fields":[{"name":"what","type":{"kind":"String"}},{"name":"why","type":{"kind":"String"}},{"name":"help","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.core.NoSuchName","code":1163696138,"fields":[{"name":"name","type":{"kind":"String"}},{"name":"known","type":{"kind":"Array","of":[{"kind":"String"}]}}]},
{"kind":"error","name":"glow.core.NameTaken","code":1586044658,"fields":[{"name":"name","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.core.BadSpecification","code":4261919824,"fields":[{"name":"reason","type":{"kind":"String"}},{"name":"help","type":{"kind":"String"},"default":[""]}]},
{"kind":"error","name":"glow.core.LinkFailed","doc":"No link came about.","code":2442725887,"fields":[{"name":"what","type":{"kind":"String"}},{"name":"why","type":{"kind":"String"}},{"name":"help","type":{"kind":"String"}}]},
{"kind":"error","name":"glow.core.InviteRefused","code":2411434826,"fields":[{"name":"reason","type":{"kind":"String"}}]},
{"kind":"struct","name":"glow.core.Meeting","doc":"How a node can be reached: what two nodes tell each other so that they can link directly.","fields":[{"name":"urls","type":{"kind":"Array","of":[{"kind":"String","bound":512}],"bound":8},"doc":"Addresses: tcp, ws, wss."},{"name":"description","type":{"kind":"String","bound":16384},"doc":"A WebRTC session description (SDP) with all its candidates; empty if none is offered, or none can be answered.","default":[""]},{"name":"reason","type":{"kind":"String","bound":512},"doc":"Why there is no description in an answer.","default":[""]},{"name":"behind","type":{"kind":"String","bound":512},"doc":"What it is behind, for people: a NAT of which kind, or nothing.","default":[""]},{"name":"unrelayed","type":{"kind":"bool"},"doc":"Neither end is to use TURN: what it relays would be there first, and hide that there is a direct way.","default":[false]}]},
{"kind":"struct","name":"glow.core.LinkOffer","doc":"A direct link on offer, for a person to carry to the other device.","fields":[{"name":"number","type":{"kind":"u32"}},{"name":"text","type":{"kind":"String"}}]},
{"kind":"proto","name":"glow.core.Node","doc":"One relay on one device. Its resource id is its address.","bases":["glow.core.Process"],"methods":[{"name":"node_status","path":"glow.core/Node.node_status","selector":4173643393,"result":{"kind":"Ref","name":"glow.core.NodeStatus"},"idempotent":true},{"name":"resolve","path":"glow.core/Node.resolve","selector":3336570575,"arguments":[{"name":"name","type":{"kind":"String","bound":512}}],"result":{"kind":"Ref","name":"glow.core.Location"},"throws":["glow.core.NoSuchName"],"idempotent":true,"doc":"Where \"nas\", \"nas/files\" or \"self/files\" is; an address prefix of at least 4 characters serves as a node's name."},{"name":"resources","path":"glow.core/Node.resources","selector":1370279882,"arguments":[{"name":"node","type":{"kind":"Ref","name":"glow.core.Address"}}],"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.ResourceStatus"}]},"idempotent":true,"doc":"Resources of one node of the namespace, from its directory statement."},{"name":"processes","path":"glow.core/Node.processes","selector":1979840872,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.ProcessStatus"}]},"idempotent":true},{"name":"route","path":"glow.core/Node.route","selector":3450544807,"arguments":[{"name":"destination","type":{"kind":"Ref","name":"glow.core.Address"}}],"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Hop"}]},"idempotent":true,"doc":"The nodes that a packet from here to `destination` visits, this node first."},{"name":"echo","path":"glow.core/Node.echo","selector":2024166333,"arguments":[{"name":"payload","type":{"kind":"Bytes","bound":65536}}],"result":{"kind":"Bytes"},"idempotent":true,"doc":"Answers its argument; measures a round trip."},{"name":"create","path":"glow.core/Node.create","selector":2187511042,"arguments":[{"name":"specification","type":{"kind":"Ref","name":"glow.core.Specification"}}],"result":{"kind":"Ref","name":"glow.core.ProcessStatus"},"throws":["glow.core.NameTaken","glow.core.BadSpecification"],"doc":"Administrators only."},{"name":"kill","path":"glow.core/Node.kill","selector":1751714826,"arguments":[{"name":"process","type":{"kind":"Id"}}],"result":{"kind":"Ref","name":"glow.core.ProcessStatus"},"doc":"Administrators only: ends a process and forgets its specification."},{"name":"invite","path":"glow.core/Node.invite","selector":3742187978,"arguments":[{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"},"default":[""]},{"name":"role","type":{"kind":"Ref","name":"glow.core.Role"},"default":[2]},{"name":"lifetime","type":{"kind":"Duration"},"default":[0.0]},{"name":"accept","type":{"kind":"bool"},"default":[false]},{"name":"at","type":{"kind":"Array","of":[{"kind":"String","bound":4096}],"bound":16},"default":[[]]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.core.PairingEvent"}]},"doc":"Administrators only: makes an invite and tells what becomes of it until the stream is closed; the invite stays valid.\nWith `accept` a right proof is enough, else confirm() must follow an `asked`. A lifetime of 0 is the node's setting.\nA device that cannot dial this one is dialled itself, at the addresses `at`, and kept linked from then on."},{"name":"confirm","path":"glow.core/Node.confirm","selector":769599430,"arguments":[{"name":"invite","type":{"kind":"Id"}},{"name":"accept","type":{"kind":"bool"}}],"doc":"Administrators only: the person's answer to an `asked`."},{"name":"join","path":"glow.core/Node.join","selector":1812202784,"arguments":[{"name":"link","type":{"kind":"String","bound":4096}},{"name":"name","type":{"kind":"Ref","name":"glow.core.Label"},"default":[""]}],"result":{"kind":"Ref","name":"glow.core.NodeStatus"},"throws":["glow.core.InviteRefused"],"doc":"Local user only: joins the namespace that an invite link names."},{"name":"stop","path":"glow.core/Node.stop","selector":2122334685,"doc":"Local user only: ends the node after its processes ended."},{"name":"introduce","path":"glow.core/Node.introduce","selector":1174326897,"arguments":[{"name":"id","type":{"kind":"Id"}},{"name":"key","type":{"kind":"Ref","name":"glow.core.Key"}},{"name":"narrowing","type":{"kind":"Bytes"},"default":[""]}],"result":{"kind":"Id"},"doc":"A fresh id through which the holder of `key` uses `id` with the caller's rights; held 60 s until used."},{"name":"configuration","path":"glow.core/Node.configuration","selector":3007252418,"result":{"kind":"Ref","name":"glow.core.Configuration"},"idempotent":true,"doc":"Administrators only, as all of these: what the node is set to, and why."},{"name":"configure","path":"glow.core/Node.configure","selector":3050197461,"arguments":[{"name":"key","type":{"kind":"String","bound":256}},{"name":"value","type":{"kind":"Optional","of":[{"kind":"String","bound":4096}]},"default":[null]}],"result":{"kind":"Ref","name":"glow.core.ConfigurationChange"},"throws":["glow.core.BadConfiguration"],"doc":"Gives a setting a value: TOML, or text that needs no quotes. null: its default."},{"name":"configuration_history","path":"glow.core/Node.configuration_history","selector":2158534776,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.ConfigurationEntry"}]},"idempotent":true,"doc":"The newest 1,000 changes, newest first."},{"name":"configuration_text","path":"glow.core/Node.configuration_text","selector":1563915234,"arguments":[{"name":"number","type":{"kind":"u32"}}],"result":{"kind":"Bytes"},"idempotent":true,"doc":"The file as a change left it."},{"name":"configuration_rollback","path":"glow.core/Node.configuration_rollback","selector":1642528030,"arguments":[{"name":"number","type":{"kind":"Optional","of":[{"kind":"u32"}]},"default":[null]}],"result":{"kind":"Ref","name":"glow.core.ConfigurationChange"},"throws":["glow.core.BadConfiguration"],"doc":"Goes back to the file that change `number` left; null: to the last good one before the newest change."},{"name":"links_list","path":"glow.core/Node.links_list","selector":3601059715,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.StandingLink"}]},"idempotent":true},{"name":"links_add","path":"glow.core/Node.links_add","selector":3057925876,"arguments":[{"name":"urls","type":{"kind":"Array","of":[{"kind":"String","bound":4096}],"bound":16}},{"name":"key","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Key"}]},"default":[null]}],"result":{"kind":"Ref","name":"glow.core.StandingLink"},"doc":"Administrators only: keeps a link to one node, at whichever of the addresses answers; tells how the first attempt went.\n`pipe:` and other addresses that mean something on this device alone are for its own user."},{"name":"links_remove","path":"glow.core/Node.links_remove","selector":1988459294,"arguments":[{"name":"urls","type":{"kind":"Array","of":[{"kind":"String","bound":4096}],"bound":16}}],"doc":"Administrators only: dials these addresses no more, and ends the links that were made there."},{"name":"logs","path":"glow.core/Node.logs","selector":319902037,"arguments":[{"name":"after","type":{"kind":"u64"},"default":[0]},{"name":"last","type":{"kind":"Optional","of":[{"kind":"u64"}]},"default":[null]},{"name":"follow","type":{"kind":"bool"},"default":[false]},{"name":"level","type":{"kind":"Ref","name":"glow.core.LogLevel"},"default":[10]},{"name":"process","type":{"kind":"String","bound":63},"default":[""]}],"result":{"kind":"Stream","of":[{"kind":"Ref","name":"glow.core.LogRecord"}]},"doc":"Administrators only: what was said, oldest first, of the last 10,000 records: those after the one with number\n`after`, of a process, of a level and above, and of these the `last` ones. With `follow` it goes on with what\ncomes; who is too slow for that loses the oldest."},{"name":"metrics","path":"glow.core/Node.metrics","selector":74445783,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Metric"}]},"idempotent":true,"doc":"What the node counts and measures."},{"name":"records","path":"glow.core/Node.records","selector":2824306336,"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.LinkStateRecord"}]},"idempotent":true,"doc":"What every node of the namespace last said of itself, as far as it is known here."},{"name":"routes","path":"glow.core/Node.routes","selector":2705850428,"arguments":[{"name":"destination","type":{"kind":"Optional","of":[{"kind":"Ref","name":"glow.core.Address"}]},"default":[null]}],"result":{"kind":"Array","of":[{"kind":"Ref","name":"glow.core.Route"}]},"idempotent":true,"doc":"The ways to all nodes that can be reached, or to one."},{"name":"meet","path":"glow.core/Node.meet","selector":3216863885,"arguments":[{"name":"caller","type":{"kind":"Ref","name":"glow.core.Meeting"}}],"result":{"kind":"Ref","name":"glow.core.Meeting"},"doc":"Members and administrators of the namespace: how the caller can be reached, for how this node can be. Each then\ndials the other. Only the node with the lower address offers a description; the answer has one, too."},{"name":"link_offer","path":"glow.core/Node.link_offer","selector":4236197829,"result":{"kind":"Ref","name":"glow.core.LinkOffer"},"throws":["glow.core.LinkFailed"],"doc":"Local user only: offers a direct link to whichever device of the namespace answers within 10 minutes."},{"name":"link_answer","path":"glow.core/Node.link_answer","selector":3717326537,"arguments":[{"name":"offer","type":{"kind":"String","bound":16384}}],"result":{"kind":"String"},"throws":["glow.core.LinkFailed"],"doc":"Local user only: answers an offer; the text is for the device that made it."},{"name":"link_accept","path":"glow.core/Node.link_accept","selector":3991608184,"arguments":[{"name":"number","type":{"kind":"u32"}},{"name":"answer","type":{"kind":"String","bound":16384}}],"result":{"kind":"Ref","name":"glow.core.NodeSummary"},"throws":["glow.core.LinkFailed"],"doc":"Local user only: takes the answer to an offer; returns who is linked, once it is."}]}
]}
"""
Resource.schema = SCHEMA
Process.schema = SCHEMA
Node.schema = SCHEMA
ResourceServer.schema = SCHEMA
ProcessServer.schema = SCHEMA
NodeServer.schema = SCHEMA
