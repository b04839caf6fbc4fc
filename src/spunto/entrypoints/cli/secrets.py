"""`spunto secret`: environment variables of your workers, whose values are never shown again."""

import sys
from getpass import getpass
from typing import Annotated

import typer

from spunto.client.users import UserSecret
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import plain_command
from spunto.entrypoints.cli.session import Session

SECRETS: Columns[UserSecret] = (
    ("NAME", lambda secret: secret.name),
    ("CHANGED", lambda secret: age(secret.updated_at)),
    ("ID", lambda secret: secret.id),
)


app = typer.Typer(
    help="Your secrets: environment variables of your workers.", no_args_is_help=True, add_completion=False
)

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="Such as NPM_TOKEN.", show_default=False)]


@plain_command(app, "list")
async def list_all(session: Session) -> None:
    """List the names of your secrets."""
    found = [secret async for secret in session.client.users.iter_secrets()]
    session.out.table(found, SECRETS, wire=UserSecret.to_wire)


@plain_command(app, "set")
async def put(session: Session, name: SecretName) -> None:
    """Make a secret, or give it another value, which is asked for, or read from stdin without its last line end."""
    secret = await session.client.users.put_secret(name, _value(name))
    session.out.done(f"Set {secret.name}; workers made from now on have it.", secret)


@plain_command(app)
async def remove(session: Session, name: SecretName) -> None:
    """Delete a secret; workers that have it keep it."""
    secrets = [secret async for secret in session.client.users.iter_secrets()]
    secret = one_of(secrets, name, kind="secret", names=lambda each: (each.id, each.name))
    await session.client.users.delete_secret(secret.id)
    session.out.done(f"Removed {secret.name}.", secret)


def _value(name: str) -> Secret:
    """Never from the command line, which other users of the machine can see."""
    if sys.stdin.isatty():
        return Secret(getpass(f"Value of {name}: "))
    try:
        return Secret(sys.stdin.buffer.read().decode().removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise Invalid("unreadable_value", "The value on stdin is not UTF-8 text; encode it first.") from error
