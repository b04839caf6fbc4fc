"""The edge runs on uvloop, and so do its tests."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from tests.integration.edge.doors import Door, door_to
from tests.integration.edge.origins import Origin, strict_origin


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with strict_origin() as origin:
        yield origin


@pytest.fixture
async def door(origin: Origin) -> AsyncIterator[Door]:
    async with door_to(origin.target) as door:
        yield door
