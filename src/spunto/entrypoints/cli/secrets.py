"""`spunto secret`: environment variables of your workers, whose values are never shown again."""

import sys
from collections.abc import Mapping, Sequence
from getpass import getpass
from typing import Annotated

import typer

from spunto.client.users import Projects, UserSecret
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age, named
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command, plain_command
from spunto.entrypoints.cli.session import Session


def secrets_table(project_names: Mapping[str, str]) -> Columns[UserSecret]:
    return (
        ("NAME", lambda secret: secret.name),
        ("ENTERS", lambda secret: _entered(secret.projects, project_names)),
        ("CHANGED", lambda secret: age(secret.updated_at)),
        ("ID", lambda secret: secret.id),
    )


app = typer.Typer(
    help="Your secrets: environment variables of your workers.", no_args_is_help=True, add_completion=False
)

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="Such as NPM_TOKEN.", show_default=False)]
ProjectNames = Annotated[
    list[str] | None,
    typer.Option(
        "--project", metavar="PROJECT", help="Also workers of this project; may be repeated.", show_default=False
    ),
]
Own = Annotated[bool, typer.Option("--own", help="Workers of project versions that you made.")]
Everywhere = Annotated[bool, typer.Option("--all-projects", help="Your workers of whatever project.")]


@plain_command(app, "list")
async def list_all(session: Session) -> None:
    """List the names of your secrets, and which workers they enter."""
    found = [secret async for secret in session.client.users.iter_secrets()]
    session.out.table(found, secrets_table({}), wire=UserSecret.to_wire)


@command(app, "set")
async def put(
    session: Session,
    name: SecretName,
    project: ProjectNames = None,
    own: Own = False,
    all_projects: Everywhere = False,
) -> None:
    """Make a secret, or give it another value, which is asked for, or read from stdin without its last line end.

    A new one enters your workers of project versions that you made, and of every project where you are the
    organization's only member; options say otherwise. A known one enters what it entered before.
    """
    projects = await chosen_projects(session, project, own=own, everywhere=all_projects)
    secret = await session.client.users.put_secret(name, value_of(name), projects=projects)
    session.out.done(
        f"Set {secret.name}; {where(secret.projects)} made from now on have it, where the project names it.", secret
    )


@command(app)
async def grant(
    session: Session,
    name: SecretName,
    project: Annotated[list[str] | None, typer.Argument(metavar="PROJECT", show_default=False)] = None,
    own: Own = False,
    all_projects: Everywhere = False,
) -> None:
    """Let a secret into the workers of further projects, or with --own or --all-projects into those."""
    secret = await _find(session, name)
    added = await chosen_projects(session, project, own=own, everywhere=all_projects)
    if added is None:
        raise Invalid("projects_not_named", "Say which projects: by name, with --own, or with --all-projects.")
    changed = await session.client.users.let_secret_into(secret.id, with_more(secret.projects, added))
    session.out.done(
        f"{where(changed.projects, capital=True)} made from now on have {changed.name}, where the project names it.",
        changed,
    )


@command(app)
async def revoke(
    session: Session,
    name: SecretName,
    project: Annotated[list[str], typer.Argument(metavar="PROJECT...", show_default=False)],
) -> None:
    """Let a secret into no more workers of these projects; workers that have it keep it."""
    secret = await _find(session, name)
    gone = {(await session.project(each)).id for each in project}
    if secret.projects == "all":
        raise Invalid(
            "granted_to_all", "The secret enters workers of all projects: say `spunto secret set` which ones."
        )
    changed = await session.client.users.let_secret_into(
        secret.id, [each for each in listed(secret.projects) if each not in gone]
    )
    session.out.done(f"{where(changed.projects, capital=True)} made from now on have {changed.name}.", changed)


@plain_command(app)
async def remove(session: Session, name: SecretName) -> None:
    """Delete a secret; workers that have it keep it."""
    secret = await _find(session, name)
    await session.client.users.delete_secret(secret.id)
    session.out.done(f"Removed {secret.name}.", secret)


async def _find(session: Session, name: str) -> UserSecret:
    secrets = [secret async for secret in session.client.users.iter_secrets()]
    return one_of(secrets, name, kind="secret", names=lambda each: (each.id, each.name))


async def chosen_projects(
    session: Session, names: Sequence[str] | None, *, own: bool = False, everywhere: bool
) -> Projects | None:
    """What the options say; None where they say nothing."""
    if everywhere:
        return "all"
    ids = [(await session.project(name)).id for name in names or ()]
    if not ids:
        return "own" if own else None
    return [*(["own"] if own else []), *ids]


def listed(projects: Projects) -> list[str]:
    return [projects] if isinstance(projects, str) else list(projects)


def with_more(projects: Projects, more: Projects) -> Projects:
    if "all" in (projects, more):
        return "all"
    both = list(dict.fromkeys([*listed(projects), *listed(more)]))
    return "own" if both == ["own"] else both


def where(projects: Projects, *, capital: bool = False) -> str:
    """Whose workers a secret enters, in words."""
    words: Mapping[str, str] = {
        "all": "your workers of all projects",
        "own": "your workers of project versions that you made",
    }
    parts = [words[each] for each in listed(projects) if each in words]
    named = [each for each in listed(projects) if each not in words]
    if named:
        parts.append(f"your workers of {', '.join(named)}")
    text = " and ".join(parts) or "none of your workers"
    return text[0].upper() + text[1:] if capital else text


def _entered(projects: Projects, names: Mapping[str, str]) -> str:
    return ", ".join(named(each, names.get(each)) for each in listed(projects)) or "none"


def value_of(name: str) -> Secret:
    """Never from the command line, which other users of the machine can see."""
    if sys.stdin.isatty():
        return Secret(getpass(f"Value of {name}: "))
    try:
        return Secret(sys.stdin.buffer.read().decode().removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise Invalid("unreadable_value", "The value on stdin is not UTF-8 text; encode it first.") from error
