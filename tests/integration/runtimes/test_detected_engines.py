"""A socket tells which engine listens."""

import pytest

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.runtime import EngineUnavailable


@pytest.mark.docker
async def test_docker_is_recognised(docker_url: str) -> None:
    runtime = await connect("auto", docker_url)

    info = await runtime.info()

    await runtime.aclose()
    assert info.engine == "docker"


@pytest.mark.podman
async def test_podman_is_recognised(podman_url: str) -> None:
    runtime = await connect("auto", None, environment={"CONTAINER_HOST": podman_url, "DOCKER_HOST": "unix:///none"})

    info = await runtime.info()

    await runtime.aclose()
    assert info.engine == "podman"


@pytest.mark.podman
async def test_an_engine_of_the_other_kind_is_not_taken(podman_url: str) -> None:
    with pytest.raises(EngineUnavailable, match="is podman"):
        await connect("docker", podman_url)
