"""Every statement of a store is timed, whatever way it takes to its driver."""

from pathlib import Path

import pytest
from tests.contracts.store import a_user

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.wakeups import Wakeups


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spunto.db"
    return str(request.getfixturevalue("postgres_database"))


async def test_reads_and_changes_are_told_of_and_failures_are_not(url: str) -> None:
    await upgrade(url)
    seconds: list[float] = []
    store = await SqlStore.open(url, Wakeups(ManualClock()), statement_took=seconds.append)
    seconds.clear()
    user = a_user()

    try:
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.commit()
        async with store.reading() as tx:
            await tx.members.get_user(user.id)
        with pytest.raises(Conflict):
            async with store() as tx:
                await tx.members.add_user(user)
    finally:
        await store.aclose()

    assert [0 < each < 10 for each in seconds] == [True, True]
