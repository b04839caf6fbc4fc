"""The example that drives workers by curl and by the client, against a box on each engine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import CONVERGE_SECONDS, Box

EXAMPLE = Path(__file__).parents[3] / "examples" / "drive.py"
SAID = ["is ready", "the same bytes came back: True", "found by its tag: True", "it is gone"]


@pytest.mark.parametrize(
    "engine", [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def test_the_example_drives_workers(request: pytest.FixtureRequest, engine: str) -> None:
    box: Box = request.getfixturevalue(f"{engine}_box")

    def is_online() -> Any:
        with box.api() as api:
            org = api.get("/api/orgs").json()["items"][0]["id"]
            return api.get(f"/api/orgs/{org}/nodes").json()["items"][0]["status"] == "online"

    wait_until(is_online, seconds=CONVERGE_SECONDS, what="the node is online")

    command = [sys.executable, str(EXAMPLE), box.url, str(box.token_file), "localhost/spunto/busybox:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [words in line for words, line in zip(SAID * 2, lines, strict=True)] == [True] * len(lines)
