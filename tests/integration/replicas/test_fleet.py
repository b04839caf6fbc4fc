"""Servers are killed and restarted in turn among many agents, under load: nothing that was acknowledged is lost."""

from pathlib import Path

import pytest
from tests.chaos.replicas import replicas_line

pytestmark = pytest.mark.postgres

SEED = 20_260_301


async def test_killed_and_restarted_servers_lose_nothing(postgres_database: str, tmp_path: Path) -> None:
    line = await replicas_line(tmp_path, postgres_database, seed=SEED, agents=40, kills=1)

    # How soon everybody is back is measured by the long run, on a machine that has time for it.
    counted = {name: count for name, count in line.figures.items() if not name.endswith(("_s", "_ms"))}
    assert counted == dict.fromkeys(counted, 0), line.note
