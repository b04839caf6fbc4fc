"""A small storm: server and agent are killed again and again while workers come and go."""

from pathlib import Path

import pytest
from tests.chaos.box import running_box
from tests.chaos.journal import Journal
from tests.chaos.plan import Victim, plan_of
from tests.chaos.storm import Storm

VICTIMS = (Victim.SERVER, Victim.AGENT)


@pytest.mark.docker
async def test_nothing_acknowledged_is_lost_and_nothing_is_left_over(tmp_path: Path, docker_url: str) -> None:
    plan = plan_of(2, spawns=8, kills=8, victims=VICTIMS)
    journal = Journal(tmp_path / "journal.ndjson")

    async with running_box(tmp_path, docker_url) as box:
        storm = Storm(box, plan, {Victim.SERVER: box.server, Victim.AGENT: box.agent}, journal)
        await storm.run()
        await box.settled()

    journal.close()
    assert sum(storm.tally.kills.values()) == len(plan.kills)
    assert storm.tally.unasked_exits == []
