"""What a node can do on its engine, in the engine's words: every action says all that its doing needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spunto.core.executor.runtime import Container, ContainerSpec

OUTPUT_TAIL_BYTES = 4096
"""What is kept of the output of a Run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureNetwork:
    """Make the bridge, with a free subnet of the node's pool."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make the container with its volumes, not started. Its labels lack the node's, which the node adds."""

    spec: ContainerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Attach the container to a network beside the one that it was made on."""

    name: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """`at_most_once`: what was remembered before it is forced to the disk first, and nothing starts without that."""

    name: str
    at_most_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a shell command in the container as its image's user; `stage` is the kind's own word for it, and `made_in`
    the generation that asked for the container."""

    name: str
    made_in: int
    stage: str
    command: str
    working_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    name: str
    new_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNetwork:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveVolume:
    name: str


Action = Pull | EnsureNetwork | Create | Connect | Start | Run | Stop | Rename | Remove | RemoveNetwork | RemoveVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Nothing before this time of the monotonic clock."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an action that was carried out.

    `container` is what a Create made, or what a Start came to: None where somebody removed it meanwhile. Of a Run
    there is `output` (its end) and `exit_code`, None where the command could not be run or its end was not seen;
    `trouble` then says why, as what follows the command's name.
    """

    at: datetime
    seconds: float = 0.0
    container: Container | None = None
    exit_code: int | None = None
    output: bytes = b""
    trouble: str | None = None
