"""`spunto events`: what happens in an organization, as it happens."""

from typing import Annotated

import typer

from spunto.client.following import Event
from spunto.entrypoints.cli.output import printable
from spunto.entrypoints.cli.rendering import instant, pairs
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(add_completion=False)


@command(app)
async def events(
    session: Session,
    after: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="Begin behind the event of that number, not now.")
    ] = None,
) -> None:
    """Follow what happens in the organization.

    With --json a line of JSON for each. It goes on where it was after a lost connection; Ctrl-C ends it.
    """
    async for event in session.client.activity.events(await session.org_id(), after=after):
        if session.out.as_json:
            session.out.json(event.to_wire())
        else:
            session.out.text(f"{printable(event_line(event))}\n")


def event_line(event: Event) -> str:
    """One line for people; programs read JSON."""
    said = pairs(event.data.items())
    return f"{event.sequence:>6}  {instant(event.at)}  {event.type:<22}  {event.subject_id}{said and '  '}{said}"
