"""An engine of its own is killed in the middle of a rebuild."""

import tempfile
from pathlib import Path

import pytest
from tests.chaos.box import running_box
from tests.chaos.engine import private_engine
from tests.chaos.scenarios.rebuilds import engine_dies_in_a_rebuild


@pytest.mark.docker
@pytest.mark.parametrize("live_restore", [False, True])
async def test_a_rebuild_ends_in_one_container_whatever_becomes_of_the_engine(
    tmp_path: Path, docker_url: str, live_restore: bool
) -> None:
    # The sockets of an engine have longer paths than a test's own directory leaves room for.
    with tempfile.TemporaryDirectory(prefix="spunto-") as short:
        async with (
            private_engine(Path(short) / "e", image_from=docker_url, live_restore=live_restore) as engine,
            running_box(tmp_path, engine.url) as box,
        ):
            await engine_dies_in_a_rebuild(box, engine)
