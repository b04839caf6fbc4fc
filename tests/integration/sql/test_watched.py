"""Who watches a database hears of each transaction and each statement by kind and table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.adapters.sql.watched import Watch, summary_of
from spunto.core.access.model import UserId
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import User

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
