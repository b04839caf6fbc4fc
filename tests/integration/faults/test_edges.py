"""Server, edges and agent on hosts of their own, with a fault at one of them: what was promised to visitors is kept."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.chaos.edges.region import Region, running_region
from tests.chaos.edges.scenarios import SMALL, RegionScenario

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def region(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Region]:
    async with running_region(tmp_path_factory.mktemp("region"), docker_url) as region:
        yield region


@pytest.mark.parametrize("scenario", SMALL.values(), ids=SMALL.keys())
async def test_a_fault_breaks_no_promise_to_visitors(region: Region, scenario: RegionScenario) -> None:
    await scenario(region)
