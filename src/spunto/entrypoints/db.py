"""`spunto db`: errands on the server's database, with or without a server running on it."""

import asyncio
from urllib.parse import urlsplit

from spunto.adapters.sql import migrate
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.wakeups import Wakeups
from spunto.entrypoints.box.places import url_file
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.databases import existing
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.local_urls import peoples_url
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
    return ended(lambda: print(asyncio.run(_owner_token(existing(_database(url)))).reveal()))  # noqa: T201 - asked for


def sign_in_link(url: str | None = None) -> int:
    """Print an address that signs the first owner's browser in, once; the exit code."""
    return ended(lambda: print(asyncio.run(_sign_in_link(existing(_database(url)))).reveal()))  # noqa: T201 - asked for


def restored(url: str | None = None) -> int:
    """Begin a new timeline on a database that was restored from a backup; the exit code."""
    return ended(lambda: asyncio.run(_restored(existing(_database(url)))))


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


async def _sign_in_link(url: str) -> Secret:
    settings = Settings()
    async with Spunto.beside_a_server(url, keyring=settings.keyring_file) as spunto:
        owner, _ = await spunto.bootstrap()
        assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
        code = await spunto.access.issue_code(owner.user_id)
    return Secret(f"{_address(settings)}/api/auth/bootstrap?code={code.reveal()}")


def _address(settings: Settings) -> str:
    """Where browsers find the server: as its operator says, or as the box in the data directory was started."""
    file = url_file(settings.data_dir)
    if settings.public_url is not None or not file.exists():
        return settings.url
    own = file.read_text().strip()
    parts = urlsplit(own)
    return peoples_url(parts.hostname or "", parts.port or 80) or own


def _database(url: str | None) -> str:
    return url or Settings().database
