"""The SQL store keeps the storage contracts on SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.whole_store import StoreContract


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture
async def store(tmp_path: Path, wakeups: Wakeups) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/spunto.db"
    await upgrade(url)
    opened = await SqlStore.open(url, wakeups)
    yield opened
    await opened.aclose()


class TestSqliteStore(StoreContract):
    pass
