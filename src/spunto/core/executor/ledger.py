"""What a node remembers of one subject beyond what its engine can tell, so that nothing is done twice or forgotten."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from spunto.core.kernel.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Generations count from 1; 0 is never.

    `ran_generation`: the container ran in it, so that it is never started again by itself. `failed_generation`: it was
    given up in it, for `problem`. `halted_in`: it was stopped in it, for `problem`, since it outgrew what its node
    allows. `lacked_image_in` and `pulled_in`: the engine had no image, and one was fetched.
    `remade_in`: the engine refused to start a container that had never run, so that it was made anew, once;
    `refused_id` was its id. `removed`: networks and volumes that are known to be gone. `needs`: subjects that stood
    before this one, and go after it. `own` is the kind's part, which nobody else reads.
    """

    ran_generation: int = 0
    failed_generation: int = 0
    problem: Problem | None = None
    halted_in: int = 0
    lacked_image_in: int = 0
    pulled_in: int = 0
    remade_in: int = 0
    refused_id: str | None = None
    removed: Set[str] = frozenset()
    needs: tuple[str, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict)

    def failed(self, generation: int, problem: Problem) -> "Ledger":
        return replace(self, failed_generation=generation, problem=problem)

    def halted(self, generation: int, problem: Problem) -> "Ledger":
        return replace(self, halted_in=generation, problem=problem)

    def without_image(self, generation: int) -> "Ledger":
        return replace(self, lacked_image_in=generation)

    def start_refused(self, generation: int, container_id: str) -> "Ledger":
        return replace(self, remade_in=generation, refused_id=container_id)

    def pulled(self) -> "Ledger":
        return replace(self, pulled_in=self.lacked_image_in, lacked_image_in=0)

    def container_removed(self) -> "Ledger":
        """A network or volume that was gone before may have come back with the container."""
        return replace(self, removed=frozenset())

    def without(self, name: str) -> "Ledger":
        return replace(self, removed=self.removed | {name})

    def ran(self, generation: int) -> "Ledger":
        return replace(self, ran_generation=generation)


FIELDS = frozenset(
    {
        "ranGeneration",
        "failedGeneration",
        "problem",
        "haltedIn",
        "lackedImageIn",
        "pulledIn",
        "remadeIn",
        "refusedId",
        "removed",
        "needs",
        "own",
    }
)


def ledger_to_json(ledger: Ledger) -> dict[str, Any]:
    problem = ledger.problem
    return {
        "ranGeneration": ledger.ran_generation,
        "failedGeneration": ledger.failed_generation,
        "problem": None if problem is None else {"code": problem.code, "message": problem.message},
        "lackedImageIn": ledger.lacked_image_in,
        "pulledIn": ledger.pulled_in,
        "remadeIn": ledger.remade_in,
        "refusedId": ledger.refused_id,
        "removed": sorted(ledger.removed),
        "needs": list(ledger.needs),
        "own": dict(ledger.own),
        # Agents of before read no ledger that says more than they know, so that it says so only where it matters.
        **({"haltedIn": ledger.halted_in} if ledger.halted_in else {}),
    }


def ledger_from_json(body: Mapping[str, Any]) -> Ledger:
    """Raises KeyError, TypeError or ValueError where it is not a ledger, or one that means more than is read here."""
    if body.keys() - FIELDS:
        raise ValueError("a ledger of a newer agent")
    if not isinstance(body["own"], dict):
        raise TypeError("a kind's own part is an object")
    return Ledger(
        ran_generation=_generation(body["ranGeneration"]),
        failed_generation=_generation(body["failedGeneration"]),
        problem=None if body["problem"] is None else Problem(**body["problem"]),
        halted_in=_generation(body.get("haltedIn", 0)),
        lacked_image_in=_generation(body["lackedImageIn"]),
        pulled_in=_generation(body["pulledIn"]),
        remade_in=_generation(body["remadeIn"]),
        refused_id=body["refusedId"],
        removed=frozenset(body["removed"]),
        needs=tuple(body["needs"]),
        own=body["own"],
    )


def _generation(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("a generation is a number")
    return value
