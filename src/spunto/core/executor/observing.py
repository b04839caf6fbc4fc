"""Says what a node sees of one subject, in the protocol's words; pure."""

from datetime import datetime

from spunto.core.executor.containers import made_in
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.plan import Action, Assigned, PullImage, Trouble
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import ObservedItem, Phase, Wanted
from spunto.core.specs.worker import Power

CONTAINER_LOST = Problem(
    code="container_lost",
    message="The container was removed outside Spunto; starting the worker makes it anew, /workspace is kept.",
)
OUT_OF_MEMORY = Problem(
    code="out_of_memory",
    message="The worker was stopped because it used more memory than it has; give the project more and start it again.",
)
UNREADABLE = Problem(
    code="spec_unreadable",
    message="The node's agent does not understand what it is asked for; update the agent, then start the worker again.",
)
SECRETS_AWAITED = Problem(
    code="secrets_awaited",
    message="The worker waits for its owner's secrets, which the server sends again when it can read them.",
)
TRANSIENT = frozenset({Phase.PULLING, Phase.CREATING, Phase.STARTING, Phase.STOPPING, Phase.REMOVING})


def observation_of(
    item: Assigned,
    container: Container | None,
    ledger: Ledger,
    *,
    doing: Action | None,
    trouble: Trouble,
    at: datetime,
) -> ObservedItem:
    """What to report. While a thing is on its way, `error` says what it is retried for, if anything."""
    phase, problem = _phase_of(item, container, ledger, doing)
    if problem is None and phase in TRANSIENT:
        problem = trouble.problem or (SECRETS_AWAITED if container is None and item.lacks_secrets else None)
    return ObservedItem(
        kind=item.kind,
        id=item.id,
        generation=item.generation,
        phase=phase,
        container_id=None if container is None else container.container_id,
        container_state="not_found" if container is None else container.state.value,
        exit_code=None if container is None else container.exit_code,
        error=problem,
        setup=None if ledger.setup is None else dict(ledger.setup),
        at=at,
    )


def _phase_of(
    item: Assigned, container: Container | None, ledger: Ledger, doing: Action | None
) -> tuple[Phase, Problem | None]:
    if item.wanted is Wanted.ABSENT:
        gone = container is None and ledger.network_removed and ledger.volume_removed
        return (Phase.ABSENT if gone else Phase.REMOVING), None
    if item.spec is None:
        return Phase.FAILED, UNREADABLE
    if ledger.failed_generation == item.generation:
        return Phase.FAILED, ledger.problem
    runs = container is not None and container.state is ContainerState.RUNNING
    if item.spec.power is Power.STOPPED:
        return (Phase.STOPPING if runs else Phase.STOPPED), None
    if container is not None and made_in(container) != item.spec.made_in:
        return Phase.CREATING, None
    if ledger.ran_generation != item.generation:
        return _phase_on_the_way(container, ledger, item.generation, doing), None
    return _phase_after_running(container)


def _phase_on_the_way(container: Container | None, ledger: Ledger, generation: int, doing: Action | None) -> Phase:
    if container is not None:
        return Phase.STARTING
    pulls = isinstance(doing, PullImage) or ledger.lacked_image_in == generation
    return Phase.PULLING if pulls else Phase.CREATING


def _phase_after_running(container: Container | None) -> tuple[Phase, Problem | None]:
    if container is None:
        return Phase.FAILED, CONTAINER_LOST
    if container.state is ContainerState.RUNNING:
        return Phase.RUNNING, None
    return Phase.STOPPED, (OUT_OF_MEMORY if container.oom_killed else None)
