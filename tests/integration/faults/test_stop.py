"""A server that is stopped while agents are connected ends soon and by itself."""

import time
from pathlib import Path

import pytest
from tests.chaos.box import running_box

SOON_SECONDS = 3.0


@pytest.mark.docker
async def test_a_server_with_a_connected_agent_stops_at_once(tmp_path: Path, docker_url: str) -> None:
    async with running_box(tmp_path, docker_url) as box:
        begun = time.monotonic()

        exit_code = box.server.stop()

        assert exit_code == 0
        assert time.monotonic() - begun < SOON_SECONDS
        assert "Traceback" not in box.server.log.read_text()
