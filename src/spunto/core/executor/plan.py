"""Decides what a node does next for one subject, and what it says of it, from what its kind says; pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from spunto.core.executor.actions import Action, Stop, WaitUntil
from spunto.core.executor.item import Item
from spunto.core.executor.journal import Grave
from spunto.core.executor.kinds.container import runs
from spunto.core.executor.kinds.kind import Kind, Now, Report
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.seen import Seen
from spunto.core.executor.trouble import Trouble
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import ObservedItem, Phase

TRANSIENT = frozenset({Phase.PULLING, Phase.CREATING, Phase.STARTING, Phase.STOPPING, Phase.REMOVING})


def next_step(
    kind: Kind[Any], item: Item[Any], seen: Seen, ledger: Ledger, *, trouble: Trouble, now: Now
) -> Action | WaitUntil | None:
    """The next thing to do; None when the subject is as wanted, refused, or given up or halted in this generation."""
    if item.refused is not None or is_given_up(item, ledger):
        return None
    action = _stop(seen) if is_halted(item, ledger) else kind.next_action(item, seen, ledger, now)
    if action is not None and trouble.not_before > now.monotonic:
        return WaitUntil(at=trouble.not_before)
    return action


def is_given_up(item: Item[Any], ledger: Ledger) -> bool:
    """Absence never is."""
    return not item.is_absent and ledger.failed_generation == item.generation


def is_halted(item: Item[Any], ledger: Ledger) -> bool:
    """Absence never is, nor what is wanted anew."""
    return not item.is_absent and ledger.halted_in == item.generation


def _stop(seen: Seen) -> Action | None:
    running = (each.name for each in (*seen.containers.values(), *seen.aside.values()) if runs(each))
    return next((Stop(name=name) for name in running), None)


def report_of(
    kind: Kind[Any],
    item: Item[Any],
    seen: Seen,
    ledger: Ledger,
    *,
    doing: Action | None,
    trouble: Trouble,
    waits: Problem | None = None,
) -> Report:
    """What to say. While a thing is on its way, its problem is what it is retried for or waits for, if anything."""
    if item.refused is not None:
        return Report(phase=Phase.REFUSED, problem=item.refused)
    report = kind.observed(item, seen, ledger, doing)
    if is_given_up(item, ledger):
        return replace(report, phase=Phase.FAILED, problem=ledger.problem)
    if is_halted(item, ledger):
        return replace(report, phase=Phase.STOPPED if _stop(seen) is None else Phase.STOPPING, problem=ledger.problem)
    if report.problem is None and report.phase in TRANSIENT:
        return replace(report, problem=waits or trouble.problem or report.awaits)
    return report


def observed_item(item: Item[Any], seen: Seen, report: Report, *, at: datetime) -> ObservedItem:
    """The report in the protocol's words."""
    container = seen.container
    exit_code = None if container is None else container.exit_code
    return ObservedItem(
        kind=item.kind,
        id=item.id,
        generation=item.generation,
        phase=report.phase,
        container_id=None if container is None else container.container_id,
        container_state="not_found" if container is None else container.state.value,
        exit_code=exit_code if report.exit_code is None else report.exit_code,
        error=report.problem,
        setup=None if report.setup is None else dict(report.setup),
        at=at,
    )


def absent_item(grave: Grave, *, at: datetime) -> ObservedItem:
    """What is said of a subject that was buried."""
    return ObservedItem(
        kind=grave.kind,
        id=grave.id,
        generation=grave.generation,
        phase=Phase.ABSENT,
        container_state="not_found",
        at=at,
    )
