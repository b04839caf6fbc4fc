"""An engine that an installed package brings is found by its name."""

from pathlib import Path

import pytest

from spunto.adapters.runtimes.detect import ENTRY_POINTS, connect
from spunto.core.executor.runtime import EngineUnavailable

PACKAGE = """
from spunto.adapters.memory.runtime import FakeRuntime

async def connect(url):
    return FakeRuntime(images=[url])
"""


@pytest.fixture(autouse=True)
def installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "brought_engine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nbrought = brought_engine:connect\n")
    (tmp_path / "brought_engine.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)


async def test_an_engine_of_another_package_is_connected_by_name() -> None:
    runtime = await connect("brought", "some/image")

    assert await runtime.has_image("some/image")
    await runtime.aclose()


async def test_an_engine_that_nobody_brings_says_which_are_known() -> None:
    with pytest.raises(EngineUnavailable, match="'nothing'; known are brought, docker, podman"):
        await connect("nothing", None)
