"""A kind of the tests: a command that is run at most once, on the network of a bridge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.kinds.bridge import network_of

from spunto.core.executor.actions import Action, Outcome, Start
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.container import after as after_common
from spunto.core.executor.kinds.container import is_gone, phase_on_the_way, runs, towards_absence, towards_created
from spunto.core.executor.kinds.kind import Kind, Now, Report
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.runtime import ContainerSpec
from spunto.core.executor.seen import Names, Seen
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.specs.kind import SpecKind
from spunto.core.specs.names import labels_of_generation, name_of
from spunto.core.specs.spec import Fields, Size

_SIZE = Size(cpu_millis=100, memory_bytes=64 * 1024**2, pids=32)
LOST = Problem(code="lost", message="It was begun, and nobody knows how it ended; it is not begun again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandSpec:
    org_id: str
    image: str
    bridge: str
    command: tuple[str, ...]
    requires: tuple[str, ...] = ()
    size: Size = _SIZE
    secrets_wanted: None = None


def read(body: Mapping[str, Any]) -> ErrandSpec:
    fields = Fields(body)
    org_id, image, bridge = fields.text("orgId"), fields.text("image"), fields.text("bridge")
    spec = ErrandSpec(org_id=org_id, image=image, bridge=bridge, command=fields.texts("command"))
    fields.end()
    return spec


def write(spec: ErrandSpec) -> dict[str, Any]:
    return {"orgId": spec.org_id, "image": spec.image, "bridge": spec.bridge, "command": list(spec.command)}


class ErrandKind(Kind[ErrandSpec]):
    """Its part of the ledger: `begun` before the start, `exitCode` once the end was seen."""

    name = "errand"

    def wants(self, subject_id: str) -> Names:
        return Names(containers=(name_of(self.name, subject_id),))

    def needs(self, item: Item[ErrandSpec]) -> Sequence[str]:
        return () if item.spec is None else (item.spec.bridge,)

    def next_action(self, item: Item[ErrandSpec], seen: Seen, ledger: Ledger, now: Now) -> Action | None:
        if item.spec is None:
            return towards_absence(Names(), seen, ledger)
        if ledger.own.get("begun"):
            return None
        if seen.container is not None:
            return Start(name=seen.container.name, at_most_once=True)
        return towards_created(_container(item, item.spec), seen, ledger, generation=item.generation, network=None)

    def noticed(self, item: Item[ErrandSpec], seen: Seen, ledger: Ledger) -> Ledger:
        ended = seen.container is not None and seen.container.exit_code is not None
        if not ended or not ledger.own.get("begun") or "exitCode" in ledger.own:
            return ledger
        return replace(ledger, own={**ledger.own, "exitCode": seen.container.exit_code if seen.container else None})

    def before(self, action: Action, seen: Seen, ledger: Ledger) -> Ledger:
        return replace(ledger, own={"begun": True}) if isinstance(action, Start) else ledger

    def after(self, action: Action, outcome: Outcome, ledger: Ledger) -> Ledger:
        return after_common(action, outcome, ledger)

    def observed(self, item: Item[ErrandSpec], seen: Seen, ledger: Ledger, doing: Action | None) -> Report:
        if item.spec is None:
            return Report(phase=Phase.ABSENT if is_gone(Names(), seen, ledger) else Phase.REMOVING)
        if "exitCode" in ledger.own:
            return Report(phase=Phase.STOPPED, exit_code=ledger.own["exitCode"])
        if ledger.own.get("begun") and not isinstance(doing, Start):
            return Report(phase=Phase.RUNNING) if runs(seen.container) else Report(phase=Phase.FAILED, problem=LOST)
        return Report(phase=phase_on_the_way(seen, ledger, generation=item.generation, doing=doing))

    def knows(self, own: Mapping[str, Any]) -> bool:
        return own.keys() <= {"begun", "exitCode"}


def _container(item: Item[ErrandSpec], spec: ErrandSpec) -> ContainerSpec:
    name = name_of(ErrandKind.name, item.id)
    return ContainerSpec(
        name=name,
        image=spec.image,
        network=network_of(spec.bridge),
        hostname=name,
        labels=labels_of_generation(ErrandKind.name, item.id, org_id=spec.org_id, made_in=item.generation),
        command=spec.command,
        cpu_millis=spec.size.cpu_millis,
        memory_bytes=spec.size.memory_bytes,
        pids=spec.size.pids,
    )


SPEC = SpecKind(name="errand", id_prefix="ern", read=read, write=write)
KIND = ErrandKind()
