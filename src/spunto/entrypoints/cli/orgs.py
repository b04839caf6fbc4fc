"""`spunto org`: organizations."""

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import typer

from spunto.client.orgs import Organization
from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.cli import credentials
from spunto.entrypoints.cli.options import OrgArgument, Yes
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import instant
from spunto.entrypoints.cli.resolve import find_org
from spunto.entrypoints.cli.running import plain_command
from spunto.entrypoints.cli.session import Session

ORGANIZATIONS: Columns[Organization] = (
    ("NAME", lambda organization: organization.name),
    ("SLUG", lambda organization: organization.slug),
    ("ROLE", lambda organization: organization.role),
    ("ID", lambda organization: organization.id),
)


app = typer.Typer(help="Organizations and their members.", no_args_is_help=True, add_completion=False)


@plain_command(app, "list")
async def list_all(session: Session) -> None:
    """List the organizations that you belong to."""
    found = [organization async for organization in session.client.orgs.iter_orgs()]
    session.out.table(found, ORGANIZATIONS, wire=Organization.to_wire)


@plain_command(app)
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    slug: Annotated[str | None, typer.Option(help="Short name for addresses; made from the name otherwise.")] = None,
) -> None:
    """Make an organization, with you as its owner."""
    made = await session.client.orgs.create(name, slug=slug)
    session.out.done(f"Made organization {made.name} ({made.slug}).", made)


@plain_command(app)
async def show(session: Session, org: OrgArgument) -> None:
    """Show one organization."""
    found = await find_org(session.client, org)
    session.out.record(found, organization_fields(found))


@plain_command(app)
async def rename(
    session: Session,
    org: OrgArgument,
    name: Annotated[str | None, typer.Argument(metavar="NAME", show_default=False)] = None,
    slug: Annotated[str | None, typer.Option(help="Another short name for addresses.")] = None,
) -> None:
    """Give an organization another name, another slug, or both."""
    found = await find_org(session.client, org)
    renamed = await session.client.orgs.update(found.id, name=name, slug=slug)
    session.out.done(f"The organization is called {renamed.name} ({renamed.slug}) now.", renamed)


@plain_command(app)
async def delete(session: Session, org: OrgArgument, yes: Yes = False) -> None:
    """Delete an organization that has no nodes, projects and workers any more. Asks first on a terminal."""
    found = await find_org(session.client, org)
    if not yes and sys.stdin.isatty() and not session.out.as_json:
        typer.confirm(f"Delete {found.name}, with its members, invitations and keys?", abort=True, err=True)
    await session.client.orgs.delete(found.id)
    session.out.done(f"Deleted organization {found.name}.", found)


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


def organization_fields(organization: Organization) -> Iterable[tuple[str, str]]:
    yield from (("name", organization.name), ("slug", organization.slug), ("role", organization.role))
    yield from (("created", instant(organization.created_at)), ("id", organization.id))
