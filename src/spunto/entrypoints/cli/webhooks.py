"""`spunto webhook`: who is told what happens here, and what became of it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from spunto.client.webhooks import Delivery, Webhook
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age, instant
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

WEBHOOKS: Columns[Webhook] = (
    ("URL", lambda webhook: webhook.url),
    ("EVENTS", lambda webhook: _events(webhook)),
    ("STATE", lambda webhook: _state(webhook)),
    ("AGE", lambda webhook: age(webhook.created_at)),
    ("ID", lambda webhook: webhook.id),
)


DELIVERIES: Columns[Delivery] = (
    ("TYPE", lambda delivery: delivery.type),
    ("STATUS", lambda delivery: delivery.status),
    ("ATTEMPTS", lambda delivery: str(delivery.attempts)),
    ("ANSWER", lambda delivery: _answer(delivery)),
    ("AGE", lambda delivery: age(delivery.created_at)),
    ("NEXT", lambda delivery: instant(delivery.next_attempt_at)),
    ("ID", lambda delivery: delivery.id),
)


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
    session.out.table(found, WEBHOOKS, wire=Webhook.to_wire)


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
    session.out.record(made, (*webhook_fields(made), ("secret", made.secret.get_secret_value())))


@command(app)
async def show(session: Session, webhook: Which) -> None:
    """Show one."""
    found = await _found(session, webhook)
    session.out.record(found, webhook_fields(found))


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
    session.out.record(after, webhook_fields(after))


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
    session.out.record(rotated, (*webhook_fields(rotated), ("secret", rotated.secret.get_secret_value())))


@command(app)
async def test(session: Session, webhook: Which) -> None:
    """Send a message that is no event."""
    found = await _found(session, webhook)
    sent = await session.client.webhooks.test(found.org_id, found.id)
    session.out.record(sent, delivery_fields(sent))


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
    session.out.table(page.items, DELIVERIES, wire=Delivery.to_wire)


@command(app)
async def redeliver(
    session: Session,
    webhook: Which,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id.", show_default=False)],
) -> None:
    """Send the same message again, now."""
    found = await _found(session, webhook)
    sent = await session.client.webhooks.redeliver(found.org_id, found.id, delivery)
    session.out.record(sent, delivery_fields(sent))


async def _found(session: Session, wanted: str) -> Webhook:
    everyone = [each async for each in session.client.webhooks.iter_webhooks(await session.org_id())]
    return one_of(everyone, wanted, kind="webhook", names=lambda each: (each.id, each.url))


def webhook_fields(webhook: Webhook) -> Iterable[tuple[str, str]]:
    yield from (("url", webhook.url), ("description", webhook.description), ("events", _events(webhook)))
    yield from (("state", _state(webhook)), ("failing since", instant(webhook.failing_since)))
    yield from (("created", instant(webhook.created_at)), ("id", webhook.id))


def delivery_fields(delivery: Delivery) -> Iterable[tuple[str, str]]:
    yield from (("type", delivery.type), ("status", delivery.status), ("attempts", str(delivery.attempts)))
    yield from (("answer", _answer(delivery)), ("error", "" if delivery.error is None else delivery.error.message))
    yield from (
        ("created", instant(delivery.created_at)),
        ("last attempt", instant(delivery.last_attempt_at)),
    )
    yield from (
        ("next attempt", instant(delivery.next_attempt_at)),
        ("event", delivery.event_id),
        ("id", delivery.id),
    )


def _events(webhook: Webhook) -> str:
    return "all" if webhook.events is None else ", ".join(webhook.events)


def _state(webhook: Webhook) -> str:
    if webhook.enabled:
        return "enabled" if webhook.failing_since is None else "failing"
    return "disabled" if webhook.disabled_reason is None else f"disabled ({webhook.disabled_reason})"


def _answer(delivery: Delivery) -> str:
    if delivery.response_status is not None:
        return str(delivery.response_status)
    return "" if delivery.error is None else delivery.error.code
