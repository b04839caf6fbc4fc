"""Workers over HTTP: from spawn to destroy."""

import pytest
from tests.unit.entrypoints.http.house import json_of, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, id_of, without

from spunto.core.access.policy import Role
from spunto.core.kernel.ids import bare


async def test_a_spawned_worker_is_answered_at_once_with_every_field(site: Site) -> None:
    node = await a_node(site)
    project = await site.project()

    wanted = {"name": "mine", "tags": ["ci", "ci"], "metadata": {"pr": 7}}
    worker = await site.json("POST", f"{project}/workers", wanted, status=202)

    assert worker == {
        "id": worker["id"],
        "projectId": id_of(project),
        "orgId": site.owner.org_id,
        "userId": site.owner.user_id,
        "index": 1,
        "name": "mine",
        "state": "spawning",
        "setupStatus": worker["setupStatus"],
        "dockerState": "unknown",
        "projectVersion": 1,
        "outdated": False,
        "nodeId": node.id,
        "containerId": None,
        "urls": {
            "code": f"http://worker-1-{bare(worker['id'])}-code.w.localhost:8000",
            "port": f"http://worker-1-{bare(worker['id'])}-{{port}}.w.localhost:8000",
        },
        "tags": ["ci"],
        "metadata": {"pr": 7},
        "lastActivity": {"at": "2026-01-01T00:00:00Z", "source": "spawn"},
        "idleTimeoutSeconds": None,
        "keptUntil": None,
        "stopsAt": None,
        "stopReason": None,
        "error": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "stoppedAt": None,
    }


async def test_a_worker_lives_from_spawn_to_destroy(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    seen = [await site.json("GET", worker)]
    for step in ("stop", "start"):
        asked = await site.json("POST", f"{worker}/{step}", status=202)
        await site.harness.settle()
        seen += [asked, await site.json("GET", worker)]
    destroying = await site.json("DELETE", worker, status=202)
    await site.harness.settle()

    assert [(each["state"], each["dockerState"]) for each in (*seen, destroying)] == [
        ("ready", "running"),
        ("stopping", "running"),
        ("stopped", "stopped"),
        ("starting", "stopped"),
        ("ready", "running"),
        ("destroying", "running"),
    ]
    assert seen[2]["stoppedAt"] is not None
    assert seen[4]["stoppedAt"] is None
    assert await site.problem("GET", worker) == (404, "worker_not_found")


async def test_asking_twice_changes_nothing(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    # What it would report between the two is not what is asked here.
    node.disconnect()

    again = await site.json("POST", f"{worker}/start", status=202)
    stopping = [await site.json("POST", f"{worker}/stop", status=202) for _ in range(2)]
    destroying = [await site.json("DELETE", worker, status=202) for _ in range(2)]

    assert again["state"] == "ready"
    assert stopping[0] == stopping[1]
    assert destroying[0] == destroying[1]


async def test_a_worker_that_is_being_destroyed_can_not_be_called_back(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.disconnect()
    await site.harness.settle()

    destroying = await site.json("DELETE", worker, status=202)

    assert destroying["state"] == "destroying"
    for step in ("start", "stop"):
        assert await site.problem("POST", f"{worker}/{step}") == (409, "worker_state")


async def test_the_same_key_and_body_spawn_one_worker(site: Site) -> None:
    await a_node(site)
    project = await site.project()
    key = {"Idempotency-Key": "spawn-1"}

    first = await site.json("POST", f"{project}/workers", {"name": "a"}, status=202, headers=key)
    again = await site.json("POST", f"{project}/workers", {"name": "a"}, status=202, headers=key)
    other = await site.problem("POST", f"{project}/workers", {"name": "b"}, headers=key)

    assert (again["id"], other) == (first["id"], (422, "idempotency_key_reused"))
    assert len((await site.json("GET", f"{project}/workers"))["items"]) == 1


async def test_a_key_is_its_caller_s_own(site: Site) -> None:
    await a_node(site)
    project = await site.project()
    bob = await site.member("bob")
    key = {"Idempotency-Key": "1"}

    mine = await site.json("POST", f"{project}/workers", {}, status=202, headers=key)
    bobs = await site.json("POST", f"{project}/workers", {}, status=202, headers=key, by=bob)

    assert (mine["userId"], bobs["userId"]) == (site.owner.user_id, bob.user_id)


@pytest.mark.parametrize("key", ["", "a b", "\u00e9", "x" * 256])
async def test_an_odd_key_is_refused(site: Site, key: str) -> None:
    project = await site.project()

    assert await site.problem("POST", f"{project}/workers", {}, headers={"Idempotency-Key": key}) == (
        400,
        "invalid_idempotency_key",
    )


async def test_workers_come_in_pages_newest_first_that_stand_while_more_are_spawned(site: Site) -> None:
    await a_node(site, cpus=8)
    project = await site.project(memory_bytes=64 * 1024**2)
    for number in range(5):
        await site.worker(project, name=f"w{number}")

    first = await site.json("GET", f"{project}/workers?limit=2")
    await site.worker(project, name="later")
    second = await site.json("GET", f"{project}/workers?limit=200&cursor={first['nextCursor']}")

    assert [each["name"] for each in (*first["items"], *second["items"])] == ["w4", "w3", "w2", "w1", "w0"]
    assert second["nextCursor"] is None


async def test_a_listed_worker_is_as_the_one_that_is_looked_at_whatever_happens_to_it(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    workers = worker.rpartition("/")[0]

    async def both() -> tuple[object, object]:
        return (await site.json("GET", workers))["items"], [await site.json("GET", worker)]

    running = await both()
    await site.json("PATCH", workers.rpartition("/")[0], {"env": {"A": "1"}})
    outdated = await both()
    node.disconnect()
    await site.harness.settle()
    unreachable = await both()

    assert [left == right for left, right in (running, outdated, unreachable)] == [True, True, True]
    assert running != outdated != unreachable


async def test_a_worker_says_that_its_project_has_a_newer_version(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    await site.json("PATCH", worker.partition("/workers")[0], {"env": {"A": "1"}})

    shown = await site.json("GET", worker)
    assert (shown["projectVersion"], shown["outdated"]) == (1, True)


async def test_while_its_node_is_away_a_worker_is_unknown_and_still_ready(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()

    node.disconnect()
    await site.harness.advance(3600)

    shown = await site.json("GET", worker)
    assert (shown["state"], shown["dockerState"]) == ("ready", "unknown")


async def test_why_a_worker_is_as_it_is_is_told_when_asked(site: Site) -> None:
    node = await a_node(site, published=["slow"])
    node.engine.hold_pulls()
    project = await site.project(image="slow")
    spawned = await site.json("POST", f"{project}/workers", {}, status=202)
    await site.harness.advance(1)

    explained = await site.json("GET", f"{project}/workers/{spawned['id']}?explain=true")
    plain = await site.json("GET", f"{project}/workers/{spawned['id']}?explain=false")

    assert without(explained, "explanation") == plain
    assert without(explained["explanation"], "observed", "next") == {
        "wanted": "running",
        "generation": 1,
        "wantedSince": "2026-01-01T00:00:00Z",
        "blocking": None,
        "since": "2026-01-01T00:00:00Z",
        "nextAt": "2026-01-01T00:15:00Z",
    }
    assert without(explained["explanation"]["observed"], "at") == {
        "generation": 1,
        "phase": "pulling",
        "containerId": None,
        "containerState": "not_found",
        "exitCode": None,
        "error": None,
    }


async def test_a_worker_is_renamed_unless_the_name_is_taken(site: Site) -> None:
    await a_node(site)
    project = await site.project()
    first, second = await site.worker(project, name="a"), await site.worker(project, name="b")

    renamed = await site.json("PATCH", first, {"name": "c"})

    assert (renamed["name"], (await site.json("GET", first))["name"]) == ("c", "c")
    assert await site.problem("PATCH", second, {"name": "c"}) == (409, "worker_name_taken")
    assert await site.problem("POST", f"{project}/workers", {"name": "c"}) == (409, "worker_name_taken")
    assert await site.problem("PATCH", first, {"name": None}) == (422, "invalid_request")
    assert await site.problem("PATCH", first, {"state": "ready"}) == (422, "invalid_request")


async def test_impossible_resources_are_refused_with_each_node_s_reason(site: Site) -> None:
    await a_node(site, "small", cpus=2)
    await a_node(site, "labelled", labels={"zone": "a"})
    project = await site.project(cpu_millis=64_000, labels={"zone": "b"})

    response = await site.call("POST", f"{project}/workers", {})

    problem = await response.get_json(force=True)
    assert (response.status_code, problem["code"]) == (409, "no_node_available")
    assert [set(each) for each in problem["nodes"]] == [{"nodeId", "name", "reason"}] * 2
    assert {each["name"] for each in problem["nodes"]} == {"small", "labelled"}
    assert all(each["reason"] for each in problem["nodes"])


async def test_without_a_node_the_way_out_is_told(site: Site) -> None:
    project = await site.project()

    problem = await (await site.call("POST", f"{project}/workers", {})).get_json(force=True)

    assert (problem["code"], problem["nodes"]) == ("no_node_available", [])
    assert "add one" in problem["detail"]


async def test_a_worker_can_be_put_on_a_node_by_its_id(site: Site) -> None:
    await a_node(site, "one")
    two = await a_node(site, "two")
    stranger = await site.house.person("eve")
    foreign = await json_of(
        await site.house.call(stranger, "POST", f"/api/orgs/{stranger.org_id}/nodes", {"name": "x"})
    )
    project = await site.project()

    worker = await site.worker(project, nodeId=two.id)

    assert (await site.json("GET", worker))["nodeId"] == two.id
    refused = await problem_of(await site.call("POST", f"{project}/workers", {"nodeId": foreign["node"]["id"]}))
    assert (refused["status"], [each["pointer"] for each in refused["errors"]]) == (422, ["/nodeId"])


async def test_an_image_that_does_not_exist_is_an_error_in_the_engine_s_words_with_a_way_out(site: Site) -> None:
    await a_node(site)
    project = await site.project(image="registry.example/none:1")
    spawned = await site.json("POST", f"{project}/workers", {}, status=202)
    await site.harness.settle()

    shown = await site.json("GET", f"{project}/workers/{spawned['id']}")

    assert (shown["state"], shown["error"]["code"]) == ("error", "image_not_found")
    assert "manifest unknown" in shown["error"]["message"]
    assert "start" in shown["error"]["message"]


async def test_members_act_on_their_own_workers_and_admins_on_everybody_s(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    bob, ada = await site.member("bob"), await site.member("ada", role=Role.ADMIN)

    assert await site.json("GET", worker, by=bob)
    for method, below in (("POST", "/stop"), ("POST", "/start"), ("DELETE", "")):
        assert await site.problem(method, f"{worker}{below}", by=bob) == (403, "not_owner")
    assert await site.problem("PATCH", worker, {"name": "x"}, by=bob) == (403, "not_owner")
    assert await site.json("POST", f"{worker}/stop", status=202, by=ada)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_worker_is_unknown_in_another_organization_or_project(site: Site, method: str) -> None:
    await a_node(site)
    worker = await site.worker()
    stranger = await site.house.person("eve")
    other = await site.project("other")
    body = {"name": "x"} if method == "PATCH" else None
    worker_id = id_of(worker)

    assert await site.problem(method, worker, body, by=stranger) == (404, "organization_not_found")
    assert await site.problem(method, f"{other}/workers/{worker_id}", body) == (404, "worker_not_found")
    assert await site.problem(method, f"{other}/workers/{worker_id.upper()}", body) == (404, "worker_not_found")


async def test_a_project_with_workers_is_not_deleted(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    project = worker.partition("/workers")[0]

    refused = await site.problem("DELETE", project)
    await site.json("DELETE", worker, status=202)
    await site.harness.settle()

    assert refused[0] == 409
    assert (await site.call("DELETE", project)).status_code == 204
