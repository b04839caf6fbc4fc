"""Workers that are gone, looked up for 30 days."""

from datetime import timedelta

import pytest
from tests.unit.entrypoints.http.site import Site, a_node, id_of

from spunto.core.workers import history


async def test_a_destroyed_worker_is_looked_up_where_it_is_asked_for(site: Site) -> None:
    await a_node(site)
    worker = await site.worker(name="gone", tags=["ci"], env={"A": "1"})
    before = await site.json("GET", worker)
    await _destroyed(site, worker)
    short = f"{site.org}/workers/{id_of(worker)}"

    found = [await site.json("GET", f"{path}?include=destroyed") for path in (worker, short)]

    shown = found[0]
    assert found[1] == shown
    assert (shown["state"], shown["dockerState"], shown["containerId"]) == ("destroyed", "not_found", None)
    assert shown["destroyedAt"] >= before["createdAt"]
    same = ("id", "projectId", "name", "index", "userId", "nodeId", "tags", "createdAt", "projectVersion")
    assert {name: shown[name] for name in same} == {name: before[name] for name in same}
    assert await site.problem("GET", worker) == (404, "worker_not_found")
    assert "explanation" not in await site.json("GET", f"{worker}?include=destroyed&explain=true")
    assert await site.problem("POST", f"{worker}/start") == (404, "worker_not_found")
    other = (await site.json("POST", f"{site.org}/projects", {"name": "other", "image": "debian"}, status=201))["id"]
    elsewhere = f"{site.org}/projects/{other}/workers/{id_of(worker)}?include=destroyed"
    assert await site.problem("GET", elsewhere) == (404, "worker_not_found")


async def test_lists_show_those_that_are_gone_among_the_others_page_by_page(site: Site) -> None:
    await a_node(site)
    first = await site.worker(name="a", tags=["ci"])
    project = first.rpartition("/")[0]
    made = [id_of(first)]
    for name in ("b", "c", "d"):
        made.append((await site.json("POST", project, {"name": name}, status=202))["id"])
        await site.harness.settle()
    for worker_id in (made[0], made[2]):
        await _destroyed(site, f"{project}/{worker_id}")
    await site.json("POST", project, {"name": "a"}, status=202)
    await site.harness.settle()

    async def listed(query: str, of: str = f"{site.org}/workers") -> list[str]:
        return [each["id"] for each in (await site.json("GET", f"{of}?{query}"))["items"]]

    everything = await listed("include=destroyed")
    assert everything[1:] == made[::-1]
    assert await listed("include=destroyed", of=project) == everything
    assert await listed("include=destroyed&sort=createdAt") == everything[::-1]
    assert await listed("limit=9") == [each for each in everything if each not in (made[0], made[2])]
    assert await listed("include=destroyed&tag=ci") == await listed("include=destroyed&name=a&tag=ci") == [made[0]]
    assert await listed("state=destroyed") == [made[2], made[0]]
    paged: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await site.json("GET", f"{site.org}/workers?include=destroyed&limit=2{cursor}")
        paged.append([each["id"] for each in page["items"]])
        cursor = None if page["nextCursor"] is None else f"&cursor={page['nextCursor']}"
    assert paged == [everything[:2], everything[2:4], everything[4:]]
    assert await site.problem("GET", f"{site.org}/workers?include=all") == (400, "invalid_query")


async def test_they_outlive_their_project_and_are_forgotten_in_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_node(site)
    worker = await site.worker()
    project = worker.rpartition("/workers/")[0]
    await _destroyed(site, worker)
    assert (await site.call("DELETE", project)).status_code == 204

    assert (await site.json("GET", f"{worker}?include=destroyed"))["state"] == "destroyed"
    assert len((await site.json("GET", f"{project}/workers?include=destroyed"))["items"]) == 1
    assert await site.harness.spunto.history.prune() == 0
    monkeypatch.setattr(history, "KEPT_FOR", timedelta(minutes=1))
    await site.harness.advance(61)

    assert await site.harness.spunto.history.prune() == 1
    assert await site.problem("GET", f"{worker}?include=destroyed") == (404, "worker_not_found")
    assert await site.problem("GET", f"{project}/workers?include=destroyed") == (404, "project_not_found")


async def test_what_its_set_up_said_is_shown_as_while_it_stood(site: Site) -> None:
    await a_node(site)
    worker = await site.worker(await site.project(post_create_command="echo hi"))
    await _destroyed(site, worker)
    member = await site.member("member")

    own = await site.json("GET", f"{worker}?include=destroyed")
    others = await site.json("GET", f"{worker}?include=destroyed", by=member)

    assert "outputTail" in str(own["setupStatus"])
    assert "outputTail" not in str(others["setupStatus"])


async def _destroyed(site: Site, worker: str) -> None:
    await site.json("DELETE", worker, status=202)
    await site.harness.settle()
