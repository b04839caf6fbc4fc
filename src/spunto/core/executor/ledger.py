"""What a node remembers of one subject beyond what its engine can tell, so that nothing is done twice or forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spunto.core.executor.kinds import setup
from spunto.core.executor.kinds.setup import Stage
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.kernel.problem import Problem
from spunto.core.specs.worker import WorkerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Generations count from 1; 0 is never.

    `ran_generation`: the container ran in it, so that it is never started again by itself. `failed_generation`: it was
    given up in it, for `problem`. `lacked_image_in` and `pulled_in`: the engine had no image, and one was fetched.
    `remade_in`: the engine refused to start a container that had never run, so that it was made anew, once;
    `refused_id` was its id.
    `setup_due`: stages that a started container still owes; `setup_running`: the one under way, never repeated.
    """

    ran_generation: int = 0
    failed_generation: int = 0
    problem: Problem | None = None
    lacked_image_in: int = 0
    pulled_in: int = 0
    remade_in: int = 0
    refused_id: str | None = None
    setup_due: tuple[Stage, ...] = ()
    setup_running: Stage | None = None
    setup: Mapping[str, Any] | None = None
    network_removed: bool = False
    volume_removed: bool = False

    def failed(self, generation: int, problem: Problem) -> "Ledger":
        return replace(self, failed_generation=generation, problem=problem)

    def without_image(self, generation: int) -> "Ledger":
        return replace(self, lacked_image_in=generation)

    def start_refused(self, generation: int, container: Container) -> "Ledger":
        return replace(self, remade_in=generation, refused_id=container.container_id)

    def removed(self) -> "Ledger":
        """The container is gone; a network or volume that was gone before may have come back with it."""
        return replace(self, network_removed=False, volume_removed=False)

    def pulled(self, generation: int) -> "Ledger":
        return replace(self, pulled_in=generation, lacked_image_in=0)

    def created(self) -> "Ledger":
        """A new container has had no setup."""
        return replace(self, setup_due=(), setup=None)

    def starting(self, container: Container) -> "Ledger":
        """Written before the start, so that a crash right after it does not lose what the start owes."""
        first = container.state is ContainerState.CREATED or Stage.POST_CREATE in self.setup_due
        return replace(self, setup_due=tuple(Stage) if first else (Stage.POST_START,))

    def ran(self, generation: int, spec: WorkerSpec, *, at: str, timings: Mapping[str, float]) -> "Ledger":
        """The container runs; what it owes is narrowed to what the project has commands for."""
        if not self.setup_due:  # It was running when it was found: whoever started it saw to its setup.
            return replace(self, ran_generation=generation)
        due = tuple(stage for stage in self.setup_due if setup.command_of(spec, stage))
        begun = setup.begun(self.setup, due=due, at=at, timings=timings)
        return replace(self, ran_generation=generation, setup_due=due, setup=begun)

    def setting_up(self, stage: Stage) -> "Ledger":
        """Written before the command, which runs at most once."""
        return replace(self, setup_due=tuple(due for due in self.setup_due if due is not stage), setup_running=stage)

    def set_up(self, *, exit_code: int | None, output: bytes, seconds: float) -> "Ledger":
        """The command under way has ended; None for an end that nobody saw."""
        if self.setup is None or self.setup_running is None:
            return self
        status = setup.with_result(self.setup, self.setup_running, exit_code=exit_code, output=output, seconds=seconds)
        return replace(self, setup=status if self.setup_due else setup.ended(status), setup_running=None)

    def interrupted(self) -> "Ledger":
        """After a crash or a stop: the setup command that was under way has an unknown end."""
        return self.set_up(exit_code=None, output=b"", seconds=0.0)


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
        "setupDue": [stage.value for stage in ledger.setup_due],
        "setupRunning": ledger.setup_running,
        "setup": None if ledger.setup is None else dict(ledger.setup),
        "networkRemoved": ledger.network_removed,
        "volumeRemoved": ledger.volume_removed,
    }


def ledger_from_json(body: Mapping[str, Any]) -> Ledger:
    """Raises KeyError, TypeError or ValueError where it is not a ledger."""
    return Ledger(
        ran_generation=body["ranGeneration"],
        failed_generation=body["failedGeneration"],
        problem=None if body["problem"] is None else Problem(**body["problem"]),
        lacked_image_in=body["lackedImageIn"],
        pulled_in=body["pulledIn"],
        remade_in=body["remadeIn"],
        refused_id=body["refusedId"],
        setup_due=tuple(Stage(stage) for stage in body["setupDue"]),
        setup_running=None if body["setupRunning"] is None else Stage(body["setupRunning"]),
        setup=body["setup"],
        network_removed=body["networkRemoved"],
        volume_removed=body["volumeRemoved"],
    )
