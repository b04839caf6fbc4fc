"""`spunto org members | role | remove | leave`: who belongs to an organization, and as what."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from spunto.client.orgs import Member
from spunto.entrypoints.cli import orgs
from spunto.entrypoints.cli.options import MemberArgument, OrgArgument, Yes
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.resolve import find_member, find_org
from spunto.entrypoints.cli.running import command, plain_command
from spunto.entrypoints.cli.session import Session

MEMBERS: Columns[Member] = (
    ("NAME", lambda member: member.name),
    ("EMAIL", lambda member: member.email),
    ("ROLE", lambda member: member.role),
    ("ID", lambda member: member.user_id),
)


app = orgs.app


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


RoleArgument = Annotated[Role, typer.Argument(metavar="ROLE", help="owner, admin or member.", show_default=False)]


@command(app)
async def members(session: Session) -> None:
    """List who belongs to the organization."""
    found = [member async for member in session.client.orgs.iter_members(await session.org_id())]
    session.out.table(found, MEMBERS, wire=Member.to_wire)


@command(app)
async def role(session: Session, member: MemberArgument, role: RoleArgument) -> None:
    """Give a member another role."""
    org_id = await session.org_id()
    found = await find_member(session.client, org_id, member)
    changed = await session.client.orgs.change_role(org_id, found.user_id, role.value)
    session.out.done(f"{changed.name} has the role {changed.role} now.", changed)


@command(app)
async def remove(session: Session, member: MemberArgument) -> None:
    """Remove a member. Their workers stay; admins may stop and destroy them."""
    org_id = await session.org_id()
    found = await find_member(session.client, org_id, member)
    await session.client.orgs.remove_member(org_id, found.user_id)
    session.out.done(f"Removed {found.name}.", found)


@plain_command(app)
async def leave(session: Session, org: OrgArgument, yes: Yes = False) -> None:
    """Leave an organization. Asks first on a terminal."""
    found = await find_org(session.client, org)
    if not yes and sys.stdin.isatty() and not session.out.as_json:
        typer.confirm(f"Leave {found.name}?", abort=True, err=True)
    await session.client.orgs.leave(found.id)
    session.out.done(f"Left organization {found.name}.", found)
