"""Registers the doors' house, alone and with everything behind it, as fixtures."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.entrypoints.http.house import House, build_house
from tests.unit.entrypoints.http.site import Site, open_site


@pytest.fixture
def house() -> House:
    return build_house()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as site:
        yield site
