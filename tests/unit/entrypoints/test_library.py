"""Spunto as a library: what comes out of its block, and that what its page shows runs."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spunto.core.kernel.errors import NotFound
from spunto.entrypoints.library import Spunto

PAGE = Path(__file__).parents[3] / "docs" / "library.md"


@pytest.mark.parametrize("error", [NotFound("worker_not_found", "There is no worker."), KeyError("mine")])
async def test_what_the_block_raises_comes_out_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        async with Spunto.in_memory():
            raise error

    assert caught.value is error


async def test_a_group_that_the_block_raises_comes_out_as_that_group(tmp_path: Path) -> None:
    group = ExceptionGroup("mine", [KeyError("one"), KeyError("two")])

    with pytest.raises(ExceptionGroup) as caught:
        async with Spunto.sqlite(tmp_path / "spunto.db"):
            raise group

    assert caught.value is group


async def test_a_block_that_is_cancelled_is_cancelled() -> None:
    opened = asyncio.Event()

    async def lives() -> None:
        async with Spunto.in_memory():
            opened.set()
            await asyncio.Event().wait()

    life = asyncio.create_task(lives())
    await opened.wait()
    life.cancel()

    with pytest.raises(asyncio.CancelledError):
        await life


def test_the_first_program_of_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]

    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    lines = [line for line in ran.stdout.splitlines() if " [info " not in line]
    assert lines == [
        "hello provisioning",
        "no_node_available No node can take the worker: laptop never connected yet.",
    ]
    assert list(tmp_path.iterdir()) == []
