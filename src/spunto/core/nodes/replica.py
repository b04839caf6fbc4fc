"""A server process as the others know it. Any number of them share a database; each node's socket is held by one."""

from dataclasses import dataclass

from spunto.core.nodes.model import ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """`url` is where the others reach it; None for one that they can't reach."""

    id: ReplicaId
    url: str | None = None


def topic(replica_id: ReplicaId) -> str:
    """Hinted when a node that this replica holds is taken from it."""
    return f"replica:{replica_id}"
