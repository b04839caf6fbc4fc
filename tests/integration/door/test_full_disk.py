"""A server whose disk is full says that it is not ready, and is again when there is room."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.fixtures.live import live_server
from tests.fixtures.waiting import wait_until


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.long
def test_a_full_disk_is_no_place_for_work_until_there_is_room_again(small_disk: Path) -> None:
    with live_server(small_disk) as live:
        assert httpx.get(f"{live.url}/readyz").is_success
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

        def answered() -> int:
            # Each takes of the room that SQLite's own log still has.
            httpx.post(f"{live.url}/api/orgs", json={"name": "a"}, headers=live.bearer)
            return httpx.get(f"{live.url}/readyz").status_code

        wait_until(lambda: answered() == 503, seconds=30, what="the server to notice")
        problem = httpx.get(f"{live.url}/readyz")
        assert (problem.json()["code"], problem.headers["Retry-After"]) == ("not_ready", "1")
        assert "full" in problem.json()["detail"]

        filler.unlink()
        wait_until(lambda: httpx.get(f"{live.url}/readyz").is_success, seconds=30, what="the server to recover")
