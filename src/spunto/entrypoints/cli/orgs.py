"""`spunto org`: organizations and their members."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from spunto.client.models import Member, Organization
from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.cli import credentials, rendering
from spunto.entrypoints.cli.options import OrgArgument
from spunto.entrypoints.cli.resolve import find_org
from spunto.entrypoints.cli.running import command, plain_command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(help="Organizations and their members.", no_args_is_help=True, add_completion=False)


@plain_command(app, "list")
async def list_all(session: Session) -> None:
    """List the organizations that you belong to."""
    found = [organization async for organization in session.client.orgs.iter_orgs()]
    session.out.table(found, rendering.ORGANIZATIONS, wire=Organization.to_wire)


@plain_command(app)
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(show_default=False)],
    slug: Annotated[str | None, typer.Option(help="Short name for addresses; made from the name otherwise.")] = None,
) -> None:
    """Make an organization, with you as its owner."""
    made = await session.client.orgs.create(name, slug=slug)
    session.out.done(f"Made organization {made.name} ({made.slug}).", made)


@plain_command(app)
async def show(session: Session, org: OrgArgument) -> None:
    """Show one organization."""
    found = await find_org(session.client, org)
    session.out.record(found, rendering.organization_fields(found))


@plain_command(app)
async def use(session: Session, org: OrgArgument) -> None:
    """Choose the organization that the other commands are about, until you choose another one."""
    path = credentials.login_path(os.environ)
    saved = credentials.load(path)
    if saved is None:
        raise Invalid("no_saved_login", "There is no saved login to note it in: run `spunto login`, or set SPUNTO_ORG.")
    chosen = await find_org(session.client, org)
    credentials.save(path, replace(saved, org=chosen.id))
    session.out.done(f"Using organization {chosen.name}.", chosen)


@command(app)
async def members(session: Session) -> None:
    """List who belongs to the organization."""
    found = [member async for member in session.client.orgs.iter_members(await session.org_id())]
    session.out.table(found, rendering.MEMBERS, wire=Member.to_wire)
