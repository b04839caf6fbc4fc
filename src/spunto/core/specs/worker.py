"""A worker's spec: what its node needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from spunto.core.specs import names
from spunto.core.specs.spec import Fields, SecretsWanted, Size

KIND: Final = "worker"
ID_PREFIX: Final = "wkr"


class Power(StrEnum):
    """Whether a present container should run."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """A worker as its node needs to know it.

    `made_in` is the generation that asked for this very container: a container labelled with another one is replaced,
    so a rebuild is a spec with a newer `made_in`, while stop and start leave it alone.
    `keeps` is the
    `made_in` of the container whose place this one takes: it is stopped and kept aside until this one is ready.
    `secret_names` are those of the secrets that become variables of it, `owner_id` is the user or key whose it is.
    """

    org_id: str
    image: str
    made_in: int
    power: Power
    env: Mapping[str, str] = field(default_factory=dict)
    cpu_millis: int
    memory_bytes: int
    pids: int
    post_create_command: str | None = None
    post_start_command: str | None = None
    owner_id: str | None = None
    secret_names: tuple[str, ...] = ()
    keeps: int | None = None
    requires: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        return Size(cpu_millis=self.cpu_millis, memory_bytes=self.memory_bytes, pids=self.pids)

    @property
    def secrets_wanted(self) -> SecretsWanted | None:
        """Nothing is made for a worker that stays stopped."""
        if self.power is Power.STOPPED or self.owner_id is None or not self.secret_names:
            return None
        return SecretsWanted(owner_id=self.owner_id, names=self.secret_names)


def container_name(subject_id: str) -> str:
    return names.name_of(KIND, subject_id)


def kept_name(subject_id: str) -> str:
    """Of the container whose place another one is taking."""
    return f"{container_name(subject_id)}-kept"


def network_name(subject_id: str) -> str:
    return f"{container_name(subject_id)}-net"


def volume_name(subject_id: str) -> str:
    return f"{container_name(subject_id)}-workspace"


def write(spec: WorkerSpec) -> dict[str, Any]:
    """The spec as it travels and is stored; what is not required is left out, so that older nodes can read it."""
    requires = {"requires": list(spec.requires)} if spec.requires else {}
    keeps = {} if spec.keeps is None else {"keeps": spec.keeps}
    return {
        "orgId": spec.org_id,
        "image": spec.image,
        "madeIn": spec.made_in,
        "power": spec.power.value,
        "env": dict(spec.env),
        "cpuMillis": spec.cpu_millis,
        "memoryBytes": spec.memory_bytes,
        "pids": spec.pids,
        "postCreateCommand": spec.post_create_command,
        "postStartCommand": spec.post_start_command,
        "ownerUserId": spec.owner_id,
        "secretNames": list(spec.secret_names),
        **keeps,
        **requires,
    }


def read(body: Mapping[str, Any]) -> WorkerSpec:
    """Raises SpecUnknown. Specs that were stored before there were secrets name none."""
    fields = Fields(body)
    spec = WorkerSpec(
        org_id=fields.text("orgId"),
        image=fields.text("image"),
        made_in=fields.number("madeIn"),
        power=fields.choice("power", Power),
        env=fields.text_map("env"),
        cpu_millis=fields.number("cpuMillis"),
        memory_bytes=fields.number("memoryBytes"),
        pids=fields.number("pids"),
        post_create_command=fields.optional_text("postCreateCommand"),
        post_start_command=fields.optional_text("postStartCommand"),
        owner_id=fields.optional_text("ownerUserId"),
        secret_names=fields.texts("secretNames"),
        keeps=fields.optional_number("keeps"),
        requires=fields.texts("requires"),
    )
    fields.end()
    return spec
