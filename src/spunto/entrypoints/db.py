"""`spunto db`: errands on the server's database, with or without a server running on it."""

import asyncio

from spunto.adapters.sql import migrate
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.wakeups import Wakeups
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.settings import Settings


def upgrade(url: str | None = None) -> int:
    """Run the migrations that are missing, none being success; the exit code."""
    return ended(lambda: print(_told(asyncio.run(migrate.upgrade(_database(url))))))  # noqa: T201 - what was done


def _told(before: str | None) -> str:
    newest = migrate.head()
    if before == newest:
        return f"The database is at revision {newest}; there was nothing to do."
    if before is None:
        return f"The database was made, at revision {newest}."
    return f"The database was upgraded from revision {before} to {newest}."


def owner_token(url: str | None = None) -> int:
    """Print a new session token of the first owner, who is made where there is none yet; the exit code."""
    return ended(lambda: print(asyncio.run(_owner_token(_database(url))).reveal()))  # noqa: T201 - asked for


def restored(url: str | None = None) -> int:
    """Begin a new timeline on a database that was restored from a backup; the exit code."""
    return ended(lambda: asyncio.run(_restored(_database(url))))


async def _restored(url: str) -> None:
    store = await SqlStore.open(url, Wakeups(SystemClock()), pool_size=1)
    try:
        print(f"The database is on timeline {await store.begin_timeline()} now; start the servers.")  # noqa: T201 - asked for
    finally:
        await store.aclose()


async def _owner_token(url: str) -> Secret:
    async with Spunto.beside_a_server(url, keyring=Settings().keyring_file) as spunto:
        owner, _ = await spunto.bootstrap()
        assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
        return (await spunto.access.open_session(owner.user_id, idle=None)).token


def _database(url: str | None) -> str:
    return url or Settings().database
