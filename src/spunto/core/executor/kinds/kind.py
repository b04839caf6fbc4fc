"""What a kind of subject is to a node: pure decisions, in which nobody else knows the kind's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from spunto.core.executor.actions import Action, Outcome, WaitUntil
from spunto.core.executor.item import Item
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.seen import Names, Seen
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.specs.spec import Spec

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """`monotonic` in seconds, which `WaitUntil` counts by."""

    at: datetime
    monotonic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What a container should hold at a path: JSON, written when the node has nothing more urgent to do."""

    container: str
    path: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How far a subject is. `awaits` is what it waits for where nothing went wrong; `exit_code` is its container's
    where the kind says nothing."""

    phase: Phase
    problem: Problem | None = None
    awaits: Problem | None = None
    exit_code: int | None = None
    setup: Mapping[str, Any] | None = None
    file: File | None = None


class Kind(Protocol[S]):
    """One kind of subject on a node; every method is pure, and those with an answer here are for who needs no other.

    What was given up in a generation, refused, or is waiting for others or for its time is kept from it by its caller.
    """

    @property
    def name(self) -> str:
        """Its spec is read by the row of that name in `specs.kind`."""
        ...

    def wants(self, subject_id: str) -> Names:
        """Where to look; the first container is the one that streams reach."""
        ...

    def needs(self, item: Item[S]) -> Sequence[str]:
        """Subjects that stand first; they go after it."""
        return ()

    def next_action(self, item: Item[S], seen: Seen, ledger: Ledger, now: Now) -> Action | WaitUntil | None:
        """None when it is as wanted, or can't be brought nearer."""
        ...

    def obsolete(self, action: Action, item: Item[S]) -> bool:
        """Whether what is under way should be broken off for what is wanted now. Only what takes long is."""
        return False

    def noticed(self, item: Item[S], seen: Seen, ledger: Ledger) -> Ledger:
        """The ledger after a look."""
        return ledger

    def before(self, action: Action, seen: Seen, ledger: Ledger) -> Ledger:
        """What to remember before acting, for a crash in the middle."""
        return ledger

    def after(self, action: Action, outcome: Outcome, ledger: Ledger) -> Ledger:
        """What to remember after an action that was carried out."""
        return ledger

    def interrupted(self, ledger: Ledger) -> Ledger:
        """What to remember of an action whose end nobody saw, after a crash or when it was broken off."""
        return ledger

    def observed(self, item: Item[S], seen: Seen, ledger: Ledger, doing: Action | None) -> Report: ...

    def knows(self, own: Mapping[str, Any]) -> bool:
        """Whether the kind's part of a ledger is one that this version can go on with."""
        return not own
