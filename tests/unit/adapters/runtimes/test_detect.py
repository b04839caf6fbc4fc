"""The engine is looked for at the usual places, and its absence says what to do."""

import socket
from pathlib import Path

import pytest

from spunto.adapters.runtimes.detect import candidates, connect
from spunto.core.executor.runtime import EngineUnavailable


def test_what_the_environment_says_comes_first(tmp_path: Path) -> None:
    (tmp_path / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "podman/podman.sock"))

        found = candidates(
            {"DOCKER_HOST": "tcp://10.0.0.1:2375", "CONTAINER_HOST": "unix:///x", "XDG_RUNTIME_DIR": str(tmp_path)}
        )

    assert found[:2] == ["tcp://10.0.0.1:2375", "unix:///x"]
    assert found[-1] == f"unix://{tmp_path}/podman/podman.sock"


async def test_an_engine_that_is_not_there_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"none\.sock.*dockerd.*podman system service"):
        await connect("auto", f"unix://{tmp_path}/none.sock")
