"""`spunto audit`: the audit log of an organization, filtered, or whole as JSON lines."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from spunto.client.activity import AuditEntry, AuditFilter
from spunto.core.kernel.ids import is_id
from spunto.entrypoints.cli.options import moment_of
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import instant, named, pairs
from spunto.entrypoints.cli.resolve import find_member
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session


def audit_table(people: Mapping[str, str]) -> Columns[AuditEntry]:
    return (
        ("AT", lambda entry: instant(entry.at)),
        ("ACTION", lambda entry: entry.action),
        ("OUTCOME", lambda entry: entry.outcome),
        ("ACTOR", lambda entry: named(entry.actor_id, people.get(entry.actor_id))),
        ("TARGET", lambda entry: named(entry.target_id, entry.detail.get("name") or people.get(entry.target_id))),
        ("DETAIL", lambda entry: pairs((key, value) for key, value in entry.detail.items() if key != "name")),
    )


app = typer.Typer(add_completion=False)


class Outcome(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"


Moment = typer.Option(parser=moment_of, metavar="WHEN", help="Such as 10m, 2h or 2026-01-31T12:00:00Z.")


@command(app)
async def audit(
    session: Session,
    actor: Annotated[str | None, typer.Option(help="Who: a member, or the id of one or of a key.")] = None,
    action: Annotated[str | None, typer.Option(help="What, such as node.create.")] = None,
    target: Annotated[str | None, typer.Option(help="To which thing: its id.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only changes, or only refusals.")] = None,
    since: Annotated[datetime | None, Moment] = None,
    until: Annotated[datetime | None, Moment] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    export: Annotated[bool, typer.Option("--export", help="Everything, as JSON lines.")] = False,
) -> None:
    """Show who did what in the organization, and who was refused what. Newest first."""
    org_id = await session.org_id()
    matching = AuditFilter(
        actor=await _actor_id(session, org_id, actor),
        action=action,
        target=target,
        outcome=outcome,
        since=since,
        until=until,
    )
    if export:
        async for entry in session.client.activity.export_audit(org_id, matching):
            session.out.json(entry.to_wire())
        return
    found: list[AuditEntry] = []
    async for entry in session.client.activity.iter_audit(org_id, matching):
        found.append(entry)
        if len(found) == limit:
            break
    people: dict[str, str] = {}
    if found and not session.out.as_json:
        people = {each.user_id: each.name or each.email async for each in session.client.orgs.iter_members(org_id)}
    session.out.table(found, audit_table(people), wire=AuditEntry.to_wire)


async def _actor_id(session: Session, org_id: str, wanted: str | None) -> str | None:
    """Keys and people who have left are known by their ids alone."""
    if wanted is None or is_id(wanted, "usr") or is_id(wanted, "key"):
        return wanted
    return (await find_member(session.client, org_id, wanted)).user_id
