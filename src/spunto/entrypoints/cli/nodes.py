"""`spunto node`: the servers that workers run on."""

from typing import Annotated

import typer

from spunto.client.models import InventoryItem, Node, NodeCredentials
from spunto.entrypoints.cli import rendering
from spunto.entrypoints.cli.options import Labels, NodeArgument, pairs_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(help="Servers that you bring, for workers to run on.", no_args_is_help=True, add_completion=False)


@command(app, "list")
async def list_all(session: Session) -> None:
    """List the nodes and what is taken of them."""
    found = [node async for node in session.client.nodes.iter_nodes(await session.org_id())]
    session.out.table(found, rendering.NODES, wire=Node.to_wire)


@command(app)
async def create(
    session: Session, name: Annotated[str, typer.Argument(show_default=False)], label: Labels = None
) -> None:
    """Make a node; prints its token and the command that installs its agent. They are shown this once."""
    labels = pairs_of(label, option="--label")
    _show(session, await session.client.nodes.create(await session.org_id(), name, labels=labels))


@command(app)
async def show(session: Session, node: NodeArgument) -> None:
    """Show one node."""
    found = await session.node(node)
    session.out.record(found, rendering.node_fields(found))


@command(app)
async def delete(
    session: Session,
    node: NodeArgument,
    force: Annotated[bool, typer.Option("--force", help="Also when it still holds workers.")] = False,
) -> None:
    """Delete a node."""
    found = await session.node(node)
    await session.client.nodes.delete(found.org_id, found.id, force=force)
    session.out.done(f"Deleted node {found.name}.", found)


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
    session.out.table(seen.items, rendering.INVENTORY, wire=InventoryItem.to_wire)


def _show(session: Session, made: NodeCredentials) -> None:
    fields = (("name", made.node.name), ("id", made.node.id), ("token", made.token.get_secret_value()))
    session.out.record(made, (*fields, ("install", made.install_command)))
