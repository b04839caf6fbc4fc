"""What a subject's things are called on an engine, and the labels that they bear: deterministic, so that a repeated
effect finds what the earlier one made, and absence needs no spec."""

from collections.abc import Mapping

from spunto.core.kernel.ids import bare
from spunto.core.specs.worker import WorkerSpec

NODE_LABEL = "spunto.node"
ORG_LABEL = "spunto.org"
KIND_LABEL = "spunto.kind"
ID_LABEL = "spunto.id"
GENERATION_LABEL = "spunto.generation"
WORKER = "worker"


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
