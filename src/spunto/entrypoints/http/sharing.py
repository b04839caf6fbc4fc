"""Who reaches a worker's ports, over HTTP: sharing of a port, and links to it that end."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId, UserId
from spunto.core.projects.model import ProjectId
from spunto.core.routes.desired import Sharing
from spunto.core.routes.entry import LinkId, PortLink
from spunto.core.routes.hosts import require_port
from spunto.core.workers.model import WorkerId
from spunto.core.workers.sharing import LINK_SECONDS, MAX_LINK_SECONDS, OpenedPort, SharedPort, WorkerSharing
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.requests import In, idempotency_key, read
from spunto.entrypoints.http.responses import json_response, made, no_content

_PORT: Final = re.compile(r"[1-9][0-9]{0,4}\Z")


class SharingIn(In):
    sharing: Annotated[Sharing, Field(strict=False)]


class PortLinkIn(In):
    expires_in_seconds: Annotated[int, Field(ge=1, le=MAX_LINK_SECONDS)] = LINK_SECONDS


class SharedPortOut(TypedDict):
    port: int
    sharing: Sharing
    url: str


class PortLinkOut(TypedDict):
    id: LinkId
    port: int
    createdBy: UserId
    createdAt: datetime
    expiresAt: datetime


class OpenedPortOut(SharedPortOut):
    links: list[PortLinkOut]


class OpenedPortsOut(TypedDict):
    items: list[OpenedPortOut]


class PortLinkWithUrlOut(PortLinkOut):
    url: str


class PortLinksOut(TypedDict):
    items: list[PortLinkOut]


def link_out(link: PortLink) -> PortLinkOut:
    return {
        "id": link.id,
        "port": link.port,
        "createdBy": link.made_by,
        "createdAt": link.created_at,
        "expiresAt": link.expires_at,
    }


def shared_out(shared: SharedPort) -> SharedPortOut:
    return {"port": shared.port, "sharing": shared.sharing, "url": shared.url}


def opened_out(opened: OpenedPort) -> OpenedPortOut:
    return {**shared_out(opened.shared), "links": [link_out(link) for link in opened.links]}


def sharing_blueprint(sharing: WorkerSharing, *, name: str, under: str) -> Blueprint:
    """Of the workers under that path: their project's, or all of them."""
    routes = Blueprint(name, __name__, url_prefix=f"{under}/<worker_id>")

    @routes.get("/sharing")
    @operation(
        "See which ports of a worker others reach",
        description=(
            "Those that are shared, and those with links that have not ended, also while nothing listens there or the "
            "worker is stopped. What links lead to is not shown again."
        ),
        answers={200: OpenedPortsOut},
        errors=("not_owner",),
        operation_id="getSharing",
    )
    async def opened(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        ports = await sharing.opened(actor, org_id, project_id, worker_id)
        return json_response({"items": [opened_out(each) for each in ports]})

    @routes.put("/ports/<port>")
    @operation(
        "Say who reaches a port of a worker",
        description=(
            "`owner`: nobody else, as at first. `org`: every member, and keys with `workers:exec`. `public`: "
            "everybody. It outlives stop, start and rebuild, and what is taken back ends within seconds, open "
            "connections too. Its owner says it, and of a worker of an organization's key admins; admins take back "
            "what others share."
        ),
        body=SharingIn,
        answers={200: SharedPortOut},
        errors=("port_not_found", "not_owner", "too_many_shared_ports", "stale_version"),
        operation_id="sharePort",
    )
    async def share(
        actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, port: str
    ) -> Response:
        asked = await read(SharingIn)
        shared = await sharing.share(actor, org_id, project_id, worker_id, _port(port), asked.sharing)
        return json_response(shared_out(shared))

    @routes.get("/ports/<port>/links")
    @operation(
        "List the links to a port of a worker",
        description="Those that have not ended. What they lead to is not shown again.",
        answers={200: PortLinksOut},
        errors=("port_not_found", "not_owner"),
        operation_id="listPortLinks",
    )
    async def list_links(
        actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, port: str
    ) -> Response:
        links = await sharing.links(actor, org_id, project_id, worker_id, _port(port))
        return json_response({"items": [link_out(each) for each in links]})

    @routes.post("/ports/<port>/links")
    @operation(
        "Make a link to a port of a worker",
        description=(
            "Whoever has the `url` reaches the port until the link ends, also who has no account; it is shown this "
            "once. It lasts an hour unless `expiresInSeconds` says otherwise, 30 days at most. It wakes no stopped "
            "worker, and dies with the membership of whoever made it."
        ),
        body=PortLinkIn,
        answers={201: PortLinkWithUrlOut},
        errors=("port_not_found", "not_owner", "too_many_links", "token_not_repeatable"),
        operation_id="createPortLink",
        idempotent=True,
    )
    async def create_link(
        actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId, port: str
    ) -> Response:
        asked = await read(PortLinkIn)
        link, url = await sharing.create_link(
            actor,
            org_id,
            project_id,
            worker_id,
            _port(port),
            seconds=asked.expires_in_seconds,
            idempotency=await idempotency_key(actor),
        )
        at = f"/api/orgs/{org_id}/workers/{worker_id}/ports/{link.port}/links/{link.id}"
        return made({**link_out(link), "url": url.reveal()}, at=at)

    @routes.delete("/ports/<port>/links/<link_id>")
    @operation(
        "Take back a link to a port of a worker",
        description="Whoever came in by it is put out within seconds.",
        answers={204: None},
        errors=("port_not_found", "link_not_found", "not_owner"),
        operation_id="revokePortLink",
    )
    async def revoke_link(
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        port: str,
        link_id: LinkId,
    ) -> Response:
        await sharing.revoke_link(actor, org_id, project_id, worker_id, _port(port), link_id)
        return no_content()

    return routes


def _port(text: str) -> int:
    """Raises NotFound for what is none."""
    port = int(text) if _PORT.match(text) else 0
    require_port(port)
    return port
