"""Who may do what, on real databases: samples of what the memory store is asked in full."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.postgres import fresh_database
from tests.integration.authorization.databases import opened, vault_of
from tests.unit.authorization.furnishing import open_world
from tests.unit.authorization.machine import run_requests
from tests.unit.authorization.matrix import visit_all

from spunto.adapters.sql.migrate import upgrade

ONE_OF = 40
REQUESTS = 1_000


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that is up to date."""
    with asyncio.Runner() as runner:
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{tmp_path / 'spunto.db'}"
            runner.run(upgrade(url))
            yield url
            return
        fresh: Any = fresh_database(request.getfixturevalue("postgres_url"))
        url = runner.run(fresh.__aenter__())
        try:
            runner.run(upgrade(url))
            yield url
        finally:
            runner.run(fresh.__aexit__(None, None, None))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_everybody_gets_what_was_decided_and_nothing_else(database: str) -> None:
    async with opened(database) as house, vault_of(database) as vault, open_world(house, vault) as world:
        found = await visit_all(world, world.principals.values(), one_of=ONE_OF)

    assert found.visits > 200
    assert not found.wrong, "\n".join(found.wrong)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_no_order_of_requests_shows_anybody_what_is_foreign(database: str) -> None:
    answered = run_requests(REQUESTS, lambda: opened(database))

    assert answered.total() >= REQUESTS
