"""Organizations and their members over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.model import Member, OrganizationView
from spunto.core.orgs.service import OrganizationService
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.preconditions import precondition, tagged
from spunto.entrypoints.http.requests import In, Name, idempotency_key, read
from spunto.entrypoints.http.responses import Reply, json_response, no_content

Slug = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
RoleIn = Annotated[Role, Field(strict=False)]
"""By its word; strictly taken it would have to be the enum's member."""


class OrganizationIn(In):
    name: Name
    slug: Slug | None = None


class OrganizationPatchIn(In):
    """A field that is absent stays as it is; neither can be cleared."""

    name: Name = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)


class MemberPatchIn(In):
    role: RoleIn


class OrganizationOut(TypedDict):
    id: OrgId
    name: str
    slug: str
    role: Role
    createdAt: datetime


class OrganizationsOut(TypedDict):
    items: list[OrganizationOut]
    nextCursor: str | None


class MemberOut(TypedDict):
    userId: UserId
    name: str
    email: str
    role: Role
    joinedAt: datetime


class MembersOut(TypedDict):
    items: list[MemberOut]
    nextCursor: str | None


def organization_out(view: OrganizationView) -> OrganizationOut:
    organization = view.organization
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "role": view.role,
        "createdAt": organization.created_at,
    }


def member_out(member: Member) -> MemberOut:
    return {
        "userId": member.user.id,
        "name": member.user.name,
        "email": member.user.email,
        "role": member.role,
        "joinedAt": member.joined_at,
    }


def _made(made: OrganizationView) -> Reply:
    return Reply(organization_out(made), 201, {"Location": f"/api/orgs/{made.organization.id}"})


def organizations_blueprint(organizations: OrganizationService, members: MemberService) -> Blueprint:
    routes = Blueprint("organizations", __name__, url_prefix="/api/orgs")

    @routes.get("")
    @operation("List your organizations", query=PageQuery, answers={200: OrganizationsOut})
    async def list_all(actor: Actor) -> Response:
        return page_response(await organizations.list(actor, asked_page("org")), organization_out)

    @routes.post("")
    @operation(
        "Create an organization, with yourself as its owner",
        body=OrganizationIn,
        answers={201: OrganizationOut},
        errors=("slug_taken",),
        idempotent=True,
    )
    async def create(actor: Actor) -> Response:
        asked = await read(OrganizationIn)
        made = await organizations.create(
            actor, name=asked.name, slug=asked.slug, idempotency=await idempotency_key(actor, _made)
        )
        return _made(made).response()

    @routes.get("/<org_id>")
    @operation("Get an organization", answers={200: OrganizationOut}, tagged=True)
    async def get(actor: Actor, org_id: OrgId) -> Response:
        return tagged(organization_out(await organizations.get(actor, org_id)))

    @routes.patch("/<org_id>")
    @operation(
        "Rename an organization",
        body=OrganizationPatchIn,
        answers={200: OrganizationOut},
        errors=("slug_taken",),
        tagged=True,
    )
    async def update(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(OrganizationPatchIn)
        changes, expected = asked.model_dump(exclude_unset=True), precondition(organization_out)
        return tagged(organization_out(await organizations.update(actor, org_id, precondition=expected, **changes)))

    @routes.delete("/<org_id>")
    @operation(
        "Delete an empty organization",
        description="Refused while it has nodes, projects or workers; `holds` says how many of each.",
        answers={204: None},
        errors=("organization_not_empty",),
        tagged=True,
    )
    async def delete(actor: Actor, org_id: OrgId) -> Response:
        await organizations.delete(actor, org_id, precondition=precondition(organization_out))
        return no_content()

    @routes.get("/<org_id>/members")
    @operation("List the members", query=PageQuery, answers={200: MembersOut})
    async def list_members(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await members.list(actor, org_id, asked_page("usr")), member_out)

    @routes.patch("/<org_id>/members/<user_id>")
    @operation(
        "Give a member another role",
        description="Only owners make or unmake owners; the last one stays an owner.",
        body=MemberPatchIn,
        answers={200: MemberOut},
        errors=("member_not_found", "last_owner"),
    )
    async def change_role(actor: Actor, org_id: OrgId, user_id: UserId) -> Response:
        asked = await read(MemberPatchIn)
        return json_response(member_out(await members.change_role(actor, org_id, user_id, asked.role)))

    @routes.delete("/<org_id>/members/<user_id>")
    @operation(
        "Remove a member, or leave",
        description="Everybody may leave but the last owner. To remove others needs admin, and owner for an owner.",
        answers={204: None},
        errors=("member_not_found", "last_owner", "role_required"),
    )
    async def remove(actor: Actor, org_id: OrgId, user_id: UserId) -> Response:
        await members.remove(actor, org_id, user_id)
        return no_content()

    return routes
