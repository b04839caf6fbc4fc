"""A worker's plan, taken step by step: what its kind says, with a container alone as what is seen."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.unit.core.executor.node_values import WORKER, an_item

from spunto.core.executor.actions import Action, Create, EnsureNetwork, Outcome, WaitUntil
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Now, Report
from spunto.core.executor.kinds.setup import Setup, Stage, Status, setup_to_json
from spunto.core.executor.kinds.worker import WorkerKind, container_spec, setup_of
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.plan import next_step, report_of
from spunto.core.executor.runtime import Container
from spunto.core.executor.seen import Seen
from spunto.core.executor.trouble import CALM, Trouble
from spunto.core.protocol.messages import Phase
from spunto.core.specs.names import labels
from spunto.core.specs.worker import container_name, network_name, volume_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KIND = WorkerKind()
NAME, NETWORK, VOLUME = container_name(WORKER), network_name(WORKER), volume_name(WORKER)
MAKE_NETWORK = EnsureNetwork(name=NETWORK, labels=labels("worker", WORKER, org_id="org_00000000000000000000000000"))


def seen_of(container: Container | None, *, network: bool = True) -> Seen:
    """With the network that was ensured right before, unless it was not."""
    containers = {} if container is None else {container.name: container}
    return Seen(containers=containers, networks=frozenset({NETWORK} if network else ()))


def create(item: Item[Any] | None = None) -> Create:
    item = item or an_item(1)
    assert item.spec is not None
    return Create(spec=container_spec(item, item.spec))


def a_ledger(**fields: Any) -> Ledger:
    """`network_removed` and `volume_removed` in words, and everything else as it is."""
    removed = {
        name for key, name in (("network_removed", NETWORK), ("volume_removed", VOLUME)) if fields.pop(key, False)
    }
    return Ledger(removed=frozenset(removed), **fields)


def step(
    item: Item[Any],
    container: Container | None = None,
    ledger: Ledger | None = None,
    *,
    trouble: Trouble = CALM,
    now: float = 0.0,
) -> Action | WaitUntil | None:
    moment = Now(at=NOW, monotonic=now)
    return next_step(KIND, item, seen_of(container), ledger or Ledger(), trouble=trouble, now=moment)


def report(
    item: Item[Any], container: Container | None = None, ledger: Ledger | None = None, *, trouble: Trouble = CALM
) -> Report:
    return report_of(KIND, item, seen_of(container), ledger or Ledger(), doing=None, trouble=trouble)


def phase(item: Item[Any], container: Container | None = None, ledger: Ledger | None = None) -> tuple[Phase, Any]:
    said = report(item, container, ledger)
    return said.phase, said.problem


def noticed(item: Item[Any], container: Container | None, ledger: Ledger) -> Ledger:
    return KIND.noticed(item, seen_of(container), ledger)


def before(action: Action, container: Container | None, ledger: Ledger) -> Ledger:
    return KIND.before(action, seen_of(container), ledger)


def after(action: Action, ledger: Ledger) -> Ledger:
    """In no time."""
    return KIND.after(action, Outcome(at=NOW), ledger)


def setting_up(ledger: Ledger, stage: Stage) -> Ledger:
    return with_setup(ledger, setup_of(ledger).running_now(stage))


def set_up(ledger: Ledger, *, exit_code: int | None, output: bytes, seconds: float) -> Ledger:
    outcome = Outcome(at=NOW, exit_code=exit_code, output=output, seconds=seconds)
    return with_setup(ledger, setup_of(ledger).ended(outcome))


def with_setup(ledger: Ledger, setup: Setup) -> Ledger:
    return replace(ledger, own=setup_to_json(setup))


def status_of(ledger: Ledger) -> Status:
    status = setup_of(ledger).status
    assert status is not None
    return status
