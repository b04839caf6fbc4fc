"""What one end can do, in words that the other may not know: sent in the handshake, stored, and asked for."""

from collections.abc import Collection
from typing import Final

from spunto.core.specs.spec import Spec

DISK_LIMIT: Final = "disk-limit"
"""No worker takes more of the node's disk than its owner allows."""


def of_kind(name: str) -> str:
    return f"kind:{name}"


def of_stream(name: str) -> str:
    return f"stream:{name}"


def needed_for(kind: str, requires: Collection[str]) -> frozenset[str]:
    """What a node must have announced to be given a subject of the kind."""
    return frozenset({of_kind(kind), *requires})


def lacking(capabilities: Collection[str], kind: str, spec: Spec) -> list[str]:
    """What a node with these capabilities lacks for the subject, sorted."""
    return sorted(needed_for(kind, spec.requires) - frozenset(capabilities))
