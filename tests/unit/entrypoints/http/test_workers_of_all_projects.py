"""Workers as programs find, watch and mark them: across projects, by id alone, waited for, with tags."""

import asyncio
from typing import Any

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import json_of
from tests.unit.entrypoints.http.site import Site, a_node, id_of

from spunto.core.kernel import waiting


def names(listed: Any) -> list[str]:
    return [each["name"] for each in listed["items"]]


async def two_projects(site: Site) -> tuple[str, str]:
    await a_node(site)
    one, other = await site.project("one"), await site.project("other")
    await site.json("POST", f"{one}/workers", {"name": "a", "tags": ["ci"]}, status=202)
    await site.json("POST", f"{other}/workers", {"name": "b", "tags": ["ci", "keep"]}, status=202)
    await site.harness.settle()
    return one, other


async def test_a_list_goes_across_projects_and_is_narrowed_by_what_is_asked(site: Site) -> None:
    one, other = await two_projects(site)
    node = (await site.json("GET", f"{site.org}/nodes"))["items"][0]["id"]

    async def found(query: str) -> list[str]:
        return names(await site.json("GET", f"{site.org}/workers?{query}"))

    assert await found("") == ["b", "a"]
    assert await found("sort=createdAt") == ["a", "b"]
    assert await found("tag=keep") == ["b"]
    assert await found("tag=ke") == []
    assert await found("name=a") == ["a"]
    assert await found(f"projectId={id_of(other)}") == ["b"]
    assert await found(f"nodeId={node}&state=ready&userId={site.owner.user_id}") == ["b", "a"]
    assert await found("state=error") == []
    assert names(await site.json("GET", f"{one}/workers?tag=ci")) == ["a"]


async def test_pages_of_the_list_go_on_in_its_order(site: Site) -> None:
    await two_projects(site)

    first = await site.json("GET", f"{site.org}/workers?sort=createdAt&limit=1")
    rest = await site.json("GET", f"{site.org}/workers?sort=createdAt&limit=1&cursor={first['nextCursor']}")

    assert (names(first), names(rest), rest["nextCursor"]) == (["a"], ["b"], None)


@pytest.mark.parametrize("query", ["state=none", "tag=a%20b", "nodeId=x", "sort=tag", "wait=61", "nothing=1"])
async def test_what_can_not_be_asked_is_refused(site: Site, query: str) -> None:
    assert await site.problem("GET", f"{site.org}/workers?{query}") == (400, "invalid_query")


async def test_a_worker_is_reached_by_its_id_alone(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    short = f"{site.org}/workers/{id_of(worker)}"

    assert await site.json("GET", short) == await site.json("GET", worker)
    ran = await site.json("POST", f"{short}/exec", {"command": ["echo", "hi"]})
    await site.json("POST", f"{short}/stop", status=202)
    await site.harness.settle()
    assert ran["stdout"] == "hi\n"
    assert (await site.json("GET", short))["state"] == "stopped"
    await site.json("DELETE", short, status=202)
    await site.harness.settle()
    assert await site.problem("GET", short) == (404, "worker_not_found")


async def test_tags_and_metadata_are_changed_as_a_merge_patch(site: Site) -> None:
    await a_node(site)
    worker = await site.worker(tags=["a"], metadata={"x": 1})

    changed = await site.json("PATCH", worker, {"tags": ["b", "a", "b"], "name": "renamed"})
    cleared = await site.json("PATCH", worker, {"tags": None, "metadata": None})

    assert (changed["tags"], changed["metadata"], changed["name"]) == (["b", "a"], {"x": 1}, "renamed")
    assert (cleared["tags"], cleared["metadata"], cleared["name"]) == ([], {}, "renamed")
    for bad in ({"name": None}, {"tags": ["a b"]}, {"metadata": {"x": "y" * 20_000}}, {"branch": "main"}):
        assert await site.problem("PATCH", worker, bad) == (422, "invalid_request")


async def test_a_branch_is_refused_until_something_is_cloned(site: Site) -> None:
    project = await site.project()

    assert await site.problem("POST", f"{project}/workers", {"branch": "main"}) == (422, "branch_unsupported")


async def test_a_waiting_request_is_answered_when_the_worker_has_settled(site: Site) -> None:
    await a_node(site)
    project = await site.project()

    async def waited(method: str, path: str) -> Response:
        asking = asyncio.create_task(site.call(method, f"{path}?wait=30"))
        await site.harness.settle()
        assert asking.done()
        return await asking

    spawned = await waited("POST", f"{project}/workers")
    worker = spawned.headers["Location"]
    answers = [spawned, await waited("POST", f"{worker}/stop"), await waited("POST", f"{worker}/start")]
    gone = await waited("DELETE", worker)

    states = [(each.status_code, (await json_of(each))["state"]) for each in answers]
    assert states == [(201, "ready"), (200, "stopped"), (200, "ready")]
    assert gone.status_code == 204


async def test_a_wait_ends_in_time_with_the_worker_as_it_is_then(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.disconnect()
    await site.harness.settle()

    stopping = asyncio.create_task(site.call("POST", f"{worker}/stop?wait=10"))
    await site.harness.settle()
    looking = asyncio.create_task(site.call("GET", f"{worker}?wait=5"))
    await site.harness.settle()
    assert not stopping.done()
    await site.harness.advance(11)

    assert [(each.status_code, (await json_of(each))["state"]) for each in (await stopping, await looking)] == [
        (202, "stopping"),
        (200, "stopping"),
    ]


async def test_beyond_so_many_waiters_nobody_else_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 0)
    await a_node(site)
    project = await site.project()

    answer = await site.call("POST", f"{project}/workers?wait=60", {})

    assert answer.status_code == 202


async def test_commands_move_the_last_activity_once_a_minute(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    seen = []
    for _ in range(2):
        await site.harness.advance(61)
        for _ in range(2):
            await site.json("POST", f"{worker}/exec", {"command": ["true"]})
        shown = await site.json("GET", worker)
        seen.append((shown["lastActivity"]["at"], shown["lastActivity"]["source"]))
        assert (await site.json("GET", f"{worker}/stats"))["pids"]

    assert [source for _, source in seen] == ["exec", "exec"]
    assert seen[0][0] < seen[1][0]
