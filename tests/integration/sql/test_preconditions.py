"""Of many who change the same thing as they saw it, one does: on databases, where they really are at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.postgres import fresh_database
from tests.unit.entrypoints.http.house import House, Person, house_on

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.entrypoints.serving.databases import sqlite_url

AT_ONCE = 6


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    clock = ManualClock()
    wakeups = Wakeups(clock)
    store = await SqlStore.open(database, wakeups)
    try:
        yield house_on(store, wakeups, clock)
    finally:
        await store.aclose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty one."""
    with asyncio.Runner() as runner:
        if request.param == "sqlite":
            url = sqlite_url(tmp_path / "spunto.db")
            runner.run(upgrade(url))
            yield url
            return
        fresh = fresh_database(request.getfixturevalue("postgres_url"))
        url = runner.run(fresh.__aenter__())
        runner.run(upgrade(url))
        yield url
        runner.run(fresh.__aexit__(None, None, None))


async def made(house: House, ann: Person, kind: str) -> str:
    """The path of a new one."""
    body: dict[str, Any] = {"name": "one", "metadata": {"b": 1.5, "a": [1e3, {"z": None, "y": True, "x": "ü"}]}}
    answer = await house.call(
        ann, "POST", f"/api/orgs/{ann.org_id}/{kind}", body | ({"image": "debian"} if kind == "projects" else {})
    )
    body = await answer.get_json()
    return f"/api/orgs/{ann.org_id}/{kind}/{body.get('node', body)['id']}"


@pytest.mark.parametrize("kind", ["nodes", "projects"])
async def test_one_of_many_changes_it_and_is_told_the_tag_that_is_read(house: House, kind: str) -> None:
    ann = await house.person("ann")
    path = await made(house, ann, kind)
    held = {"If-Match": (await house.call(ann, "GET", path)).headers["ETag"]}

    answers = await asyncio.gather(
        *(house.call(ann, "PATCH", path, {"name": f"name-{number}"}, headers=held) for number in range(AT_ONCE))
    )

    assert sorted(each.status_code for each in answers) == [200] + [412] * (AT_ONCE - 1)
    [changed] = [each for each in answers if each.status_code == 200]
    now = await house.call(ann, "GET", path)
    assert (now.headers["ETag"], await now.get_json()) == (changed.headers["ETag"], await changed.get_json())


@pytest.mark.parametrize("kind", ["nodes", "projects"])
async def test_what_is_changed_meanwhile_is_not_deleted(house: House, kind: str) -> None:
    ann = await house.person("ann")
    for number in range(AT_ONCE):
        path = await made(house, ann, kind)
        held = {"If-Match": (await house.call(ann, "GET", path)).headers["ETag"]}

        statuses = [
            each.status_code
            for each in await asyncio.gather(
                house.call(ann, "PATCH", path, {"name": f"name-{number}"}, headers=held),
                house.call(ann, "DELETE", path, headers=held),
            )
        ]

        # Changed and still there, or deleted before anybody changed it.
        assert statuses in ([200, 412], [404, 204])
        if statuses == [200, 412]:
            assert (await house.call(ann, "DELETE", path)).status_code == 204
