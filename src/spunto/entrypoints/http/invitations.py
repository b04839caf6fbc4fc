"""Invitations over HTTP."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitation import Invitation, InvitationId, MailState, url_of
from spunto.core.orgs.invitations import InvitationService
from spunto.core.orgs.model import OrganizationView
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.orgs import OrganizationOut, RoleIn, organization_out
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.requests import In, idempotency_key, read
from spunto.entrypoints.http.responses import Reply, made, no_content
from spunto.entrypoints.serving.security import PublicAddress

EmailAddress = Annotated[
    str,
    StringConstraints(
        max_length=254,
        # As browsers read `<input type=email>`: ASCII alone, so that two that look alike are the same.
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
        r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    ),
]
InvitationToken = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class InvitationIn(In):
    email: EmailAddress
    role: RoleIn


class AcceptanceIn(In):
    token: InvitationToken


class InvitationOut(TypedDict):
    id: InvitationId
    email: str
    role: Role
    invitedBy: UserId
    mail: MailState
    createdAt: datetime
    expiresAt: datetime


class MadeInvitationOut(InvitationOut):
    url: str


NOBODY_TO_ACCEPT: Final = (
    "No sign-in provider is set up here, so nobody could accept an invitation; whoever runs this server sets "
    "SPUNTO_OIDC_CLIENT_ID first."
)


class InvitationsOut(TypedDict):
    items: list[InvitationOut]
    nextCursor: str | None


def invitation_out(invitation: Invitation) -> InvitationOut:
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "invitedBy": invitation.invited_by,
        "mail": invitation.mail,
        "createdAt": invitation.created_at,
        "expiresAt": invitation.expires_at,
    }


def _joined(joined: OrganizationView) -> Reply:
    return Reply(organization_out(joined))


def invitations_blueprint(invitations: InvitationService, address: PublicAddress, *, sign_in_on: bool) -> Blueprint:
    routes = Blueprint("invitations", __name__, url_prefix="/api")

    @routes.get("/orgs/<org_id>/invites")
    @operation("List the open invitations", query=PageQuery, answers={200: InvitationsOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await invitations.list(actor, org_id, asked_page("inv")), invitation_out)

    @routes.post("/orgs/<org_id>/invites")
    @operation(
        "Invite somebody by e-mail address",
        description="In place of an earlier invitation of that address. The link in `url` is shown this once, works "
        "once, and expires after 7 days; another one is mailed. Only owners invite owners. A repeat with the same "
        "Idempotency-Key is refused with the `id` of the invitation: its link is kept nowhere.",
        body=InvitationIn,
        answers={201: MadeInvitationOut},
        errors=("member_already", "sign_in_off", "token_not_repeatable"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(InvitationIn)
        if not sign_in_on:
            raise NotFound("sign_in_off", NOBODY_TO_ACCEPT)
        new = await invitations.create(
            actor, org_id, email=asked.email, role=asked.role, idempotency=await idempotency_key(actor)
        )
        url = url_of(new.token, public_url=address.url).reveal()
        return made(
            {**invitation_out(new.invitation), "url": url}, at=f"/api/orgs/{org_id}/invites/{new.invitation.id}"
        )

    @routes.delete("/orgs/<org_id>/invites/<invitation_id>")
    @operation("Revoke an invitation", answers={204: None})
    async def revoke(actor: Actor, org_id: OrgId, invitation_id: InvitationId) -> Response:
        await invitations.revoke(actor, org_id, invitation_id)
        return no_content()

    @routes.post("/invites/accept")
    @operation(
        "Join an organization by an invitation's token",
        description="The token is the last part of the invitation's link, and used up. It has to be an invitation of "
        "the e-mail address that one is signed in with.",
        body=AcceptanceIn,
        answers={200: OrganizationOut},
        errors=("invitation_not_found", "invitation_of_another_address", "member_already"),
        idempotent=True,
        operation_id="acceptInvitation",
    )
    async def accept(actor: Actor) -> Response:
        asked = await read(AcceptanceIn)
        joined = await invitations.accept(actor, Secret(asked.token), idempotency=await idempotency_key(actor, _joined))
        return _joined(joined).response()

    return routes
