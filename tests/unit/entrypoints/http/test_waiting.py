"""Answers that are held back until something has settled: of nodes, and of workers that are made anew."""

import asyncio

from tests.unit.entrypoints.http.site import Site, a_node, id_of


async def test_a_new_node_is_waited_for_until_its_agent_has_connected(site: Site) -> None:
    made = await site.json("POST", f"{site.org}/nodes", {"name": "two"}, status=201)
    path = f"{site.org}/nodes/{made['node']['id']}"

    over = await site.harness.finish(site.json("GET", f"{path}?wait=30"))
    await a_node(site)
    settled = await site.json("GET", f"{site.org}/nodes/{site.harness.nodes['one'].id}?wait=30")

    assert (over["status"], settled["status"]) == ("provisioning", "online")


async def test_a_forced_deletion_is_waited_for_until_the_node_is_gone(site: Site) -> None:
    node = await a_node(site)
    await site.worker()
    path = f"{site.org}/nodes/{node.id}"
    before = site.harness.clock.now()

    gone = await site.harness.finish(site.call("DELETE", f"{path}?force=true&wait=60"))

    assert gone.status_code == 204
    # Nobody had to look again.
    assert site.harness.clock.now() == before
    assert await site.problem("GET", f"{path}?wait=1") == (404, "node_not_found")


async def test_a_deletion_that_takes_longer_is_told_as_it_is_then(site: Site) -> None:
    node = await a_node(site)
    await site.worker()
    node.disconnect()
    await site.harness.settle()
    path = f"{site.org}/nodes/{node.id}"

    answer = await site.harness.finish(site.json("DELETE", f"{path}?force=true&wait=7", status=202))
    waiting = asyncio.ensure_future(site.call("GET", f"{path}?wait=60"))
    await site.harness.settle()
    await node.reconnect()
    gone = await site.harness.finish(waiting)

    assert answer["status"] == "deleting"
    assert gone.status_code == 404


async def test_a_rebuild_is_waited_for_until_the_worker_is_ready_again(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    await site.json("PATCH", worker.rpartition("/workers/")[0], {"env": {"A": "1"}})

    rebuilt = await site.harness.finish(site.json("POST", f"{worker}/rebuild?wait=60", {}))

    assert (rebuilt["id"], rebuilt["state"], rebuilt["outdated"]) == (id_of(worker), "ready", False)


async def test_a_rebuild_that_takes_longer_is_told_as_under_way(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.disconnect()

    answer = await site.harness.finish(site.call("POST", f"{worker}/rebuild?wait=5", {}))

    assert (answer.status_code, answer.headers["Location"]) == (202, worker)


async def test_what_has_no_state_of_its_own_has_nothing_to_wait_for(site: Site) -> None:
    project = await site.project()

    assert await site.problem("GET", f"{project}?wait=5") == (400, "invalid_query")
    assert await site.problem("GET", f"{site.org}/nodes?wait=5") == (400, "invalid_query")
