"""How a worker stands on an engine: deterministic names and labels, so that a repeated effect finds the earlier one."""

import re
from collections.abc import Mapping

from spunto.core.executor.runtime import Container, ContainerSpec, Mount
from spunto.core.kernel.ids import bare
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.assignment import WorkerSpec

NODE_LABEL = "spunto.node"
ORG_LABEL = "spunto.org"
KIND_LABEL = "spunto.kind"
ID_LABEL = "spunto.id"
GENERATION_LABEL = "spunto.generation"
WORKSPACE = "/workspace"
WORKER = "worker"

_GENERATION = re.compile(r"[0-9]{1,15}\Z")


def container_name(subject_id: str) -> str:
    return f"mp-worker-{bare(subject_id)}"


def network_name(subject_id: str) -> str:
    return f"{container_name(subject_id)}-net"


def volume_name(subject_id: str) -> str:
    return f"{container_name(subject_id)}-workspace"


def labels(subject_id: str, spec: WorkerSpec, *, node_id: str) -> Mapping[str, str]:
    """The same for a repeat of the same spec: what they equal is adopted."""
    return {
        NODE_LABEL: node_id,
        ORG_LABEL: spec.org_id,
        KIND_LABEL: WORKER,
        ID_LABEL: subject_id,
        GENERATION_LABEL: str(spec.made_in),
    }


def network_labels(subject_id: str, spec: WorkerSpec, *, node_id: str) -> Mapping[str, str]:
    """Without a generation, because the network stays when the container is replaced."""
    return {key: value for key, value in labels(subject_id, spec, node_id=node_id).items() if key != GENERATION_LABEL}


def container_spec(subject_id: str, spec: WorkerSpec, secrets: Mapping[str, Secret], *, node_id: str) -> ContainerSpec:
    """Of variables that bear one name the user's secret wins over the project's, and that over the platform's."""
    name = container_name(subject_id)
    return ContainerSpec(
        name=name,
        image=spec.image,
        network=network_name(subject_id),
        hostname=name,
        labels=labels(subject_id, spec, node_id=node_id),
        env={
            "SPUNTO_WORKER_ID": subject_id,
            "SPUNTO_ORG_ID": spec.org_id,
            **spec.env,
            **{name: value.reveal() for name, value in secrets.items()},
        },
        working_dir=WORKSPACE,
        mounts=(Mount(volume=volume_name(subject_id), path=WORKSPACE),),
        cpu_millis=spec.cpu_millis,
        memory_bytes=spec.memory_bytes,
        pids=spec.pids,
    )


def made_in(container: Container) -> int:
    """The generation that asked for this container; 0 where its label says nothing sensible."""
    text = container.labels.get(GENERATION_LABEL, "")
    return int(text) if _GENERATION.match(text) else 0
