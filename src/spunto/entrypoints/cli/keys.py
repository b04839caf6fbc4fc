"""`spunto key`: API keys, for programs and other people's machines."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import typer

from spunto.client.api_keys import ApiKey
from spunto.entrypoints.cli.options import span_of
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age, instant
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

API_KEYS: Columns[ApiKey] = (
    ("NAME", lambda key: key.name),
    ("OWNER", lambda key: key.owner_type),
    ("SCOPES", lambda key: ", ".join(key.scopes)),
    ("PREFIX", lambda key: key.prefix),
    ("EXPIRES", lambda key: instant(key.expires_at) or "never"),
    ("USED", lambda key: age(key.last_used_at)),
    ("ID", lambda key: key.id),
)


app = typer.Typer(help="API keys, for programs.", no_args_is_help=True, add_completion=False)


class Owner(StrEnum):
    USER = "user"
    ORG = "org"


@command(app, "list")
async def list_all(session: Session) -> None:
    """List your keys, or as an admin everybody's."""
    found = [key async for key in session.client.api_keys.iter_keys(await session.org_id())]
    session.out.table(found, API_KEYS, wire=ApiKey.to_wire)


@command(app)
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    scope: Annotated[
        list[str],
        typer.Option("--scope", help="Such as workers:read, or * for all; may be repeated.", show_default=False),
    ],
    owner: Annotated[Owner, typer.Option(help="org: it acts as an admin, and outlives whoever made it.")] = Owner.USER,
    expires: Annotated[
        str | None,
        typer.Option(help="30m, 12h, 30d, 8w, a time such as 2030-01-31T00:00:00Z, or never; 90d otherwise."),
    ] = None,
) -> None:
    """Make a key; prints its token, this once."""
    ends_at = None if expires is None else end_of(expires, now=datetime.now(UTC))
    made = await session.client.api_keys.create(
        await session.org_id(), name, scope, owner_type=owner.value, expires_at=ends_at
    )
    session.out.record(made, (*api_key_fields(made), ("token", made.token.get_secret_value())))


@command(app)
async def revoke(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id, name, or its token's beginning.", show_default=False)],
) -> None:
    """Revoke a key: it is refused from then on, and what was opened with it closes."""
    org_id = await session.org_id()
    keys = [each async for each in session.client.api_keys.iter_keys(org_id)]
    found = one_of(keys, key, kind="API key", names=lambda each: (each.id, each.name, each.prefix))
    await session.client.api_keys.revoke(org_id, found.id)
    session.out.done(f"Revoked {found.name} ({found.prefix}).", found)


def end_of(text: str, *, now: datetime) -> datetime | Literal["never"]:
    if text == "never":
        return "never"
    try:
        span = span_of(text) if text[-1:].isalpha() else None
        if span is not None:
            return now + span
        end = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no end such as 30d, 2030-01-31T00:00:00Z or never.") from error
    return end if end.tzinfo is not None else end.replace(tzinfo=UTC)


def api_key_fields(key: ApiKey) -> Iterable[tuple[str, str]]:
    yield from (("name", key.name), ("owner", key.owner_type), ("scopes", ", ".join(key.scopes)))
    yield from (("expires", instant(key.expires_at) or "never"), ("id", key.id))
