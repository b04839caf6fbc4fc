"""Who watches a database hears of each transaction, and of each statement its kind, its table and its time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.sqlite import SqliteDatabase
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.urls import parsed
from spunto.adapters.sql.watched import UNWATCHED, Watch, summary_of, watched
from spunto.core.access.model import UserId
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import User
from spunto.testing.contracts.store import a_user

CLOCK = ManualClock()


class Witness:
    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.heard.append(("begin",))
        yield
        self.heard.append(("end",))

    @contextmanager
    def statement(self, system: str, operation: str, table: str) -> Iterator[None]:
        self.heard.append((system, operation, table))
        yield


async def what_is_told(url: str) -> list[tuple[str, ...]]:
    """Of a user being added and found again."""
    witness = Witness()
    user = User(id=UserId(TimeOrderedIds(CLOCK).new("usr")), name="ann", email="a@example.org", created_at=CLOCK.now())
    await upgrade(url)
    watch = Watch(around_transaction=witness.transaction, around_statement=witness.statement)
    store = await SqlStore.open(url, Wakeups(CLOCK), watch=watch)
    try:
        async with store() as tx:
            await tx.members.add_user(user)
            await tx.commit()
        async with store.reading() as tx:
            assert await tx.members.get_user(user.id) == user
    finally:
        await store.aclose()
    return witness.heard


def expected(system: str) -> list[tuple[str, ...]]:
    return [("begin",), (system, "INSERT", "users"), (system, "COMMIT", ""), ("end",), (system, "SELECT", "users")]


async def test_transactions_and_statements_are_told_on_sqlite(tmp_path: Path) -> None:
    assert await what_is_told(f"sqlite:///{tmp_path}/spunto.db") == expected("sqlite")


@pytest.mark.postgres
async def test_transactions_and_statements_are_told_on_postgres(postgres_database: str) -> None:
    assert await what_is_told(postgres_database) == expected("postgresql")


def test_text_is_told_without_what_it_says() -> None:
    assert summary_of(text("SELECT 'planted'")) == ("OTHER", "")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spunto.db"
    return str(request.getfixturevalue("postgres_database"))


async def test_reads_and_changes_are_told_of_and_failures_are_not(url: str) -> None:
    await upgrade(url)
    seconds: list[float] = []
    store = await SqlStore.open(url, Wakeups(ManualClock()), watch=Watch(took=seconds.append))
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


def test_a_database_that_nobody_watches_stands_for_itself(tmp_path: Path) -> None:
    database = SqliteDatabase(parsed(f"sqlite:///{tmp_path}/spunto.db"))

    assert watched(database, UNWATCHED) is database
