"""Sharing of ports through the client, against the real application."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from tests.unit.entrypoints.http.house import LOCAL
from tests.unit.entrypoints.http.site import Site, a_node, open_site

from spunto.client.client import SpuntoClient
from spunto.client.errors import InvalidRequest, NotThere
from spunto.client.retry import NO_RETRY
from spunto.client.worker_models import WorkerRef


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as site:
        yield site


async def test_a_port_is_shared_and_links_to_it_are_made_and_taken_back(site: Site) -> None:
    await a_node(site)
    worker = await site.json("GET", await site.worker())
    ref = WorkerRef(org_id=worker["orgId"], project_id=worker["projectId"], id=worker["id"])
    app = cast("Any", site.house.app)
    async with SpuntoClient(LOCAL, site.owner.token, retry=NO_RETRY, transport=httpx.ASGITransport(app)) as client:
        shared = await client.port_sharing.share(ref, 3000, "org")
        link = await client.port_sharing.create_link(ref, 3000, expires_in_seconds=60)
        listed = await client.port_sharing.links(ref, 3000)
        [opened] = await client.port_sharing.opened(ref)
        await client.port_sharing.revoke_link(ref, 3000, link.id)
        with pytest.raises(NotThere):
            await client.port_sharing.revoke_link(ref, 3000, link.id)
        with pytest.raises(InvalidRequest):
            await client.port_sharing.create_link(ref, 3000, expires_in_seconds=10**9)
        left = await client.port_sharing.links(ref, 3000)

    assert (shared.port, shared.sharing) == (3000, "org")
    assert (opened.port, opened.sharing, list(opened.links)) == (3000, "org", listed)
    assert ".spunto/link" in link.url.get_secret_value()
    assert "spl_" not in repr(link)
    assert ([each.id for each in listed], left) == ([link.id], [])
