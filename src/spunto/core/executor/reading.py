"""What this agent understands of what it is asked for: whole items, or none of an item and the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Kind
from spunto.core.executor.kinds.table import KINDS
from spunto.core.executor.kinds.unread import UnreadKind
from spunto.core.kernel.ids import is_id
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DesiredItem, Wanted
from spunto.core.specs.capabilities import lacking, of_kind
from spunto.core.specs.kind import SPECS, SpecKind
from spunto.core.specs.secrets import secrets_from_json
from spunto.core.specs.spec import SpecUnknown

_UPDATE = "update the agent; until then it is left as it stands"
BEGUN_BY_NEWER = Problem(
    code="spec_unknown", message=f"A newer agent has begun this, and this one can't go on with it: {_UPDATE}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The tables of one agent. `abilities` are what specs may require, beside kinds and streams."""

    kinds: Mapping[str, Kind[Any]] = field(default_factory=lambda: KINDS)
    specs: Mapping[str, SpecKind] = field(default_factory=lambda: SPECS)
    abilities: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> tuple[str, ...]:
        return tuple(sorted({*map(of_kind, self.kinds), *self.abilities}))

    def item(self, desired: DesiredItem, *, memory_is_read: bool = True) -> Item[Any]:
        """The item, refused where anything of it, or of what an agent remembers of it, is not understood."""
        if desired.wanted is Wanted.ABSENT:
            return _item(desired)
        try:
            spec = self._spec(desired)
            secrets = None if desired.secrets is None else secrets_from_json(desired.secrets)
        except _Refused as refused:
            return _item(desired, refused=refused.problem)
        except ValueError:
            return _item(desired, refused=_spec_unknown("its secrets"))
        if not memory_is_read:
            return _item(desired, refused=BEGUN_BY_NEWER)
        return _item(desired, spec=spec, secrets=secrets)

    def kind(self, item: Item[Any], *, memory_is_read: bool = True) -> Kind[Any]:
        known = self.kinds.get(item.kind)
        if known is None or item.refused is not None or not memory_is_read:
            return UnreadKind(item.kind)
        return known

    def _spec(self, desired: DesiredItem) -> Any:
        row = self.specs.get(desired.kind)
        if row is None or desired.kind not in self.kinds:
            message = f"The node's agent knows nothing of the kind {desired.kind!r}: {_UPDATE}."
            raise _Refused(Problem(code="kind_unknown", message=message))
        if desired.spec is None or not is_id(desired.id, row.id_prefix):
            raise _Refused(_spec_unknown("its form"))
        try:
            spec = row.read(desired.spec)
        except SpecUnknown as unknown:
            raise _Refused(_spec_unknown(str(unknown))) from unknown
        missing = lacking(self.capabilities, desired.kind, spec)
        if missing:
            raise _Refused(_spec_unknown(f"{missing[0]!r}, which it requires"))
        return spec


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _spec_unknown(what: str) -> Problem:
    message = f"The node's agent does not understand all that is asked for ({what[:200]}): {_UPDATE}."
    return Problem(code="spec_unknown", message=message)


def _item(desired: DesiredItem, **fields: Any) -> Item[Any]:
    return Item(
        kind=desired.kind,
        id=desired.id,
        generation=desired.generation,
        wanted=desired.wanted,
        **{"spec": None, **fields},
    )
