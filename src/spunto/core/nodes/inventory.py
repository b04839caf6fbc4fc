"""What an agent found on its engine, each thing judged: expected, orphan or quarantined."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from spunto.core.protocol.messages import EngineReport, InventoryItem


class Standing(StrEnum):
    """`orphan`: deleted here, so the node is told to remove it. `quarantined`: never heard of, so nobody touches it."""

    EXPECTED = "expected"
    ORPHAN = "orphan"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    item: InventoryItem
    known: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    sampled_at: datetime
    engine: EngineReport
    items: Sequence[Found]


def judge(items: Sequence[InventoryItem], *, assigned: Set[str], buried: Set[str]) -> list[Found]:
    """Judge each item by whether its subject is assigned to the node, or has a tombstone there."""
    return [Found(item=item, known=_standing(item, assigned, buried)) for item in items]


def _standing(item: InventoryItem, assigned: Set[str], buried: Set[str]) -> Standing:
    if item.id in assigned:
        return Standing.EXPECTED
    return Standing.ORPHAN if item.id in buried else Standing.QUARANTINED
