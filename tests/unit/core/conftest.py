"""Fixtures for tests of use cases."""

import pytest
from tests.unit.core.memory import Memory


@pytest.fixture
async def memory() -> Memory:
    """One organization with an owner and a member over the memory store."""
    memory = Memory()
    await memory.populate()
    return memory
