"""What server, agent and edge say to each other: one frozen dataclass a message, with the limits of everything in it.

The names are Python's here and camelCase on the wire; `codec` translates and enforces the limits when a frame comes in.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, Predicate

from spunto.core.kernel.problem import Code, ErrorText, Problem

PROTOCOL_MIN = 2
PROTOCOL_MAX = 2

MAX_ITEMS = 4096

JsonObject = dict[str, Any]
"""A JSON object whose fields are somebody else's business; the frame limit bounds it."""

SmallObject = Annotated[JsonObject, MaxLen(128)]
Ident = Annotated[str, Predicate(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}").fullmatch)]
KindName = Annotated[str, Predicate(re.compile(r"[a-z][a-z0-9_-]{0,31}").fullmatch)]
"""A kind of subject. The other side may know kinds that this one does not."""
Capabilities = Annotated[tuple[Ident, ...], MaxLen(256)]
"""What a side can do, such as `kind:worker` and `stream:exec`, or which messages it knows beyond those of version 2."""
ShortText = Annotated[str, MaxLen(255)]
Natural = Annotated[int, Ge(0), Le(2**53 - 1)]
StreamId = Annotated[int, Ge(1), Le(2**32 - 1)]
# The years are bounded so that no arithmetic with the other side's clock can overflow.
Instant = Annotated[
    datetime,
    Predicate(lambda at: at.tzinfo is not None),
    Ge(datetime(2000, 1, 1, tzinfo=UTC)),
    Le(datetime(2200, 1, 1, tzinfo=UTC)),
]


class Wanted(StrEnum):
    """Whether a subject should stand on the node. `absent` is sticky and holds from every state."""

    PRESENT = "present"
    ABSENT = "absent"


class Phase(StrEnum):
    """How far the node is with a subject. `refused` is no outcome: the agent does not understand all that is asked for,
    and leaves the subject as it stands."""

    PULLING = "pulling"
    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    REMOVING = "removing"
    ABSENT = "absent"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """The node's container engine; `error` says why it does not answer."""

    name: ShortText
    version: ShortText
    error: ErrorText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskReport:
    """The disk of the node's engine; of what is free, `reserve_bytes` and `reserve_files` are left to the machine.
    `total_files` is 0 where their number has no limit of its own."""

    total_bytes: Natural
    free_bytes: Natural
    reserve_bytes: Natural
    total_files: Natural = 0
    free_files: Natural = 0
    reserve_files: Natural = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the node has to give; no worker gets more than `max_worker_cpu_millis`. The machine's own figures are what
    is really there; agents of before did not tell them. `disk` is None where the agent can't look at it."""

    cpu_millis: Natural
    memory_bytes: Natural
    max_worker_cpu_millis: Natural
    machine_cpu_millis: Natural | None = None
    machine_memory_bytes: Natural | None = None
    disk: DiskReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for the streams of a session, both ways."""

    window_bytes: Annotated[int, Ge(64 * 1024), Le(4 * 1024 * 1024)] = 256 * 1024
    max_streams: Annotated[int, Ge(1), Le(4096)] = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The agent's first message."""

    protocol_min: Natural = PROTOCOL_MIN
    protocol_max: Natural = PROTOCOL_MAX
    agent_version: ShortText
    agent_commit: ShortText = ""
    instance_id: Ident
    boot_id: Ident
    capabilities: Capabilities = ()
    engine: EngineReport
    resources: Resources
    labels: Annotated[dict[ShortText, ShortText], MaxLen(64)] = field(default_factory=dict)
    posture: SmallObject = field(default_factory=dict)
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The server's answer: from here on both sides refuse every lower epoch."""

    protocol: Natural
    epoch: Natural
    timeline_id: Ident
    node_id: Ident
    server_time: Instant
    heartbeat_seconds: Annotated[float, Ge(0.05), Le(300)] = 15.0
    limits: Limits = field(default_factory=Limits)
    capabilities: Capabilities = ()
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredItem:
    """One subject that should stand on the node or be gone; a lower generation than one already known is answered by
    what is known, and changes nothing.
    `cause` is the id of the request that asked for it, for the node's log.
    `secrets` are values in base64 by variable name: for the container alone, never to be stored or shown. None where
    the spec names no secrets, or where they can't be had now: the same generation then comes again with them.
    """

    kind: KindName
    id: Ident
    generation: Natural
    wanted: Wanted
    spec: JsonObject | None = None
    cause: ShortText = ""
    secrets: Annotated[dict[ShortText, str], MaxLen(256)] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What should be. With `whole`, the node lets go of the rest but leaves it standing; without, a difference.

    A set too big for a frame travels in parts: `more` says that the next Desired of the same revision goes on with it.
    """

    epoch: Natural
    revision: Natural
    whole: bool
    items: Annotated[tuple[DesiredItem, ...], MaxLen(MAX_ITEMS)] = ()
    more: bool = False
    type: Literal["desired"] = "desired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedItem:
    """What the node sees of one subject, and for which generation that holds."""

    kind: KindName
    id: Ident
    generation: Natural
    phase: Phase
    container_id: ShortText | None = None
    container_state: ShortText | None = None
    exit_code: Annotated[int, Ge(-(2**31)), Le(2**31 - 1)] | None = None
    error: Problem | None = None
    setup: SmallObject | None = None
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What changed on the node."""

    epoch: Natural
    items: Annotated[tuple[ObservedItem, ...], MaxLen(MAX_ITEMS)]
    type: Literal["observed"] = "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """One labelled container as the engine lists it; `kind`, `id` and `generation` come from its labels."""

    container_id: ShortText
    name: ShortText
    kind: ShortText
    id: ShortText
    generation: Natural
    docker_state: ShortText


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All labelled containers of the node, at connect and when something of it or of the disk has changed."""

    epoch: Natural
    sampled_at: Instant
    engine: EngineReport
    items: Annotated[tuple[InventoryItem, ...], MaxLen(MAX_ITEMS)] = ()
    disk: DiskReport | None = None
    type: Literal["inventory"] = "inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Subjects whose absence the server has recorded: the node need not remember them any longer."""

    epoch: Natural
    ids: Annotated[tuple[Ident, ...], MaxLen(MAX_ITEMS)]
    type: Literal["forget"] = "forget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Answered by a Pong with the same two figures, which mean something to the sender alone."""

    nonce: Natural
    sent_at: float
    type: Literal["ping"] = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    nonce: Natural
    sent_at: float
    type: Literal["pong"] = "pong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Begin a stream, with a full window each way. Refused by a Reset, accepted without a word."""

    stream: StreamId
    kind: Code
    params: JsonObject = field(default_factory=dict)
    type: Literal["open"] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The receiver has consumed this much and takes as much again."""

    stream: StreamId
    bytes: Annotated[int, Ge(1), Le(2**31 - 1)]
    type: Literal["credit"] = "credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamControl:
    """A word inside a stream (resize, exit code), in order with its data and paid by the same credit."""

    stream: StreamId
    body: SmallObject
    type: Literal["stream_control"] = "stream_control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eof:
    """The sender writes no more on this stream."""

    stream: StreamId
    type: Literal["eof"] = "eof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The sender neither writes nor reads any more on this stream; answered by a Reset unless the other had ended."""

    stream: StreamId
    code: Code
    message: ErrorText = ""
    type: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The last message before the socket is closed with `code` (see `closing`)."""

    code: Annotated[int, Ge(1000), Le(4999)]
    reason: Code
    message: ErrorText = ""
    retry_after_seconds: Annotated[float, Ge(0), Le(86_400)] | None = None
    type: Literal["goodbye"] = "goodbye"


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream: the only binary frame."""

    stream: int
    payload: bytes


StateMessage = Desired | Observed | Inventory | Forget
StreamMessage = Open | Credit | StreamControl | Eof | Reset
Message = Hello | Welcome | StateMessage | Ping | Pong | StreamMessage | Goodbye
