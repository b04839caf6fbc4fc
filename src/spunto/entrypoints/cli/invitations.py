"""`spunto org invite | invites | uninvite | join`: who may come in."""

from typing import Annotated

import typer

from spunto.client.orgs import Invitation
from spunto.entrypoints.cli import members
from spunto.entrypoints.cli.members import Role
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import instant
from spunto.entrypoints.cli.resolve import find_invitation
from spunto.entrypoints.cli.running import command, plain_command
from spunto.entrypoints.cli.session import Session

INVITATIONS: Columns[Invitation] = (
    ("EMAIL", lambda invitation: invitation.email),
    ("ROLE", lambda invitation: invitation.role),
    ("MAIL", lambda invitation: invitation.mail),
    ("EXPIRES", lambda invitation: instant(invitation.expires_at)),
    ("ID", lambda invitation: invitation.id),
)


app = members.app


@command(app)
async def invite(
    session: Session,
    email: Annotated[str, typer.Argument(metavar="EMAIL", show_default=False)],
    role: Annotated[Role, typer.Option(help="The role to join with.")] = Role.MEMBER,
) -> None:
    """Invite somebody by e-mail address; prints a link besides, which is shown this once."""
    made = await session.client.orgs.invite(await session.org_id(), email, role=role.value)
    fields = (("email", made.email), ("role", made.role), ("link", made.url.get_secret_value()))
    session.out.record(made, (*fields, ("expires", instant(made.expires_at)), ("id", made.id)))


@command(app)
async def invites(session: Session) -> None:
    """List the open invitations, and whether their mail has gone out."""
    found = [invitation async for invitation in session.client.orgs.iter_invitations(await session.org_id())]
    session.out.table(found, INVITATIONS, wire=Invitation.to_wire)


@command(app)
async def uninvite(
    session: Session,
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="Id or e-mail address.", show_default=False)],
) -> None:
    """Take an invitation back."""
    org_id = await session.org_id()
    found = await find_invitation(session.client, org_id, invitation)
    await session.client.orgs.revoke_invitation(org_id, found.id)
    session.out.done(f"The invitation of {found.email} is taken back.", found)


@plain_command(app)
async def join(
    session: Session,
    link: Annotated[str, typer.Argument(metavar="LINK", help="An invitation's link.", show_default=False)],
) -> None:
    """Join the organization that you were invited to."""
    joined = await session.client.orgs.accept_invitation(link.rstrip("/").rpartition("/")[2])
    session.out.done(f"Joined organization {joined.name} as {joined.role}.", joined)
