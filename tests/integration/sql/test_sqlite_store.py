"""The SQL store keeps the storage contracts on SQLite."""

import asyncio
import shutil
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


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is migrated and empty; to migrate one takes longer than most tests on it."""
    file = tmp_path_factory.mktemp("migrated") / "spunto.db"
    asyncio.run(upgrade(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def store(tmp_path: Path, migrated: Path, wakeups: Wakeups) -> AsyncIterator[SqlStore]:
    shutil.copy(migrated, tmp_path)
    opened = await SqlStore.open(f"sqlite:///{tmp_path}/{migrated.name}", wakeups)
    yield opened
    await opened.aclose()


class TestSqliteStore(StoreContract):
    pass
