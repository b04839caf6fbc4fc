"""Names and labels of what stands on an engine (contract.md 5): deterministic, so that a repeat adopts."""

from spunto.core.kernel.ids import bare

LABEL_NODE = "spunto.node"
LABEL_ORG = "spunto.org"
LABEL_KIND = "spunto.kind"
LABEL_ID = "spunto.id"
LABEL_GENERATION = "spunto.generation"


def container_name(worker_id: str) -> str:
    return f"mp-worker-{bare(worker_id)}"


def network_name(worker_id: str) -> str:
    return f"mp-worker-{bare(worker_id)}-net"


def volume_name(worker_id: str) -> str:
    return f"mp-worker-{bare(worker_id)}-workspace"
