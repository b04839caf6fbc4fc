"""What an organization may change of a node: None leaves a thing as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from spunto.core.nodes.model import Node


class LimitChanges(TypedDict, total=False):
    """What is absent stays; None is as much as the agent offers."""

    cpu_millis: int | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChanges:
    name: str | None = None
    labels: Mapping[str, str] | None = None
    limits: LimitChanges | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None

    def of(self, node: Node) -> Node:
        """The node with the changes."""
        named = replace(
            node,
            name=node.name if self.name is None else self.name,
            labels=node.labels if self.labels is None else dict(self.labels),
            tags=node.tags if self.tags is None else self.tags,
            metadata=node.metadata if self.metadata is None else dict(self.metadata),
        )
        return named if self.limits is None else named.limited(replace(node.limits, **self.limits))
