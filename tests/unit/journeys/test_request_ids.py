"""The id of a request stands wherever the request had an effect: in its answer, in the audit log, on the node."""

from tests.unit.entrypoints.http.site import Site, a_node, id_of, open_site

from spunto.core.access.policy import Action
from spunto.core.activity.events import EventType
from spunto.core.kernel.paging import PageRequest
from spunto.testing.node import SimulatedNode


def causes(node: SimulatedNode, worker: str) -> dict[str, set[object]]:
    """The ids in the node's lines about the worker, by event."""
    found: dict[str, set[object]] = {}
    for line in node.logged:
        if line.get("subject") == id_of(worker):
            found.setdefault(str(line["event"]), set()).add(line["request_id"])
    return found


async def ask(site: Site, method: str, path: str, request_id: str) -> None:
    response = await site.call(method, path, headers={"X-Request-Id": request_id})
    assert (response.status_code, response.headers["X-Request-Id"]) == (202, request_id)
    await site.harness.settle()


async def test_a_request_s_id_is_told_by_the_node_and_by_the_audit_log() -> None:
    async with open_site() as site:
        node = await a_node(site)
        project = await site.project()
        spawned = await site.json(
            "POST", f"{project}/workers", {}, status=202, headers={"X-Request-Id": "the-spawning-one"}
        )
        await site.harness.settle()
        worker = f"{project}/workers/{spawned['id']}"
        at_spawn = causes(node, worker)
        node.logged.clear()
        await ask(site, "POST", f"{worker}/stop", "the-stopping-one")
        at_stop = causes(node, worker)
        node.logged.clear()
        await ask(site, "POST", f"{worker}/start", "the-starting-one")
        node.restart_agent()
        await site.harness.settle()
        at_start = causes(node, worker)
        node.logged.clear()
        await ask(site, "DELETE", worker, "the-destroying-one")
        at_destroy = causes(node, worker)
        tenant = site.harness.owner.require(Action.AUDIT_READ, org_id=site.harness.organization.id)
        async with site.harness.spunto._store.reading() as tx:
            told = await tx.events.after(site.harness.organization.id, 0, limit=200)
            audited = {entry.request_id for entry in (await tx.audit.list(tenant, PageRequest(limit=200))).items}

    followed = [
        (event.data.get("state", "gone"), event.request_id)
        for event in told
        if event.type in (EventType.WORKER_STATE_CHANGED, EventType.WORKER_DESTROYED)
    ]
    assert [each for each in followed if each[0] in ("ready", "stopped", "gone")] == [
        ("ready", "the-spawning-one"),
        ("stopped", "the-stopping-one"),
        ("ready", "the-starting-one"),
        ("gone", "the-destroying-one"),
    ]
    assert at_spawn == {"assigned": {"the-spawning-one"}, "action_done": {"the-spawning-one"}}
    assert at_stop == {"assigned": {"the-stopping-one"}, "action_done": {"the-stopping-one"}}
    assert at_start == {"assigned": {"the-starting-one"}, "action_done": {"the-starting-one"}}
    assert at_destroy == {"assigned": {"the-destroying-one"}, "action_done": {"the-destroying-one"}}
    assert audited >= {"the-spawning-one", "the-stopping-one", "the-starting-one", "the-destroying-one"}


async def test_a_failure_on_the_node_is_told_with_the_request_s_id() -> None:
    async with open_site() as site:
        node = await a_node(site)
        project = await site.project(image="nowhere:1")
        spawned = await site.json(
            "POST", f"{project}/workers", {}, status=202, headers={"X-Request-Id": "the-spawning-one"}
        )
        await site.harness.settle()

    assert causes(node, spawned["id"])["action_failed"] == {"the-spawning-one"}
