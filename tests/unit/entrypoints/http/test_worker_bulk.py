"""Workers stopped and destroyed by a filter, each for itself, and answered one by one."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.site import Site, a_node, id_of

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.ids import is_id
from spunto.core.kernel.paging import PageRequest
from spunto.core.workers.listing import ALL
from spunto.core.workers.views import WorkerView

GB = 2**30


async def workers_of(site: Site, project: str, *names: str, **wishes: Any) -> list[str]:
    """The paths of new ones, all of them ready."""
    return [await site.worker(project, name=name, **wishes) for name in names]


async def states(site: Site, workers: list[str]) -> list[str]:
    return [(await site.json("GET", each))["state"] for each in workers]


async def a_full_site(site: Site) -> tuple[str, list[str]]:
    """A project with the workers a, b and c; a and b have the tag `ci`."""
    await a_node(site, cpus=64, memory_bytes=64 * GB)
    project = await site.project()
    return project, [
        *await workers_of(site, project, "a", "b", tags=["ci"]),
        *await workers_of(site, project, "c"),
    ]


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopping"), ("destroy", "destroying")])
async def test_those_that_fit_are_asked_for_and_the_others_left_alone(site: Site, verb: str, state: str) -> None:
    _, workers = await a_full_site(site)
    site.harness.nodes["one"].disconnect()

    answer = await site.json("POST", f"{site.org}/workers/{verb}", {"tag": "ci"})

    assert answer == {
        "items": [
            {"id": id_of(workers[1]), "name": "b", "state": state},
            {"id": id_of(workers[0]), "name": "a", "state": state},
        ],
        "nextCursor": None,
    }
    assert await states(site, workers) == [state, state, "ready"]


@pytest.mark.parametrize(
    "asked", ["name", "nodeId", "projectId", "userId", "state", "all"], ids=lambda asked: f"by {asked}"
)
async def test_each_filter_narrows(site: Site, asked: str) -> None:
    project, workers = await a_full_site(site)
    first = await site.json("GET", workers[0])
    await site.json("POST", f"{workers[2]}/stop", status=202)
    await site.harness.settle()
    value = {"all": True, "state": "ready", "projectId": id_of(project)}.get(asked) or first[asked]

    answer = await site.json("POST", f"{site.org}/workers/destroy", {asked: value})

    expected = {"name": ["a"], "state": ["b", "a"]}.get(asked, ["c", "b", "a"])
    assert [each["name"] for each in answer["items"]] == expected


async def test_what_is_refused_is_told_beside_the_others(site: Site) -> None:
    project, [mine, *_] = await a_full_site(site)
    bob = await site.member("bob")
    bobs = await site.json("POST", f"{project}/workers", {"name": "d", "tags": ["ci"]}, status=202, by=bob)
    await site.harness.settle()
    site.harness.nodes["one"].disconnect()
    await site.json("DELETE", mine, status=202)

    by_bob = await site.json("POST", f"{site.org}/workers/stop", {"tag": "ci"}, by=bob)
    by_owner = await site.json("POST", f"{site.org}/workers/stop", {"tag": "ci"})

    told = [(each["name"], each["state"], each.get("error", {}).get("code")) for each in by_bob["items"]]
    assert told == [("d", "stopping", None), ("b", "ready", "not_owner"), ("a", "destroying", "not_owner")]
    assert by_bob["items"][0]["id"] == bobs["id"]
    told = [(each["name"], each["state"], each.get("error", {}).get("code")) for each in by_owner["items"]]
    assert told == [("d", "stopping", None), ("b", "stopping", None), ("a", "destroying", "worker_state")]


async def test_a_page_says_that_more_are_left_and_where_to_go_on(site: Site) -> None:
    await a_full_site(site)
    path = f"{site.org}/workers/destroy"

    first = await site.json("POST", path, {"all": True, "limit": 2})
    rest = await site.json("POST", path, {"all": True, "limit": 2, "cursor": first["nextCursor"]})

    assert [[each["name"] for each in page["items"]] for page in (first, rest)] == [["c", "b"], ["a"]]
    assert rest["nextCursor"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"all": False}, ""),
        ({"limit": 5}, ""),
        ({"tag": None}, ""),
        ({"all": True, "tag": "ci"}, "/all"),
        ({"state": "destroyed"}, "/state"),
        ({"state": "gone"}, "/state"),
        ({"tag": "a b"}, "/tag"),
        ({"nodeId": "one"}, "/nodeId"),
        ({"sort": "name", "all": True}, "/sort"),
        ({"all": True, "limit": 201}, "/limit"),
        ({"all": True, "cursor": "x"}, "/cursor"),
        ({"all": "true"}, "/all"),
    ],
)
async def test_nothing_is_stopped_by_what_names_nothing(site: Site, body: dict[str, Any], pointer: str) -> None:
    await a_node(site)
    worker = await site.worker(tags=["ci"])

    for verb in ("stop", "destroy"):
        refused = await site.call("POST", f"{site.org}/workers/{verb}", body)
        problem = await refused.get_json()
        assert (problem["status"], problem["code"]) == (422, "invalid_request")
        assert [each["pointer"] for each in problem["errors"]] == [pointer]
    assert await states(site, [worker]) == ["ready"]


async def test_each_step_is_audited_for_itself(site: Site) -> None:
    _, workers = await a_full_site(site)

    await site.json("POST", f"{site.org}/workers/stop", {"tag": "ci"})

    audit = await site.json("GET", f"{site.org}/audit?action=worker.stop")
    assert [each["targetId"] for each in audit["items"]] == [id_of(workers[0]), id_of(workers[1])]
    assert all(is_id(each["targetId"], "wkr") for each in audit["items"])


async def test_others_organizations_are_another_world(site: Site) -> None:
    _, workers = await a_full_site(site)
    eve = await site.house.person("eve")

    answer = await site.json("POST", f"/api/orgs/{eve.org_id}/workers/destroy", {"all": True}, by=eve)
    foreign = await site.problem("POST", f"{site.org}/workers/destroy", {"all": True}, by=eve)

    assert (answer["items"], foreign) == ([], (404, "organization_not_found"))
    assert await states(site, workers) == ["ready"] * 3


async def test_where_the_database_goes_away_the_answer_says_how_far_it_came(site: Site) -> None:
    _, workers = await a_full_site(site)
    harness, store = site.harness, site.harness._store
    assert store is not None

    async def stop_and_break(*named: Any) -> WorkerView:
        stopping = await harness.spunto.workers.stop(*named)
        store.break_down()
        return stopping

    asked = harness.owner, harness.organization.id, PageRequest(), ALL
    first = await harness.spunto.bulk._each(*asked, stop_and_break)
    with pytest.raises(Unavailable):
        await harness.spunto.bulk.stop(*asked)
    store.mend()

    assert [each.view.worker.name for each in first.items] == ["c"]
    assert first.next_before == id_of(workers[2])
