"""Whoever calls a use case is held to what may be shared, not only who comes by HTTP."""

import pytest
from tests.unit.core.builders import ORG, an_environment
from tests.unit.core.memory import Memory

from spunto.core.kernel.errors import Invalid, NotFound
from spunto.core.routes.desired import Sharing


@pytest.mark.parametrize("port", [-1, 0, 65_536])
async def test_a_project_shares_what_is_a_port(memory: Memory, port: int) -> None:
    with pytest.raises(NotFound, match="no port"):
        await memory.projects.create(
            memory.owner, ORG, name="p", environment=an_environment(), sharing={port: Sharing.ORG}
        )


async def test_no_project_makes_ports_public(memory: Memory) -> None:
    project = await memory.add_project()

    with pytest.raises(Invalid, match="owner"):
        await memory.projects.update(memory.owner, ORG, project.id, {"sharing": {3000: Sharing.PUBLIC}})
