"""The product in one process, for journeys through it."""

from collections.abc import AsyncIterator

import pytest

from spunto.testing.harness import Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness() as harness:
        yield harness
