"""One process with loops on a SQLite file; errands go on beside it."""

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from tests.fixtures.postgres import fresh_database

from spunto.core.kernel.errors import Conflict
from spunto.entrypoints.library import Spunto

HOLDER = """
import asyncio, sys
from spunto.entrypoints.library import Spunto

async def main():
    async with Spunto.sqlite(sys.argv[1]):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    file = tmp_path / "spunto.db"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        while await holder.stdout.readline() != b"open\n":
            assert not holder.stdout.at_eof()

        with pytest.raises(Conflict) as refused:
            async with Spunto.sqlite(file):
                pass
        async with Spunto.beside_a_server(f"sqlite+aiosqlite:///{file}", keyring=file.with_name("keyring")) as errand:
            await errand.bootstrap()
    finally:
        holder.send_signal(signal.SIGKILL)
        await holder.wait()

    assert refused.value.code == "database_in_use"
    assert str(file) in refused.value.message
    async with Spunto.sqlite(file) as again:
        await again.bootstrap()


async def test_the_same_process_is_refused_a_second_time_too(tmp_path: Path) -> None:
    async with Spunto.sqlite(tmp_path / "spunto.db"):
        with pytest.raises(Conflict):
            async with Spunto.sqlite(tmp_path / "spunto.db"):
                pass


async def test_the_lock_is_nobody_else_s_to_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with Spunto.sqlite(tmp_path / "spunto.db"):
            mode = stat.S_IMODE((tmp_path / "spunto.db.lock").stat().st_mode)
    finally:
        os.umask(before)

    assert mode == 0o600


@pytest.mark.postgres
async def test_postgres_is_for_many(postgres_url: str, tmp_path: Path) -> None:
    async with fresh_database(postgres_url) as url:
        plain = url.replace("postgresql+asyncpg", "postgresql")
        async with (
            Spunto.postgres(plain, keyring=tmp_path / "keyring"),
            Spunto.postgres(url, keyring=tmp_path / "keyring") as other,
        ):
            _, organization = await other.bootstrap()

    assert organization.slug == "default"
