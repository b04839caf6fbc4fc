"""A kind of the tests: a network and nothing else, for others to stand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spunto.core.executor.actions import Action, EnsureNetwork, RemoveNetwork
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Kind, Now, Report
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.seen import Names, Seen
from spunto.core.protocol.messages import Phase
from spunto.core.specs.kind import SpecKind
from spunto.core.specs.names import labels, name_of
from spunto.core.specs.spec import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSpec:
    org_id: str
    requires: tuple[str, ...] = ()
    size: None = None
    secrets_wanted: None = None


def read(body: Mapping[str, Any]) -> BridgeSpec:
    fields = Fields(body)
    spec = BridgeSpec(org_id=fields.text("orgId"))
    fields.end()
    return spec


def network_of(subject_id: str) -> str:
    return name_of("bridge", subject_id)


class BridgeKind(Kind[BridgeSpec]):
    name = "bridge"

    def wants(self, subject_id: str) -> Names:
        return Names(networks=(network_of(subject_id),))

    def next_action(self, item: Item[BridgeSpec], seen: Seen, ledger: Ledger, now: Now) -> Action | None:
        name = network_of(item.id)
        if item.spec is None:
            return RemoveNetwork(name=name) if name in seen.networks else None
        made = EnsureNetwork(name=name, labels=labels(self.name, item.id, org_id=item.spec.org_id))
        return None if name in seen.networks else made

    def observed(self, item: Item[BridgeSpec], seen: Seen, ledger: Ledger, doing: Action | None) -> Report:
        stands = network_of(item.id) in seen.networks
        if item.is_absent:
            return Report(phase=Phase.REMOVING if stands else Phase.ABSENT)
        return Report(phase=Phase.RUNNING if stands else Phase.CREATING)


SPEC = SpecKind(name="bridge", id_prefix="brg", read=read, write=lambda spec: {"orgId": spec.org_id})
KIND = BridgeKind()
