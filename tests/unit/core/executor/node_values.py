"""Values of the node's half with sensible defaults."""

from typing import Any

from spunto.core.executor.plan import Assigned
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.executor.settings import NodeSettings
from spunto.core.protocol.messages import AssignmentKind, Desired, DesiredItem, Wanted
from spunto.core.specs.names import container_name, labels
from spunto.core.specs.worker import Power, WorkerSpec, spec_to_json

NODE = "nod_00000000000000000000000000"
WORKER = "wkr_00000000000000000000000000"
OTHER_WORKER = "wkr_00000000000000000000000001"
IMAGE = "localhost/spunto/worker:1"


def a_spec(**fields: Any) -> WorkerSpec:
    return WorkerSpec(
        **{
            "org_id": "org_00000000000000000000000000",
            "image": IMAGE,
            "made_in": 1,
            "power": Power.RUNNING,
            "cpu_millis": 1000,
            "memory_bytes": 256 * 1024 * 1024,
            "pids": 128,
            **fields,
        }
    )


def an_item(generation: int = 1, *, wanted: Wanted = Wanted.PRESENT, **fields: Any) -> Assigned:
    spec = a_spec(**fields) if wanted is Wanted.PRESENT else None
    return Assigned(kind=AssignmentKind.WORKER, id=WORKER, generation=generation, wanted=wanted, spec=spec)


def a_desired_item(
    generation: int = 1, *, subject_id: str = WORKER, wanted: Wanted = Wanted.PRESENT, **fields: Any
) -> DesiredItem:
    spec = spec_to_json(a_spec(**fields)) if wanted is Wanted.PRESENT else None
    return DesiredItem(kind=AssignmentKind.WORKER, id=subject_id, generation=generation, wanted=wanted, spec=spec)


def desired(*items: DesiredItem, whole: bool = False, more: bool = False) -> Desired:
    return Desired(epoch=1, revision=1, whole=whole, items=items, more=more)


def a_container(
    state: ContainerState = ContainerState.RUNNING, *, made_in: int = 1, subject_id: str = WORKER, **fields: Any
) -> Container:
    return Container(
        container_id="c1",
        name=container_name(subject_id),
        state=state,
        labels=labels(subject_id, a_spec(made_in=made_in), node_id=NODE),
        **fields,
    )


def node_settings(**fields: Any) -> NodeSettings:
    return NodeSettings(
        **{
            "node_id": NODE,
            "instance_id": "instance",
            "boot_id": "boot",
            "agent_version": "1",
            "engine": "fake",
            "concurrent_starts": 4,
            **fields,
        }
    )
