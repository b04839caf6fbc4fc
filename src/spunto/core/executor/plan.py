"""Decides what a node does next for one subject, from what is wanted, seen and remembered; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from spunto.core.executor.containers import made_in
from spunto.core.executor.kinds import setup
from spunto.core.executor.kinds.setup import Stage
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.runtime import Container, ContainerState, EngineUnavailable, ImageNotFound
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, SpuntoError
from spunto.core.kernel.ids import is_id
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.messages import AssignmentKind, DesiredItem, Wanted
from spunto.core.specs.secrets import secrets_from_json
from spunto.core.specs.worker import Power, WorkerSpec, spec_from_json

MAX_SURPRISES = 5
_BACK_OFF_BASE_SECONDS = 0.5
_BACK_OFF_CAP_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A desired item as read by the node. No `spec` where it is to be absent, or could not be understood.

    `secrets` are there from when the server sent them until the container has run.
    """

    kind: AssignmentKind
    id: str
    generation: int
    wanted: Wanted
    spec: WorkerSpec | None
    secrets: Mapping[str, Secret] | None = None

    @property
    def lacks_secrets(self) -> bool:
        return self.spec is not None and self.spec.wants_secrets and self.secrets is None

    def outranks(self, known: "Assigned") -> bool:
        """Whether it replaces what is known. Absence is sticky, and wins over its own generation."""
        if known.wanted is Wanted.ABSENT:
            return self.wanted is Wanted.ABSENT and self.generation > known.generation
        if self.wanted is Wanted.ABSENT:
            return self.generation >= known.generation
        return self.generation > known.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage:
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContainer:
    """With its network and volume, and with secrets among its variables."""

    spec: WorkerSpec
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContainer:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    stage: Stage
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopContainer:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveContainer:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNetwork:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveVolume:
    pass


Action = (
    PullImage
    | CreateContainer
    | StartContainer
    | RunSetup
    | StopContainer
    | RemoveContainer
    | RemoveNetwork
    | RemoveVolume
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Nothing before this time of the monotonic clock."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Failures in a row that may pass: `surprises` are the unexpected ones among the `attempts`."""

    attempts: int = 0
    surprises: int = 0
    not_before: float = 0.0
    problem: Problem | None = None


CALM = Trouble()


def read_item(item: DesiredItem) -> Assigned:
    """What the server asks for. A spec that this agent can't read is no reason to fall silent; see `next_step`."""
    spec, secrets = None, None
    if item.wanted is Wanted.PRESENT and item.spec is not None and is_id(item.id, "wkr"):
        try:
            spec = spec_from_json(item.spec)
            secrets = None if item.secrets is None else secrets_from_json(item.secrets)
        except (KeyError, TypeError, ValueError, AttributeError):
            spec = None
    return Assigned(
        kind=item.kind, id=item.id, generation=item.generation, wanted=item.wanted, spec=spec, secrets=secrets
    )


def next_step(
    item: Assigned, container: Container | None, ledger: Ledger, *, trouble: Trouble, now: float
) -> Action | WaitUntil | None:
    """The next thing to do; None when the subject is as wanted, or given up in this generation."""
    action = _next_action(item, container, ledger)
    if action is not None and trouble.not_before > now:
        return WaitUntil(at=trouble.not_before)
    return action


def _next_action(item: Assigned, container: Container | None, ledger: Ledger) -> Action | None:
    if item.wanted is Wanted.ABSENT:
        return _towards_absence(container, ledger)
    if item.spec is None or ledger.failed_generation == item.generation:
        return None
    if item.spec.power is Power.STOPPED:
        return StopContainer() if _runs(container) else None
    return _towards_running(item, item.spec, container, ledger)


def _towards_absence(container: Container | None, ledger: Ledger) -> Action | None:
    if container is not None:
        return RemoveContainer()
    if not ledger.network_removed:
        return RemoveNetwork()
    return None if ledger.volume_removed else RemoveVolume()


def _towards_running(item: Assigned, spec: WorkerSpec, container: Container | None, ledger: Ledger) -> Action | None:
    if container is not None and made_in(container) != spec.made_in:
        return RemoveContainer()
    if ledger.ran_generation == item.generation:
        return _next_setup(spec, ledger) if _runs(container) else None
    if container is not None:
        return RemoveContainer() if container.container_id == ledger.refused_id else StartContainer()
    if item.lacks_secrets:
        return None
    if ledger.lacked_image_in == item.generation:
        return PullImage(image=spec.image)
    return CreateContainer(spec=spec, secrets=item.secrets or {})


def _next_setup(spec: WorkerSpec, ledger: Ledger) -> Action | None:
    for stage in ledger.setup_due:
        command = setup.command_of(spec, stage)
        if command:
            return RunSetup(stage=stage, command=command)
    return None


def noticed(
    item: Assigned, container: Container | None, ledger: Ledger, *, at: datetime, timings: Mapping[str, float]
) -> Ledger:
    """The ledger after a look: a container that runs as wanted has run in this generation, once and for all."""
    spec = item.spec
    if item.wanted is Wanted.ABSENT or spec is None or spec.power is Power.STOPPED or container is None:
        return ledger
    if not _runs(container) or made_in(container) != spec.made_in or ledger.ran_generation == item.generation:
        return ledger
    started_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return ledger.ran(item.generation, spec, at=started_at, timings=timings)


def is_obsolete(action: Action, item: Assigned) -> bool:
    """Whether what is under way should be broken off for what is wanted now. Only what takes long is."""
    runs = item.wanted is Wanted.PRESENT and item.spec is not None and item.spec.power is Power.RUNNING
    if isinstance(action, PullImage):
        return not runs or item.spec is None or item.spec.image != action.image
    if isinstance(action, RunSetup):
        return not runs
    return isinstance(action, StopContainer) and item.wanted is Wanted.ABSENT


def before(action: Action, container: Container | None, ledger: Ledger) -> Ledger:
    """What to remember before acting, for a crash in the middle."""
    if isinstance(action, StartContainer) and container is not None:
        return ledger.starting(container)
    return ledger.setting_up(action.stage) if isinstance(action, RunSetup) else ledger


def after(action: Action, ledger: Ledger, *, generation: int) -> Ledger:
    """What to remember after an action that succeeded; a setup's result comes with `Ledger.set_up`."""
    match action:
        case PullImage():
            return ledger.pulled(generation)
        case CreateContainer():
            return ledger.created()
        case RemoveContainer():
            return ledger.removed()
        case RemoveNetwork():
            return replace(ledger, network_removed=True)
        case RemoveVolume():
            return replace(ledger, volume_removed=True)
        case StartContainer() | StopContainer() | RunSetup():
            return ledger


def after_error(
    item: Assigned,
    ledger: Ledger,
    trouble: Trouble,
    *,
    action: Action | None,
    error: Exception,
    now: float,
    jitter: float,
    container: Container | None = None,
) -> tuple[Ledger, Trouble]:
    """Whether to try again, and when, or to give the generation up; no action is a mere look.

    `jitter` is between 0 and 1.
    """
    if isinstance(error, ImageNotFound) and isinstance(action, CreateContainer) and ledger.pulled_in != item.generation:
        return ledger.without_image(item.generation), CALM
    if container is not None and _may_be_remade(container, action, error) and ledger.remade_in != item.generation:
        return ledger.start_refused(item.generation, container), CALM
    gone_away = isinstance(error, EngineUnavailable)
    problem = _problem_of(error)
    trouble = Trouble(
        attempts=trouble.attempts + 1,
        surprises=trouble.surprises + (not gone_away),
        not_before=now + back_off_seconds(trouble.attempts, jitter=jitter),
        problem=problem,
    )
    # What is to be gone has no other end than being gone.
    if item.wanted is Wanted.ABSENT:
        return ledger, trouble
    if isinstance(error, Invalid | Forbidden | ImageNotFound | Conflict) or trouble.surprises >= MAX_SURPRISES:
        return ledger.failed(item.generation, problem), CALM
    return ledger, trouble


def _may_be_remade(container: Container, action: Action | None, error: Exception) -> bool:
    """A Docker that was killed in a start may keep a task of the container, and then refuses to start it ever after.

    With a container that has never run nothing is lost.
    """
    refused = isinstance(action, StartContainer) and isinstance(error, Invalid)
    return refused and container.state is ContainerState.CREATED


def back_off_seconds(attempts: int, *, jitter: float) -> float:
    """Exponential up to a cap, between half of it and all of it, so that a node's subjects don't return as one."""
    ceiling = min(_BACK_OFF_CAP_SECONDS, _BACK_OFF_BASE_SECONDS * 2.0 ** min(attempts, 16))
    return ceiling * (0.5 + 0.5 * jitter)


_WAYS_OUT: Mapping[str, str] = {
    "image_not_found": "Correct the project's image, or load it on the node, and start the worker again.",
    "engine_refused": "Correct the project, then rebuild or start the worker; or destroy it.",
    "container_name_taken": "Remove or rename that container on the node and start the worker again.",
}


def _problem_of(error: Exception) -> Problem:
    if not isinstance(error, SpuntoError):
        words = str(error) or "no message"
        return Problem(code="node_error", message=f"The node failed with {type(error).__name__}: {words}"[:3800])
    way_out = _WAYS_OUT.get(error.code)
    return Problem(code=error.code, message=" ".join(filter(None, (error.message[:3800], way_out))))


def _runs(container: Container | None) -> bool:
    return container is not None and container.state is ContainerState.RUNNING
