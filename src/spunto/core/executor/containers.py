"""How a worker's container is made, and what its labels say of it."""

import re
from collections.abc import Mapping

from spunto.core.executor.runtime import Container, ContainerSpec, Mount
from spunto.core.kernel.secret import Secret
from spunto.core.specs.names import GENERATION_LABEL, container_name, labels, network_name, volume_name
from spunto.core.specs.worker import WorkerSpec

WORKSPACE = "/workspace"

_GENERATION = re.compile(r"[0-9]{1,15}\Z")


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
