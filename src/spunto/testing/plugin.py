"""The pytest plugin, loaded by name wherever Spunto is installed: it costs nothing until a test asks for a fixture."""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from spunto.testing.harness import Harness

# So that a contract that an adapter breaks shows the values, as any test does.
pytest.register_assert_rewrite("spunto.testing.contracts")

# Without pytest-asyncio there is no fixture; `async with Harness()` works under any runner.
if find_spec("pytest_asyncio") is not None:
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def spunto_harness() -> AsyncIterator["Harness"]:
        """The whole product in this process, on a clock that the test moves."""
        from spunto.testing.harness import Harness

        async with Harness() as harness:
            yield harness
