"""What a failed action means for its subject: another try and when, another way, or giving the generation up; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spunto.core.executor.actions import Action, Create, Start
from spunto.core.executor.item import Item
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.runtime import Container, ContainerState, EngineUnavailable, ImageNotFound
from spunto.core.executor.seen import NOTHING, Seen
from spunto.core.kernel.backoff import BackOff
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, SpuntoError
from spunto.core.kernel.problem import Problem

MAX_SURPRISES = 5
BACK_OFF = BackOff(base_seconds=0.5, cap_seconds=15.0, least=0.5)
"""Half of each wait is by chance, so that a node's subjects don't return as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Failures in a row that may pass: `surprises` are the unexpected ones among the `attempts`."""

    attempts: int = 0
    surprises: int = 0
    not_before: float = 0.0
    problem: Problem | None = None


CALM = Trouble()


def after_error(
    item: Item[Any],
    ledger: Ledger,
    trouble: Trouble,
    *,
    action: Action | None,
    error: Exception,
    now: float,
    jitter: float,
    seen: Seen = NOTHING,
) -> tuple[Ledger, Trouble]:
    """Whether to try again, and when, or to give the generation up; no action is a mere look.

    `jitter` is between 0 and 1.
    """
    if isinstance(error, ImageNotFound) and isinstance(action, Create) and ledger.pulled_in != item.generation:
        return ledger.without_image(item.generation), CALM
    refused = _never_started(seen, action, error)
    if refused is not None and ledger.remade_in != item.generation:
        return ledger.start_refused(item.generation, refused.container_id), CALM
    gone_away = isinstance(error, EngineUnavailable)
    problem = _problem_of(error)
    trouble = Trouble(
        attempts=trouble.attempts + 1,
        surprises=trouble.surprises + (not gone_away),
        not_before=now + BACK_OFF.seconds(trouble.attempts, jitter=jitter),
        problem=problem,
    )
    # What is to be gone has no other end than being gone.
    if item.is_absent:
        return ledger, trouble
    if isinstance(error, Invalid | Forbidden | ImageNotFound | Conflict) or trouble.surprises >= MAX_SURPRISES:
        return ledger.failed(item.generation, problem), CALM
    return ledger, trouble


def _never_started(seen: Seen, action: Action | None, error: Exception) -> Container | None:
    """The container that the engine refused to start, if it has never run: with it nothing is lost.

    A Docker that was killed in a start may keep a task of the container, and then refuses to start it ever after.
    """
    if not isinstance(action, Start) or not isinstance(error, Invalid):
        return None
    container = seen.containers.get(action.name)
    return container if container is not None and container.state is ContainerState.CREATED else None


_WAYS_OUT: Mapping[str, str] = {
    "image_not_found": "Load it on the node and start again, or correct the image's name and rebuild.",
    "engine_refused": "Mend that on the node and start again, or where it was asked for and rebuild; or destroy it.",
    "container_name_taken": "Remove or rename that container on the node and start again.",
}


def _problem_of(error: Exception) -> Problem:
    if not isinstance(error, SpuntoError):
        words = str(error) or "no message"
        return Problem(code="node_error", message=f"The node failed with {type(error).__name__}: {words}"[:3800])
    way_out = _WAYS_OUT.get(error.code)
    # An engine's words end anyhow.
    said = error.message[:3800].rstrip()
    return Problem(code=error.code, message=said if way_out is None else f"{said.rstrip('.')}. {way_out}")
