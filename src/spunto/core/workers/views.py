"""Workers as they are shown, to whom."""

from typing import NamedTuple

from spunto.core.access.model import Tenant
from spunto.core.access.policy import Action, Role
from spunto.core.kernel.paging import Page
from spunto.core.routes.hosts import CODE, Addresses
from spunto.core.workers.listing import Listed
from spunto.core.workers.looks import Looks, has_output, owns, without_output
from spunto.core.workers.model import DockerState, Worker, WorkerState


class WorkerUrls(NamedTuple):
    """Where it is reached from outside: port 8080, where the browser's editor belongs, under a name of its own, and
    any port, which stands in `port` as `{port}`."""

    code: str
    port: str


class WorkerView(NamedTuple):
    """A worker as shown: `docker_state` is `unknown` while its node is away; `outdated` by a newer project version;
    its set-up without what the commands said unless `shows_output`; no `urls` of one that is gone.

    A list makes fifty of them for every request, and a tuple is made in half the time of a dataclass.
    """

    worker: Worker
    docker_state: DockerState
    outdated: bool
    shows_output: bool
    urls: WorkerUrls | None = None


def view_of(tenant: Tenant, worker: Worker, newest: int, *, is_reachable: bool, addresses: Addresses) -> WorkerView:
    shows_output = owns(tenant, worker)
    return WorkerView(
        worker=worker if shows_output else without_output(worker),
        docker_state=worker.docker_state if is_reachable else DockerState.UNKNOWN,
        outdated=worker.project_version != newest,
        shows_output=shows_output,
        urls=_urls_of(worker, addresses),
    )


def _urls_of(worker: Worker, addresses: Addresses) -> WorkerUrls | None:
    if worker.state is WorkerState.DESTROYED:
        return None
    return WorkerUrls(
        code=addresses.url_of(worker.index, worker.id, CODE), port=addresses.pattern_of(worker.index, worker.id)
    )


def views_of(tenant: Tenant, page: Page[Listed], addresses: Addresses) -> Page[WorkerView]:
    """Of the tenant only its owner counts: whoever acts for the same one is shown the same."""
    views = [
        view_of(tenant, each.worker, each.newest_version, is_reachable=each.is_connected, addresses=addresses)
        for each in page.items
    ]
    return Page(items=views, next_before=page.next_before)


async def with_output(looks: Looks, tenant: Tenant, worker: Worker, view: WorkerView) -> WorkerView:
    """For an admin with what its set-up said, after a note of the look; for others as it is."""
    if view.shows_output or not tenant.role.includes(Role.ADMIN) or not has_output(worker):
        return view
    await looks.note(tenant, Action.WORKER_READ_OUTPUT, worker)
    return view._replace(worker=worker, shows_output=True)
