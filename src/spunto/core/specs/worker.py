"""A worker's spec: what its node needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Power(StrEnum):
    """Whether a present container should run."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """A worker as its node needs to know it.

    `made_in` is the generation that asked for this very container: a container labelled with another one is replaced,
    so a rebuild is a spec with a newer `made_in`, while stop and start leave it alone.
    `secret_names` are those of the owner's secrets that become variables of it; their values are never part of a spec.
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
    owner_user_id: str | None = None
    secret_names: tuple[str, ...] = ()

    @property
    def wants_secrets(self) -> bool:
        """Whether its container must not be made before its owner's secrets are there."""
        return bool(self.secret_names) and self.owner_user_id is not None


def spec_to_json(spec: WorkerSpec) -> dict[str, Any]:
    """The spec as it travels and is stored."""
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
        "ownerUserId": spec.owner_user_id,
        "secretNames": list(spec.secret_names),
    }


def spec_from_json(body: Mapping[str, Any]) -> WorkerSpec:
    """Raises KeyError, TypeError or ValueError where it is not a worker's spec."""
    return WorkerSpec(
        org_id=str(body["orgId"]),
        image=str(body["image"]),
        made_in=int(body["madeIn"]),
        power=Power(body["power"]),
        env={str(name): str(value) for name, value in body["env"].items()},
        cpu_millis=int(body["cpuMillis"]),
        memory_bytes=int(body["memoryBytes"]),
        pids=int(body["pids"]),
        post_create_command=body["postCreateCommand"],
        post_start_command=body["postStartCommand"],
        # Specs that were stored before there were secrets name none.
        owner_user_id=body.get("ownerUserId"),
        secret_names=tuple(str(name) for name in body.get("secretNames", ())),
    )
