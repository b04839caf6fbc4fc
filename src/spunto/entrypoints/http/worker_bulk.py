"""Many workers over HTTP: stopped or destroyed by a filter, and answered one by one."""

from typing import Annotated, Final, NotRequired

from pydantic import Field
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId, UserId
from spunto.core.kernel.errors import Malformed
from spunto.core.kernel.ids import pattern_of
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.nodes.model import NodeId
from spunto.core.projects.model import ProjectId
from spunto.core.workers.bulk import Asked, WorkerBulk
from spunto.core.workers.listing import ALL, WorkerFilter
from spunto.core.workers.model import WorkerId, WorkerState
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.node_answers import ErrorOut, problem_out
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import Cursor, PageQuery, asked_page_of, page_response
from spunto.entrypoints.http.requests import In, Name, Tag, read

_DESCRIPTION: Final = (
    "Those that are all of what the body says, the newest first, each for itself as if it had been named alone: one "
    "that can't be has an `error` and stays as it is. At most `limit` of them; while `nextCursor` is no null there are "
    'more, and the same body with it as `cursor` goes on. Without any filter only `{"all": true}` is taken.'
)


class MatchingIn(In):
    """Workers that are all of what is said; `all` in place of a filter."""

    state: Annotated[WorkerState, Field(strict=False)] | None = None
    name: Name | None = None
    node_id: Annotated[str, Field(pattern=pattern_of("nod"))] | None = None
    project_id: Annotated[str, Field(pattern=pattern_of("prj"))] | None = None
    user_id: Annotated[str, Field(pattern=pattern_of("usr"))] | None = None
    tag: Tag | None = None
    all: bool = False
    limit: Annotated[int, Field(ge=1, le=200)] = 200
    cursor: Cursor | None = None

    def matching(self) -> WorkerFilter:
        """Raises Invalid where nothing is said, or both of a filter and `all`."""
        found = WorkerFilter(
            state=self.state,
            name=self.name,
            node_id=None if self.node_id is None else NodeId(self.node_id),
            project_id=None if self.project_id is None else ProjectId(self.project_id),
            user_id=None if self.user_id is None else UserId(self.user_id),
            tag=self.tag,
        )
        if self.state is WorkerState.DESTROYED:
            raise invalid_fields([{"pointer": "/state", "message": "Those are gone."}])
        if found == ALL and not self.all:
            raise invalid_fields([{"pointer": "", "message": 'Say which ones, or {"all": true} for every worker.'}])
        if found != ALL and self.all:
            raise invalid_fields([{"pointer": "/all", "message": "Not beside a filter: say one of both."}])
        return found

    def page(self) -> PageRequest:
        """Raises Invalid for a cursor of another list."""
        try:
            return asked_page_of(PageQuery(limit=self.limit, cursor=self.cursor), "wkr")
        except Malformed as error:
            raise invalid_fields([{"pointer": "/cursor", "message": error.message}]) from error


class AskedOut(TypedDict):
    """`state` is the one it is in now; with `error` it was refused and is as it was."""

    id: WorkerId
    name: str
    state: WorkerState
    error: NotRequired[ErrorOut | None]


class BulkOut(TypedDict):
    items: list[AskedOut]
    nextCursor: str | None


def asked_out(asked: Asked) -> AskedOut:
    worker = asked.view.worker
    out: AskedOut = {"id": worker.id, "name": worker.name, "state": worker.state}
    if asked.problem is not None:
        out["error"] = problem_out(asked.problem)
    return out


def bulk_blueprint(bulk: WorkerBulk) -> Blueprint:
    routes = Blueprint("worker_bulk", __name__, url_prefix="/api/orgs/<org_id>/workers")

    def answered(page: Page[Asked]) -> Response:
        return page_response(page, asked_out)

    @routes.post("/stop")
    @operation(
        "Stop the workers that fit a filter",
        description=_DESCRIPTION,
        body=MatchingIn,
        answers={200: BulkOut},
        examples={"body": {"tag": "ci"}},
        operation_id="stopWorkers",
    )
    async def stop(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(MatchingIn)
        return answered(await bulk.stop(actor, org_id, asked.page(), asked.matching()))

    @routes.post("/destroy")
    @operation(
        "Destroy the workers that fit a filter",
        description=_DESCRIPTION,
        body=MatchingIn,
        answers={200: BulkOut},
        examples={"body": {"state": "error", "tag": "ci"}},
        operation_id="destroyWorkers",
    )
    async def destroy(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(MatchingIn)
        return answered(await bulk.destroy(actor, org_id, asked.page(), asked.matching()))

    return routes
