"""`spunto db upgrade`: bring a database to the revision that this version needs."""

import asyncio

from spunto.adapters.sql import migrate
from spunto.entrypoints.settings import Settings


def upgrade(url: str | None = None) -> None:
    """Run the migrations that are missing; none missing is success."""
    asyncio.run(migrate.upgrade(url or Settings().database))
