"""The memory store keeps the storage contracts."""

import pytest

from spunto.adapters.memory.store import MemoryStore
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.testing.contracts.whole_store import StoreContract


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups(ManualClock())


@pytest.fixture
def store(wakeups: Wakeups) -> MemoryStore:
    return MemoryStore(wakeups)


class TestMemoryStore(StoreContract):
    pass
