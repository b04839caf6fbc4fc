"""`spunto node`: the servers that workers run on."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from spunto.client.nodes import Agent, InventoryItem, Node, NodeCredentials
from spunto.entrypoints.cli.options import Labels, NodeArgument, NoTags, Tags, pairs_of
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import instant, pairs, said, share, size
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

NODES: Columns[Node] = (
    ("NAME", lambda node: node.name),
    ("STATUS", lambda node: node.status),
    ("CPUS", lambda node: share(f"{node.reserved_cpus:g}", None if node.cpus is None else f"{node.cpus:g}")),
    (
        "MEMORY",
        lambda node: share(size(node.reserved_memory_bytes), size(node.memory_bytes) or None),
    ),
    ("WORKERS", lambda node: str(node.workers)),
    ("AGENT", lambda node: "" if node.agent is None else agent_build(node.agent)),
    ("ENGINE", lambda node: "" if node.agent is None else f"{node.agent.engine} {node.agent.engine_version}"),
    ("ID", lambda node: node.id),
)


INVENTORY: Columns[InventoryItem] = (
    ("NAME", lambda item: item.name),
    ("KIND", lambda item: item.kind or ""),
    ("STATE", lambda item: item.docker_state),
    ("KNOWN", lambda item: item.known),
    ("CONTAINER", lambda item: item.container_id[:12]),
)


app = typer.Typer(help="Servers that you bring, for workers to run on.", no_args_is_help=True, add_completion=False)


@command(app, "list")
async def list_all(
    session: Session,
    status: Annotated[str | None, typer.Option(help="Such as online or offline.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="Only the one of this name.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.", show_default=False)] = None,
) -> None:
    """List the nodes and what is taken of them."""
    asked = {"status": status, "name": name, "tag": tag}
    found = [node async for node in session.client.nodes.iter_nodes(await session.org_id(), **asked)]
    session.out.table(found, NODES, wire=Node.to_wire)


@command(app)
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    label: Labels = None,
    tag: Tags = None,
) -> None:
    """Make a node; prints its token and the command that installs its agent. They are shown this once."""
    labels = pairs_of(label, option="--label")
    _show(session, await session.client.nodes.create(await session.org_id(), name, labels=labels, tags=tag))


@command(app)
async def show(session: Session, node: NodeArgument) -> None:
    """Show one node."""
    found = await session.node(node)
    session.out.record(found, node_fields(found))


@command(app)
async def update(
    session: Session,
    node: NodeArgument,
    name: Annotated[str | None, typer.Option(help="A new name.", show_default=False)] = None,
    label: Labels = None,
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Take all labels away.")] = False,
    tag: Tags = None,
    no_tags: NoTags = False,
    max_cpus: Annotated[
        float | None, typer.Option(help="Give away at most so many cpus; 0 is as many as its agent offers.")
    ] = None,
    max_memory_bytes: Annotated[
        int | None, typer.Option(help="Give away at most so much memory; 0 is as much as its agent offers.")
    ] = None,
) -> None:
    """Change a node's name, its labels or tags (all of them are replaced) or what of it is given away at most."""
    changes: dict[str, Any] = {} if name is None else {"name": name}
    if label or no_labels:
        changes["labels"] = pairs_of(label, option="--label")
    if tag or no_tags:
        changes["tags"] = tag or []
    asked = {"cpus": max_cpus, "memoryBytes": max_memory_bytes}
    limits = {key: value or None for key, value in asked.items() if value is not None}
    if limits:
        changes["limits"] = limits
    found = await session.node(node)
    changed = await session.client.nodes.update(found.org_id, found.id, **changes)
    session.out.done(f"Changed node {changed.name}.", changed)


@command(app)
async def delete(
    session: Session,
    node: NodeArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Also when it holds workers: its agent removes them all first.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Its machine never comes back: forget it, and what may still stand there.")
    ] = False,
) -> None:
    """Delete a node; one that holds workers stays until its agent has removed them."""
    found = await session.node(node)
    if abandon:
        await session.client.nodes.abandon(found.org_id, found.id)
        left = f" Nobody can tell whether its {found.workers} workers still run on that machine." * bool(found.workers)
        session.out.done(f"Gave node {found.name} up.{left}", found)
        return
    waiting = await session.client.nodes.delete(found.org_id, found.id, force=force)
    if waiting is None:
        session.out.done(f"Deleted node {found.name}.", found)
        return
    when = "" if waiting.connected else " It is offline now: that happens when it is back (--abandon if it never is)."
    session.out.done(f"Node {found.name} is deleted as soon as its agent has removed its workers.{when}", waiting)


@command(app)
async def rotate_token(session: Session, node: NodeArgument) -> None:
    """Give a node a new token; the connection made with the old one is cut at once."""
    found = await session.node(node)
    _show(session, await session.client.nodes.rotate_token(found.org_id, found.id))


@command(app)
async def drain(session: Session, node: NodeArgument) -> None:
    """Place no new workers on a node; those there go on."""
    found = await session.node(node)
    session.out.done(f"Node {found.name} is draining.", await session.client.nodes.drain(found.org_id, found.id))


@command(app)
async def undrain(session: Session, node: NodeArgument) -> None:
    """Place workers on a node again."""
    found = await session.node(node)
    session.out.done(
        f"Node {found.name} takes workers again.", await session.client.nodes.undrain(found.org_id, found.id)
    )


@command(app)
async def inventory(session: Session, node: NodeArgument) -> None:
    """List what stands on a node, as it last said itself."""
    found = await session.node(node)
    seen = await session.client.nodes.inventory(found.org_id, found.id)
    if session.out.as_json:
        session.out.json(seen.to_wire())
        return
    session.out.table(seen.items, INVENTORY, wire=InventoryItem.to_wire)


def agent_build(agent: Agent) -> str:
    return f"{agent.version} ({agent.commit})" if agent.commit else agent.version


def _show(session: Session, made: NodeCredentials) -> None:
    fields = (("name", made.node.name), ("id", made.node.id), ("token", made.token.get_secret_value()))
    session.out.record(made, (*fields, ("install", made.install_command)))


def node_fields(node: Node) -> Iterable[tuple[str, str]]:
    yield from (("name", node.name), ("status", node.status), ("labels", pairs(node.labels.items())))
    yield "tags", " ".join(node.tags)
    if node.error is not None:
        yield "error", node.error.message
    if node.error is not None or node.agent is not None:
        yield "update", node.upgrade_command
    if node.machine_cpus is not None:
        yield "machine", f"{node.machine_cpus:g} cpus, {size(node.machine_memory_bytes)}"
    if node.disk is not None:
        short = "; takes no new workers" if node.disk.is_short else ""
        kept = f"{size(node.disk.reserve_bytes)} kept for the machine{short}"
        yield "disk", f"{size(node.disk.free_bytes)} of {size(node.disk.total_bytes)} free ({kept})"
        if node.disk.total_files:
            yield "disk's files", f"room for {node.disk.free_files} more of {node.disk.total_files}"
    if node.agent is not None and node.agent.labels:
        yield "agent's labels", pairs(node.agent.labels.items())
    for header, cell in NODES[2:5]:
        yield header.lower(), cell(node)
    if node.agent is not None:
        newer = " (not the server's)" if node.agent.outdated else ""
        yield from (
            ("agent", f"{agent_build(node.agent)}{newer}"),
            ("engine", f"{node.agent.engine} {node.agent.engine_version}"),
        )
        yield "engine error", "" if node.agent.engine_error is None else node.agent.engine_error.message
        yield "posture", pairs((key, said(value)) for key, value in node.agent.posture.items())
    yield (
        "connected" if node.connected else "last seen",
        instant(node.connection_changed_at),
    )
    yield from (("created", instant(node.created_at)), ("id", node.id))
