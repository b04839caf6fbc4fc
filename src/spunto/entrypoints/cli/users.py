"""`spunto user`: your own settings."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from spunto.client.users import User
from spunto.entrypoints.cli.rendering import instant
from spunto.entrypoints.cli.running import plain_command
from spunto.entrypoints.cli.session import Session

app = typer.Typer(help="Your own settings.", no_args_is_help=True, add_completion=False)


@plain_command(app)
async def show(session: Session) -> None:
    """Show who you are, and your settings."""
    me = await session.client.users.me()
    session.out.record(me, user_fields(me))


@plain_command(app, "set")
async def change(
    session: Session,
    name: Annotated[str | None, typer.Option(show_default=False)] = None,
    dotfiles: Annotated[
        str | None, typer.Option(metavar="URL", help="Git repository of your dotfiles; '' clears it.")
    ] = None,
) -> None:
    """Change your settings; what is not named stays."""
    changes: dict[str, Any] = {} if name is None else {"name": name}
    if dotfiles is not None:
        changes["dotfilesRepo"] = dotfiles or None
    if not changes:
        raise typer.BadParameter("Say what to change.")
    session.out.done("Changed your settings.", await session.client.users.update(changes))


def user_fields(user: User) -> Iterable[tuple[str, str]]:
    yield from (("name", user.name), ("email", user.email), ("dotfiles", user.dotfiles_repo or ""))
    yield from (("created", instant(user.created_at)), ("id", user.id))
