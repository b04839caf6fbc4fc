"""`spunto org secret`: the organization's own secrets, which enter workers of the projects that they are granted to."""

from typing import Annotated

import typer

from spunto.client.users import UserSecret
from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.cli import invitations
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.secrets import (
    ProjectNames,
    SecretName,
    chosen_projects,
    listed,
    secrets_table,
    value_of,
    with_more,
)
from spunto.entrypoints.cli.session import Session

app = invitations.app
secrets = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(secrets, name="secret", help="The organization's secrets, granted to projects.")

Everywhere = Annotated[bool, typer.Option("--all-projects", help="Workers of whatever project.")]


@command(secrets, "list")
async def list_all(session: Session) -> None:
    """List the names of the organization's secrets, and which projects' workers they enter."""
    org_id = await session.org_id()
    found = [secret async for secret in session.client.org_secrets.iter_secrets(org_id)]
    names: dict[str, str] = {}
    if not session.out.as_json and any(listed(secret.projects) for secret in found):
        names = {project.id: project.name async for project in session.client.projects.iter_projects(org_id)}
    session.out.table(found, secrets_table(names), wire=UserSecret.to_wire)


@command(secrets, "set")
async def put(
    session: Session, name: SecretName, project: ProjectNames = None, all_projects: Everywhere = False
) -> None:
    """Make a secret, or give it another value, which is asked for, or read from stdin without its last line end.

    It enters the workers of members and of the organization's keys, of the projects that it is granted to and that name
    it. A new one is granted to none without an option; a known one stays as it was.
    """
    projects = await chosen_projects(session, project, everywhere=all_projects)
    org_id = await session.org_id()
    secret = await session.client.org_secrets.put(org_id, name, value_of(name), projects=projects)
    session.out.done(f"Set {secret.name}; {_where(secret)} made from now on have it.", secret)


@command(secrets)
async def grant(
    session: Session,
    name: SecretName,
    project: Annotated[list[str] | None, typer.Argument(metavar="PROJECT", show_default=False)] = None,
    all_projects: Everywhere = False,
) -> None:
    """Let a secret into the workers of further projects, or of all."""
    secret = await _find(session, name)
    added = await chosen_projects(session, project, everywhere=all_projects)
    if added is None:
        raise Invalid("projects_not_named", "Say which projects: by name, or with --all-projects.")
    more = with_more(secret.projects, added)
    changed = await session.client.org_secrets.let_into(await session.org_id(), secret.id, more)
    session.out.done(f"Granted {changed.name}; {_where(changed)} made from now on have it.", changed)


@command(secrets)
async def revoke(
    session: Session,
    name: SecretName,
    project: Annotated[list[str] | None, typer.Argument(metavar="PROJECT", show_default=False)] = None,
) -> None:
    """Let a secret into no more workers of these projects, or of any; workers that have it keep it."""
    secret = await _find(session, name)
    gone = {(await session.project(each)).id for each in project or ()}
    if gone and secret.projects == "all":
        raise Invalid(
            "granted_to_all", "The secret is granted to all projects; revoke it from all, then grant it anew."
        )
    left = [each for each in listed(secret.projects) if gone and each not in gone]
    changed = await session.client.org_secrets.let_into(await session.org_id(), secret.id, left)
    session.out.done(f"{changed.name} enters {_where(changed)} from now on.", changed)


@command(secrets)
async def remove(session: Session, name: SecretName) -> None:
    """Delete a secret; workers that have it keep it."""
    secret = await _find(session, name)
    await session.client.org_secrets.delete(await session.org_id(), secret.id)
    session.out.done(f"Removed {secret.name}.", secret)


async def _find(session: Session, name: str) -> UserSecret:
    found = [secret async for secret in session.client.org_secrets.iter_secrets(await session.org_id())]
    return one_of(found, name, kind="secret", names=lambda each: (each.id, each.name))


def _where(secret: UserSecret) -> str:
    if secret.projects == "all":
        return "workers of every project that names it"
    named = ", ".join(listed(secret.projects))
    return f"workers of {named}" if named else "no workers"
