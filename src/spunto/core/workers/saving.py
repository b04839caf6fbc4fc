"""The only way to write workers: their routes follow in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.model import ROUTES_TOPIC, Route, Standing
from spunto.core.workers.model import Worker, WorkerState
from spunto.core.workers.ports import WorkersTransaction

S = WorkerState
_STATES: Final = {
    S.SPAWNING: RouteState.COMING,
    S.STARTING: RouteState.COMING,
    S.READY: RouteState.UP,
    S.STOPPING: RouteState.DOWN,
    S.STOPPED: RouteState.DOWN,
    S.ERROR: RouteState.DOWN,
    S.DESTROYING: RouteState.GONE,
    S.DESTROYED: RouteState.GONE,
}


def standing_of(worker: Worker) -> Standing:
    """As edges need to know it. The reason is its problem, why it was stopped by itself, or its state."""
    reason = (worker.stop_reason or worker.state.value) if worker.problem is None else worker.problem.code
    return Standing(state=_STATES[worker.state], reason=reason, node_id=worker.node_id)


def route_of(worker: Worker, *, at: datetime, sharing: Mapping[int, Sharing] | None = None) -> Route:
    """The first one of a worker."""
    return Route(
        id=worker.id,
        org_id=worker.org_id,
        owner_id=worker.user_id or worker.api_key_id or "",
        index=worker.index,
        standing=standing_of(worker),
        sharing=sharing or {},
        changed_at=at,
    )


async def add(
    tx: WorkersTransaction, worker: Worker, *, at: datetime, sharing: Mapping[int, Sharing] | None = None
) -> None:
    """With the sharing that its ports begin with. Raises Conflict `worker_name_taken` within the project."""
    await tx.workers.add(worker)
    await tx.routes.add(route_of(worker, at=at, sharing=sharing))
    tx.hint(ROUTES_TOPIC)


async def save(tx: WorkersTransaction, worker: Worker, *, at: datetime) -> Worker:
    """Write what has become of the worker. Raises StaleVersion, Conflict `worker_name_taken`."""
    saved = await tx.workers.update(worker)
    await _follow(tx, saved, at=at)
    return saved


async def remove(tx: WorkersTransaction, worker: Worker, *, at: datetime) -> None:
    """End its record; it is told of for a while. Raises StaleVersion."""
    gone = worker.destroyed(at=at)
    await tx.workers.remove(worker)
    await tx.destroyed.add(gone)
    await _follow(tx, gone, at=at)


async def _follow(tx: WorkersTransaction, worker: Worker, *, at: datetime) -> None:
    route = await tx.routes.find(worker.id)
    if route is None:
        # A server of before has made the worker.
        await tx.routes.add(route_of(worker, at=at))
    elif (now := route.standing_as(standing_of(worker), at=at)) is route:
        return
    else:
        await tx.routes.update(now)
    tx.hint(ROUTES_TOPIC)
