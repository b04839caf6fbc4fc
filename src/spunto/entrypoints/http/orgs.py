"""Organizations and their members over HTTP."""

from typing import Annotated, Any

from pydantic import StringConstraints
from quart import Blueprint, Response

from spunto.core.access.model import Actor, OrgId
from spunto.core.orgs.model import Member, OrganizationView
from spunto.core.orgs.service import OrganizationService
from spunto.entrypoints.http.paging import asked_page, page_response
from spunto.entrypoints.http.requests import In, Name, idempotency_key, read
from spunto.entrypoints.http.responses import json_response

Slug = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class OrganizationIn(In):
    name: Name
    slug: Slug | None = None


def organization_out(view: OrganizationView) -> dict[str, Any]:
    organization = view.organization
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "role": view.role,
        "createdAt": organization.created_at,
    }


def member_out(member: Member) -> dict[str, Any]:
    return {
        "userId": member.user.id,
        "name": member.user.name,
        "email": member.user.email,
        "role": member.role,
        "joinedAt": member.joined_at,
    }


def organizations_blueprint(organizations: OrganizationService) -> Blueprint:
    routes = Blueprint("organizations", __name__, url_prefix="/api/orgs")

    @routes.get("")
    async def list_all(actor: Actor) -> Response:
        return page_response(await organizations.list(actor, asked_page("org")), organization_out)

    @routes.post("")
    async def create(actor: Actor) -> Response:
        asked = await read(OrganizationIn)
        made = await organizations.create(
            actor, name=asked.name, slug=asked.slug, idempotency=await idempotency_key(actor)
        )
        return json_response(organization_out(made), 201)

    @routes.get("/<org_id>")
    async def get(actor: Actor, org_id: OrgId) -> Response:
        return json_response(organization_out(await organizations.get(actor, org_id)))

    @routes.get("/<org_id>/members")
    async def members(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await organizations.members(actor, org_id, asked_page("usr")), member_out)

    return routes
