"""`spunto db`: errands on the server's database, with or without a server running on it."""

import asyncio

from spunto.adapters.sql import migrate
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.settings import Settings


def upgrade(url: str | None = None) -> int:
    """Run the migrations that are missing, none being success; the exit code."""
    return ended(lambda: asyncio.run(migrate.upgrade(_database(url))))


def owner_token(url: str | None = None) -> int:
    """Print a new session token of the first owner, who is made where there is none yet; the exit code."""
    return ended(lambda: print(asyncio.run(_owner_token(_database(url))).reveal()))  # noqa: T201 - asked for


async def _owner_token(url: str) -> Secret:
    async with Spunto.beside_a_server(url, keyring=Settings().keyring_file) as spunto:
        owner, _ = await spunto.bootstrap()
        assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
        return (await spunto.access.open_session(owner.user_id, idle=None)).token


def _database(url: str | None) -> str:
    return url or Settings().database
