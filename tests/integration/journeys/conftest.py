"""Boxes that the tests of one module share; each test uses workers of its own."""

from collections.abc import Iterator

import pytest
from tests.integration.journeys.boxes import Box, running_box


@pytest.fixture(scope="module")
def docker_box(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """With the demo's project and worker."""
    with running_box(
        tmp_path_factory.mktemp("box"), engine_url=docker_url, engine_variable="DOCKER_HOST", demo=True
    ) as box:
        yield box


@pytest.fixture(scope="module")
def podman_box(podman_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with running_box(tmp_path_factory.mktemp("box"), engine_url=podman_url, engine_variable="CONTAINER_HOST") as box:
        yield box
