"""`spunto webhook`: who is told what happens here, and what became of it."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from spunto.client.activity_models import Delivery, Webhook
from spunto.entrypoints.cli import rendering
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(help="What happens here, told to other servers.", no_args_is_help=True, add_completion=False)

Which = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id or URL.", show_default=False)]
Url = Annotated[str, typer.Argument(metavar="URL", help="https://…", show_default=False)]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="Such as worker.spawned; may be repeated. Everything where none is given."),
]


class Status(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@command(app, "list")
async def list_all(session: Session) -> None:
    """List the organization's webhooks."""
    found = [each async for each in session.client.webhooks.iter_webhooks(await session.org_id())]
    session.out.table(found, rendering.WEBHOOKS, wire=Webhook.to_wire)


@command(app)
async def create(
    session: Session,
    url: Url,
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a webhook; prints the secret that its messages are signed with, this once."""
    made = await session.client.webhooks.create(
        await session.org_id(), url, events=event or None, description=description
    )
    session.out.record(made, (*rendering.webhook_fields(made), ("secret", made.secret.get_secret_value())))


@command(app)
async def show(session: Session, webhook: Which) -> None:
    """Show one."""
    found = await _found(session, webhook)
    session.out.record(found, rendering.webhook_fields(found))


@command(app)
async def update(
    session: Session,
    webhook: Which,
    url: Annotated[str | None, typer.Option(help="Where it is sent from now on.")] = None,
    event: Events = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Tell it everything.")] = False,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether anything is sent.")] = None,
) -> None:
    """Change what is named; the rest stays."""
    if event and all_events:
        raise typer.BadParameter("--event and --all-events exclude each other.")
    named: dict[str, Any] = {"url": url, "description": description, "enabled": enabled, "events": event or None}
    changes = {field: value for field, value in named.items() if value is not None}
    if all_events:
        changes["events"] = None
    found = await _found(session, webhook)
    after = await session.client.webhooks.update(found.org_id, found.id, changes)
    session.out.record(after, rendering.webhook_fields(after))


@command(app)
async def delete(session: Session, webhook: Which) -> None:
    """Delete one, with its deliveries."""
    found = await _found(session, webhook)
    await session.client.webhooks.delete(found.org_id, found.id)
    session.out.done(f"Deleted {found.url}.", found)


@command(app)
async def rotate_secret(session: Session, webhook: Which) -> None:
    """Sign by a new secret, printed this once; the old one is good for another day."""
    found = await _found(session, webhook)
    rotated = await session.client.webhooks.rotate_secret(found.org_id, found.id)
    session.out.record(rotated, (*rendering.webhook_fields(rotated), ("secret", rotated.secret.get_secret_value())))


@command(app)
async def test(session: Session, webhook: Which) -> None:
    """Send a message that is no event."""
    found = await _found(session, webhook)
    sent = await session.client.webhooks.test(found.org_id, found.id)
    session.out.record(sent, rendering.delivery_fields(sent))


@command(app)
async def deliveries(
    session: Session,
    webhook: Which,
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
) -> None:
    """List what was sent lately, the newest first."""
    found = await _found(session, webhook)
    page = await session.client.webhooks.deliveries(
        found.org_id, found.id, status=None if status is None else status.value, limit=limit
    )
    session.out.table(page.items, rendering.DELIVERIES, wire=Delivery.to_wire)


@command(app)
async def redeliver(
    session: Session,
    webhook: Which,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id.", show_default=False)],
) -> None:
    """Send the same message again, now."""
    found = await _found(session, webhook)
    sent = await session.client.webhooks.redeliver(found.org_id, found.id, delivery)
    session.out.record(sent, rendering.delivery_fields(sent))


async def _found(session: Session, wanted: str) -> Webhook:
    everyone = [each async for each in session.client.webhooks.iter_webhooks(await session.org_id())]
    return one_of(everyone, wanted, kind="webhook", names=lambda each: (each.id, each.url))
