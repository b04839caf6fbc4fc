"""What a box makes sure of at each start, however much there is already."""

import asyncio
import stat
from pathlib import Path

import pytest

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.paging import PageRequest
from spunto.core.projects.model import Environment, Project
from spunto.entrypoints.box.box import Box
from spunto.entrypoints.library import Spunto

URL = "http://127.0.0.1:8000"
MORE_THAN_A_PAGE = 205


async def test_a_second_start_finds_node_and_project_behind_the_first_page(tmp_path: Path) -> None:
    async with Spunto.in_memory() as spunto:
        await Box(spunto, tmp_path).prepare(URL)
        owner, organization = await spunto.bootstrap()
        await _project(spunto, owner, organization.id, "hello")
        for number in range(MORE_THAN_A_PAGE):
            await _project(spunto, owner, organization.id, f"other-{number}")
            await spunto.nodes.create(owner, organization.id, name=f"other-{number}")

        again = Box(spunto, tmp_path)
        await again.prepare(URL)

        # There is no agent, so that it goes on waiting for the node.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await again.prepare_demo("x:1")


async def test_the_box_says_that_its_node_has_not_come_yet(tmp_path: Path) -> None:
    async with Spunto.in_memory() as spunto:
        box = Box(spunto, tmp_path)
        await box.prepare(URL)

        assert await box.node_missing() == "The node local has not connected yet."


async def test_a_box_whose_node_was_removed_waits_for_none(tmp_path: Path) -> None:
    async with Spunto.in_memory() as spunto:
        box = Box(spunto, tmp_path)
        await box.prepare(URL)
        owner, organization = await spunto.bootstrap()
        [node] = (await spunto.nodes.list(owner, organization.id, PageRequest())).items

        await spunto.nodes.delete(owner, organization.id, node.id, force=True)

        assert await box.node_missing() is None


async def test_everything_that_a_box_writes_is_private(tmp_path: Path) -> None:
    async with Spunto.sqlite(tmp_path / "spunto.db") as spunto:
        await Box(spunto, tmp_path).prepare(URL)
        modes = _modes(tmp_path)

    names = {"keyring", "owner.token", "spunto.db", "spunto.db.lock", "spunto.db-shm", "spunto.db-wal", "token", "url"}
    assert modes == dict.fromkeys(names, 0o600)


def _modes(directory: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in directory.rglob("*") if each.is_file()}


async def _project(spunto: Spunto, owner: Actor, org_id: OrgId, name: str) -> Project:
    return await spunto.projects.create(owner, org_id, name=name, environment=Environment(image="x:1"))
