"""Which other subjects one has to wait for: those that it needs stand first, and go last; pure."""

from collections.abc import Callable, Mapping

from spunto.core.executor.subject import Subject
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase


def unmet(subject: Subject, subjects: Mapping[str, Subject], phase_of: Callable[[str], Phase | None]) -> Problem | None:
    """The wait, in words; None where nothing is waited for. `phase_of` is what was last reported of a subject."""
    if subject.item.refused is not None:
        return None
    if subject.item.is_absent:
        for other in subjects.values():
            if subject.item.id in other.ledger.needs and phase_of(other.item.id) is not Phase.ABSENT:
                return Problem(code="still_needed", message=f"It goes after {other.item.id}, which needs it.")
        return None
    for need in subject.ledger.needs:
        if phase_of(need) is not Phase.RUNNING:
            return Problem(code="needs_awaited", message=f"It waits until {need} stands, which it needs.")
    return None
