"""The table of what can stand on a node, as both ends read and write it: one row a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spunto.core.specs import worker
from spunto.core.specs.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecKind:
    """`read` raises SpecUnknown for everything that it does not know; what `write` gives, it reads."""

    name: str
    id_prefix: str
    read: Callable[[Mapping[str, Any]], Spec]
    write: Callable[[Any], dict[str, Any]]


SPECS: dict[str, SpecKind] = {
    worker.KIND: SpecKind(name=worker.KIND, id_prefix=worker.ID_PREFIX, read=worker.read, write=worker.write),
}
