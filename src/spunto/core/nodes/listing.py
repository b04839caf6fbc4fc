"""Which nodes a list is asked for."""

from dataclasses import dataclass

from spunto.core.nodes.model import NodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFilter:
    """Every node that is all of what is said; None says nothing."""

    status: NodeStatus | None = None
    name: str | None = None
    tag: str | None = None


ALL = NodeFilter()
