"""`spunto project`: templates of development environments, and their versions."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from spunto.client.projects import Project, ProjectVersion
from spunto.entrypoints.cli.options import IdleTimeout, Labels, NoTags, ProjectArgument, Tags, bytes_of, pairs_of
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age, instant, pairs, size, span
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

PROJECTS: Columns[Project] = (
    ("NAME", lambda project: project.name),
    ("VERSION", lambda project: f"v{project.version}"),
    ("IMAGE", lambda project: project.image),
    ("CPUS", lambda project: "" if project.cpus is None else f"{project.cpus:g}"),
    ("MEMORY", lambda project: size(project.memory_bytes)),
    ("AGE", lambda project: age(project.created_at)),
    ("ID", lambda project: project.id),
)


VERSIONS: Columns[ProjectVersion] = (
    ("VERSION", lambda version: f"v{version.version}"),
    ("IMAGE", lambda version: version.image),
    ("AGE", lambda version: age(version.created_at)),
    ("RESTORED FROM", lambda version: "" if version.restored_from is None else f"v{version.restored_from}"),
)


app = typer.Typer(help="Templates of development environments.", no_args_is_help=True, add_completion=False)

DEFAULT_IMAGE = "localhost/spunto/worker:1"

Env = Annotated[list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="May be repeated.")]
Unset = Annotated[list[str] | None, typer.Option("--unset-env", metavar="NAME", help="May be repeated.")]
Unlabel = Annotated[list[str] | None, typer.Option("--unset-label", metavar="KEY", help="May be repeated.")]
Cpus = Annotated[float | None, typer.Option(help="Cores, such as 0.5 or 2.", show_default=False)]
Memory = Annotated[int | None, typer.Option(parser=bytes_of, metavar="SIZE", help="Such as 512MiB or 2GiB.")]
PostCreate = Annotated[str | None, typer.Option(help="Runs once in a new worker.", show_default=False)]
PostStart = Annotated[str | None, typer.Option(help="Runs at each start of a worker.", show_default=False)]
Secrets = Annotated[
    list[str] | None, typer.Option("--secret", metavar="NAME", help="Secret of a worker's owner. May be repeated.")
]
Unsecret = Annotated[list[str] | None, typer.Option("--unset-secret", metavar="NAME", help="May be repeated.")]
Shares = Annotated[
    list[int] | None,
    typer.Option(
        "--share",
        metavar="PORT",
        min=1,
        max=65535,
        help="Members reach this port of new workers. May be repeated.",
        show_default=False,
    ),
]
Unshares = Annotated[
    list[int] | None,
    typer.Option("--unshare", metavar="PORT", min=1, max=65535, help="May be repeated.", show_default=False),
]
Description = Annotated[str | None, typer.Option(show_default=False)]


@command(app, "list")
async def list_all(
    session: Session,
    name: Annotated[str | None, typer.Option(help="Only the one of this name.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.", show_default=False)] = None,
) -> None:
    """List the projects."""
    org_id = await session.org_id()
    found = [project async for project in session.client.projects.iter_projects(org_id, name=name, tag=tag)]
    session.out.table(found, PROJECTS, wire=Project.to_wire)


@command(app)
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    image: Annotated[str, typer.Option(help="Image that the nodes can pull or have.")] = DEFAULT_IMAGE,
    description: Description = None,
    env: Env = None,
    cpus: Cpus = None,
    memory: Memory = None,
    label: Labels = None,
    post_create: PostCreate = None,
    post_start: PostStart = None,
    secret: Secrets = None,
    tag: Tags = None,
    share: Shares = None,
    idle_timeout: IdleTimeout = None,
) -> None:
    """Make a project."""
    made = await session.client.projects.create(
        await session.org_id(),
        name,
        image,
        description=description,
        env=pairs_of(env, option="--env"),
        cpus=cpus,
        memory_bytes=memory,
        labels=pairs_of(label, option="--label"),
        post_create_command=post_create,
        post_start_command=post_start,
        secrets=secret,
        tags=tag,
        sharing=None if share is None else dict.fromkeys(share, "org"),
        idle_timeout_seconds=idle_timeout or None,
    )
    session.out.done(f"Made project {made.name}.", made)


@command(app)
async def show(session: Session, project: ProjectArgument) -> None:
    """Show one project."""
    found = await session.project(project)
    session.out.record(found, project_fields(found))


@command(app)
async def update(
    session: Session,
    project: ProjectArgument,
    name: Annotated[str | None, typer.Option(show_default=False)] = None,
    image: Annotated[str | None, typer.Option(show_default=False)] = None,
    description: Description = None,
    env: Env = None,
    unset_env: Unset = None,
    cpus: Cpus = None,
    memory: Memory = None,
    label: Labels = None,
    unset_label: Unlabel = None,
    post_create: PostCreate = None,
    post_start: PostStart = None,
    secret: Secrets = None,
    unset_secret: Unsecret = None,
    tag: Tags = None,
    no_tags: NoTags = False,
    share: Shares = None,
    unshare: Unshares = None,
    idle_timeout: IdleTimeout = None,
) -> None:
    """Change a project. A change of its environment makes a new version; an empty command clears it.

    Tags are replaced, all of them.
    """
    wanted: dict[str, Any] = {
        "name": name,
        "image": image,
        "description": description,
        "env": {**dict.fromkeys(unset_env or ()), **pairs_of(env, option="--env")} or None,
        "cpus": cpus,
        "memoryBytes": memory,
        "labels": {**dict.fromkeys(unset_label or ()), **pairs_of(label, option="--label")} or None,
    }
    changes = {field: value for field, value in wanted.items() if value is not None}
    for field, command_line in (("postCreateCommand", post_create), ("postStartCommand", post_start)):
        if command_line is not None:
            changes[field] = command_line or None
    if tag or no_tags:
        changes["tags"] = tag or []
    if idle_timeout is not None:
        changes["idleTimeoutSeconds"] = idle_timeout or None
    if not (changes or secret or unset_secret or share or unshare):
        raise typer.BadParameter("Say what to change.")
    found = await session.project(project)
    if secret or unset_secret:
        named = dict.fromkeys((*found.secrets, *(secret or ())))
        changes["secrets"] = [name for name in named if name not in (unset_secret or ())]
    if share or unshare:
        named_ports = {**found.sharing, **{str(port): "org" for port in share or ()}}
        changes["sharing"] = {port: how for port, how in named_ports.items() if int(port) not in (unshare or ())}
    changed = await session.client.projects.update(found.org_id, found.id, changes)
    session.out.done(f"Project {changed.name} is at v{changed.version}.", changed)


@command(app)
async def delete(session: Session, project: ProjectArgument) -> None:
    """Delete a project that has no workers."""
    found = await session.project(project)
    await session.client.projects.delete(found.org_id, found.id)
    session.out.done(f"Deleted project {found.name}.", found)


@command(app)
async def versions(session: Session, project: ProjectArgument) -> None:
    """List the versions of a project, newest first."""
    found = await session.project(project)
    made = [version async for version in session.client.projects.iter_versions(found.org_id, found.id)]
    session.out.table(made, VERSIONS, wire=ProjectVersion.to_wire)


@command(app)
async def restore(
    session: Session,
    project: ProjectArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 3 or v3.", show_default=False)],
) -> None:
    """Make an earlier version the newest one again, as a new version."""
    number = version.removeprefix("v")
    if not (number.isascii() and number.isdigit()):
        raise typer.BadParameter(f"{version!r} is not a version such as 3 or v3.")
    found = await session.project(project)
    restored = await session.client.projects.restore(found.org_id, found.id, int(number))
    session.out.done(f"Project {restored.name} is at v{restored.version}, which is v{number} again.", restored)


def project_fields(project: Project) -> Iterable[tuple[str, str]]:
    yield from (("name", project.name), ("description", project.description), ("version", f"v{project.version}"))
    yield from (("image", project.image), ("env", pairs(project.env.items())))
    yield "cpus", "" if project.cpus is None else f"{project.cpus:g}"
    yield from (("memory", size(project.memory_bytes)), ("labels", pairs(project.labels.items())))
    yield "post-create", project.post_create_command or ""
    yield "post-start", project.post_start_command or ""
    yield from (("shared", pairs(project.sharing.items())), ("idle timeout", span(project.idle_timeout_seconds)))
    yield from (("secrets", ", ".join(project.secrets)), ("tags", " ".join(project.tags)))
    yield from (
        ("created", instant(project.created_at)),
        ("changed", instant(project.updated_at)),
        ("id", project.id),
    )
