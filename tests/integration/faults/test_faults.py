"""One fault at a time, made to a real server and a real agent on a real engine: what was promised is kept."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.chaos.box import Box, running_box
from tests.chaos.runs import SCENARIOS, Scenario

pytestmark = pytest.mark.docker


@pytest.fixture
async def box(tmp_path: Path, docker_url: str) -> AsyncIterator[Box]:
    async with running_box(tmp_path, docker_url) as box:
        yield box


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
async def test_a_fault_breaks_no_promise(box: Box, scenario: Scenario) -> None:
    await scenario(box)
