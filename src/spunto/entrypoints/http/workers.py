"""Workers over HTTP: from spawn to destroy."""

from dataclasses import replace
from typing import Final

from quart import Blueprint, Response, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Invalid, NotFound
from spunto.core.projects.model import ProjectId
from spunto.core.workers.history import WorkerHistory, is_gone
from spunto.core.workers.model import TRANSIENT, WorkerId
from spunto.core.workers.service import WorkerService
from spunto.core.workers.views import WorkerView
from spunto.core.workers.waiting import WorkerWaits
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import page_response
from spunto.entrypoints.http.preconditions import precondition, tag_of, tagged
from spunto.entrypoints.http.requests import (
    Nothing,
    idempotency_key,
    query,
    read,
    read_nothing,
)
from spunto.entrypoints.http.responses import json_response, no_content
from spunto.entrypoints.http.worker_answers import (
    WorkerFragments,
    WorkerOut,
    WorkersOut,
    explanation_out,
    told_by_tag,
    under_way,
    worker_out,
)
from spunto.entrypoints.http.worker_questions import (
    AllWorkersQuery,
    GetQuery,
    RebuildIn,
    WaitQuery,
    WorkerIn,
    WorkerPatchIn,
    WorkersQuery,
    distinct,
    page_of,
)

OF_PROJECT: Final = "/api/orgs/<org_id>/projects/<project_id>/workers"
OF_ORGANIZATION: Final = "/api/orgs/<org_id>/workers"


def workers_blueprint(workers: WorkerService, waits: WorkerWaits, history: WorkerHistory) -> Blueprint:
    routes = Blueprint("workers", __name__, url_prefix=OF_PROJECT)
    fragments = WorkerFragments()

    @routes.get("")
    @operation("List a project's workers", query=WorkersQuery, answers={200: WorkersOut})
    async def list_all(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked = query(WorkersQuery) if request.query_string else _EVERYTHING
        listing = actor, org_id, project_id, page_of(asked), asked.matching()
        if asked.looks_back:
            return page_response(await history.list(*listing), fragments.of)
        return fragments.response(await workers.list(*listing))

    @routes.post("")
    @operation(
        "Spawn a worker",
        description="Answers 202 at once; with `wait` 201 when it has settled, or 202 when the time is over.",
        body=WorkerIn,
        query=WaitQuery,
        answers={201: WorkerOut, 202: WorkerOut},
        errors=(
            "no_node_available",
            "worker_name_taken",
            "branch_unsupported",
            "grant_needed",
            "secrets_full",
            "env_too_large",
            "env_name_reserved",
            "user_required",
            "stale_version",
        ),
        idempotent=True,
        operation_id="spawnWorker",
    )
    async def spawn(actor: Actor, org_id: OrgId, project_id: ProjectId) -> Response:
        asked, seconds = await read(WorkerIn), query(WaitQuery).wait
        if asked.branch is not None:
            raise Invalid("branch_unsupported", "Repositories are not cloned yet; spawn without a branch.")
        spawned = await workers.spawn(
            actor,
            org_id,
            project_id,
            node_id=asked.node_id,
            name=asked.name,
            tags=distinct(asked.tags),
            metadata=asked.metadata,
            env=asked.env,
            secrets=asked.wishes(),
            idempotency=await idempotency_key(actor, under_way),
        )
        return await _settled(actor, workers, waits, spawned, seconds=seconds, status=201)

    _worker_routes(routes, workers, waits, history)
    return routes


def all_workers_blueprint(workers: WorkerService, waits: WorkerWaits, history: WorkerHistory) -> Blueprint:
    routes = Blueprint("all_workers", __name__, url_prefix=OF_ORGANIZATION)
    fragments = WorkerFragments()

    @routes.get("")
    @operation(
        "List the workers of all projects",
        query=AllWorkersQuery,
        answers={200: WorkersOut},
        operation_id="listAllWorkers",
    )
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        asked = query(AllWorkersQuery)
        listing = actor, org_id, None, page_of(asked), asked.matching()
        if asked.looks_back:
            return page_response(await history.list(*listing), fragments.of)
        return fragments.response(await workers.list(*listing))

    _worker_routes(routes, workers, waits, history)
    return routes


def _worker_routes(routes: Blueprint, workers: WorkerService, waits: WorkerWaits, history: WorkerHistory) -> None:
    """What one worker is asked, whether its project is named or not."""

    @routes.get("/<worker_id>")
    @operation(
        "Get a worker",
        description="With `explain`, it says what is wanted, what the node saw, what blocks and what comes next.",
        query=GetQuery,
        answers={200: WorkerOut},
        tagged=True,
    )
    async def get(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = query(GetQuery) if request.query_string else _AS_IT_IS
        looks_back = None if asked.include is None else history
        view = await _found(workers, looks_back, actor, org_id, project_id, worker_id)
        if asked.wait and view.worker.state in TRANSIENT:
            await waits.settled(worker_id, max_seconds=asked.wait)
            view = await _found(workers, looks_back, actor, org_id, project_id, worker_id)
        if asked.explain and not is_gone(view):
            view, explanation = await workers.explain(actor, org_id, project_id, worker_id)
            explained: WorkerOut = {**worker_out(view), "explanation": explanation_out(explanation)}
            # What comes next is told by the time, so that no tag could say that nothing has changed.
            return json_response(explained)
        return tagged(worker_out(view), tag_of(told_by_tag(view)))

    @routes.patch("/<worker_id>")
    @operation(
        "Change a worker's name, tags, metadata or idle timeout",
        body=WorkerPatchIn,
        answers={200: WorkerOut},
        errors=("not_owner", "worker_name_taken", "stale_version"),
        tagged=True,
        operation_id="updateWorker",
    )
    async def update(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = await read(WorkerPatchIn)
        expected, changes = precondition(told_by_tag), asked.changes()
        changed = await workers.update(actor, org_id, project_id, worker_id, precondition=expected, **changes)
        return tagged(worker_out(changed), tag_of(told_by_tag(changed)))

    @routes.delete("/<worker_id>")
    @operation(
        "Destroy a worker, with its container, network and volumes",
        description="With `wait` 204 when it is gone.",
        query=WaitQuery,
        answers={202: WorkerOut, 204: None},
        errors=("not_owner", "stale_version"),
        tagged=True,
        operation_id="destroyWorker",
    )
    async def destroy(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        seconds = query(WaitQuery).wait
        expected = precondition(told_by_tag)
        destroying = await workers.destroy(actor, org_id, project_id, worker_id, precondition=expected)
        if seconds:
            await waits.settled(worker_id, max_seconds=seconds)
            try:
                destroying = await workers.get(actor, org_id, project_id, worker_id)
            except NotFound:
                return no_content()
        return under_way(destroying).response()

    _power_routes(routes, workers, waits)


def _power_routes(routes: Blueprint, workers: WorkerService, waits: WorkerWaits) -> None:
    """Stopped, started, or made anew."""

    @routes.post("/<worker_id>/stop")
    @operation(
        "Stop a worker; its file system stays",
        body=Nothing,
        query=WaitQuery,
        answers={200: WorkerOut, 202: WorkerOut},
        errors=("not_owner", "node_removed", "worker_state", "stale_version"),
        idempotent=True,
    )
    async def stop(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        await read_nothing()
        key = await idempotency_key(actor, under_way)
        asked = query(WaitQuery)
        view = await workers.stop(actor, org_id, project_id, worker_id, idempotency=key)
        return await _settled(actor, workers, waits, view, seconds=asked.wait, status=200)

    @routes.post("/<worker_id>/start")
    @operation(
        "Start a stopped worker, or one in error",
        body=Nothing,
        query=WaitQuery,
        answers={200: WorkerOut, 202: WorkerOut},
        errors=("not_owner", "node_removed", "no_node_available", "worker_state", "stale_version"),
        idempotent=True,
    )
    async def start(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        await read_nothing()
        key = await idempotency_key(actor, under_way)
        asked = query(WaitQuery)
        view = await workers.start(actor, org_id, project_id, worker_id, idempotency=key)
        return await _settled(actor, workers, waits, view, seconds=asked.wait, status=200)

    @routes.post("/<worker_id>/rebuild")
    @operation(
        "Make a worker anew from its project's newest version",
        description="`/workspace` stays; the rest of the file system is the image's again. The container before is "
        "stopped first and kept until the new one is ready; where that fails it runs again, and `error` says why "
        "(`rebuild_failed`).",
        body=RebuildIn,
        query=WaitQuery,
        answers={200: WorkerOut, 202: WorkerOut},
        errors=(
            "not_owner",
            "node_removed",
            "no_node_available",
            "grant_needed",
            "secrets_full",
            "env_too_large",
            "user_required",
            "worker_state",
            "stale_version",
        ),
        idempotent=True,
        operation_id="rebuildWorker",
    )
    async def rebuild(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked, seconds = await read(RebuildIn), query(WaitQuery).wait
        key = await idempotency_key(actor, under_way)
        rebuilt = await workers.rebuild(actor, org_id, project_id, worker_id, secrets=asked.wishes(), idempotency=key)
        return await _settled(actor, workers, waits, rebuilt, seconds=seconds, status=200)


async def _found(
    workers: WorkerService,
    history: WorkerHistory | None,
    actor: Actor,
    org_id: OrgId,
    project_id: ProjectId | None,
    worker_id: WorkerId,
) -> WorkerView:
    """As it stands, or where there is a history to look into, as it was in the end."""
    try:
        return await workers.get(actor, org_id, project_id, worker_id)
    except NotFound:
        if history is None:
            raise
    return await history.get(actor, org_id, project_id, worker_id)


async def _settled(
    actor: Actor, workers: WorkerService, waits: WorkerWaits, view: WorkerView, *, seconds: int, status: int
) -> Response:
    """As it is when it has settled, or else accepted and under way."""
    worker = view.worker
    if seconds == 0:
        return under_way(view).response()
    await waits.settled(worker.id, max_seconds=seconds)
    try:
        view = await workers.get(actor, worker.org_id, worker.project_id, worker.id)
    except NotFound:
        # Somebody destroyed it meanwhile; that it was accepted is still true.
        return under_way(view).response()
    reply = under_way(view)
    return (reply if view.worker.state in TRANSIENT else replace(reply, status=status)).response()


_EVERYTHING: Final = WorkersQuery()
_AS_IT_IS: Final = GetQuery()
