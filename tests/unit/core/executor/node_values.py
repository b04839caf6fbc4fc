"""Values of the node's half with sensible defaults."""

from datetime import UTC, datetime
from typing import Any

from spunto.core.executor.item import Item
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.executor.settings import NodeSettings
from spunto.core.protocol.messages import Desired, DesiredItem, Wanted
from spunto.core.specs.names import NODE_LABEL, labels_of_generation
from spunto.core.specs.worker import Power, WorkerSpec, container_name, write

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


def an_item(generation: int = 1, *, wanted: Wanted = Wanted.PRESENT, **fields: Any) -> Item[Any]:
    spec = a_spec(**fields) if wanted is Wanted.PRESENT else None
    return Item(kind="worker", id=WORKER, generation=generation, wanted=wanted, spec=spec)


def a_desired_item(
    generation: int = 1, *, subject_id: str = WORKER, wanted: Wanted = Wanted.PRESENT, **fields: Any
) -> DesiredItem:
    spec = write(a_spec(**fields)) if wanted is Wanted.PRESENT else None
    return DesiredItem(kind="worker", id=subject_id, generation=generation, wanted=wanted, spec=spec)


def desired(*items: DesiredItem, whole: bool = False, more: bool = False) -> Desired:
    return Desired(epoch=1, revision=1, whole=whole, items=items, more=more)


def a_container(
    state: ContainerState = ContainerState.RUNNING, *, made_in: int = 1, subject_id: str = WORKER, **fields: Any
) -> Container:
    return Container(
        container_id="c1",
        name=container_name(subject_id),
        state=state,
        labels={
            NODE_LABEL: NODE,
            **labels_of_generation("worker", subject_id, org_id=a_spec().org_id, made_in=made_in),
        },
        **{"started_at": datetime(2026, 1, 1, tzinfo=UTC), **fields},
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
            "lasting_seconds": 0.0,
            **fields,
        }
    )
