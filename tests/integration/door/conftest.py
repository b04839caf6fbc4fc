"""One real server for all the tests of its door, and raw sockets to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.live import Live, live_server


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(Path(tmp_path_factory.mktemp("door"))) as live:
        yield live
