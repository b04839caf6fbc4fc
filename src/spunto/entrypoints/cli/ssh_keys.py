"""`spunto ssh-key`: your SSH public keys."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spunto.client.users import SshKey
from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.cli.output import Columns
from spunto.entrypoints.cli.rendering import age
from spunto.entrypoints.cli.resolve import one_of
from spunto.entrypoints.cli.running import plain_command
from spunto.entrypoints.cli.session import Session

SSH_KEYS: Columns[SshKey] = (
    ("NAME", lambda key: key.name),
    ("TYPE", lambda key: key.type),
    ("FINGERPRINT", lambda key: key.fingerprint),
    ("AGE", lambda key: age(key.created_at)),
    ("ID", lambda key: key.id),
)


app = typer.Typer(help="Your SSH public keys.", no_args_is_help=True, add_completion=False)


@plain_command(app, "list")
async def list_all(session: Session) -> None:
    """List your SSH keys."""
    session.out.table(await session.client.users.ssh_keys(), SSH_KEYS, wire=SshKey.to_wire)


@plain_command(app)
async def add(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pub file, or - for stdin.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The key's comment otherwise.", show_default=False)] = None,
) -> None:
    """Add a public key."""
    try:
        line = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("unreadable_key", f"Can't read {file}: {error}") from error
    key = await session.client.users.add_ssh_key(line.strip(), name=name)
    session.out.done(f"Added {key.name} ({key.fingerprint}).", key)


@plain_command(app)
async def remove(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id, fingerprint or name.", show_default=False)],
) -> None:
    """Remove a public key."""
    keys = await session.client.users.ssh_keys()
    found = one_of(keys, key, kind="SSH key", names=lambda each: (each.id, each.name, each.fingerprint))
    await session.client.users.delete_ssh_key(found.id)
    session.out.done(f"Removed {found.name} ({found.fingerprint}).", found)
