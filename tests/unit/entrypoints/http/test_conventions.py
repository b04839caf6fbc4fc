"""What holds for every operation alike: names, parameters, repeats, limits, and where things are."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import build_house, json_of, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, open_site

from spunto.core.access.policy import Action
from spunto.core.kernel.buckets import Rate
from spunto.entrypoints.http.openapi.document import endpoints_of
from spunto.entrypoints.serving.limits import Limit

ENDPOINTS = {f"{each.method} {each.path}": each for each in endpoints_of(build_house().app)}

# Whose effect the same request can't have twice, or that nothing remembers.
KEYLESS_POSTS = {
    "POST /api/auth/logout",
    "POST /device",
    "POST /invites/{token}",
    # A digest of a short value would give the value away.
    "POST /api/users/me/secrets",
    "POST /api/orgs/{orgId}/secrets",
    # What fits the filter is another matter at every request.
    "POST /api/orgs/{orgId}/workers/stop",
    "POST /api/orgs/{orgId}/workers/destroy",
    # A repeat keeps the worker for as long again from then on.
    "POST /api/orgs/{orgId}/projects/{projectId}/workers/{workerId}/keep-alive",
    "POST /api/orgs/{orgId}/workers/{workerId}/keep-alive",
    # The second finds nothing to move, and says so.
    "POST /api/orgs/{orgId}/projects/{projectId}/workers/{workerId}/files/move",
    "POST /api/orgs/{orgId}/workers/{workerId}/files/move",
    # What it did can't be told again before commands have ids.
    "POST /api/orgs/{orgId}/projects/{projectId}/workers/{workerId}/exec",
    "POST /api/orgs/{orgId}/workers/{workerId}/exec",
}


def test_every_post_that_makes_starts_or_runs_something_takes_an_idempotency_key() -> None:
    posts = {name for name, each in ENDPOINTS.items() if each.method == "POST" and isinstance(each.access, Action)}

    assert {name for name in posts if not ENDPOINTS[name].operation.idempotent} == KEYLESS_POSTS


@pytest.mark.parametrize("name", sorted(name for name in ENDPOINTS if name.partition(" ")[0] != "GET"))
async def test_a_key_that_can_not_be_honoured_is_refused(name: str) -> None:
    endpoint = ENDPOINTS[name]
    if endpoint.operation.idempotent or not isinstance(endpoint.access, Action):
        assert "idempotency_key_unsupported" not in endpoint.codes
    else:
        assert "idempotency_key_unsupported" in endpoint.codes


async def test_a_command_with_a_key_is_refused_before_it_runs(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    refused = await site.problem("POST", f"{worker}/exec", {"command": ["true"]}, headers={"Idempotency-Key": "1"})
    patched = await site.problem("PATCH", worker, {"name": "b"}, headers={"Idempotency-Key": "1"})

    assert refused == patched == (422, "idempotency_key_unsupported")


@pytest.mark.parametrize("step", ["stop", "start"])
async def test_a_repeated_step_gives_the_first_answer_also_when_the_worker_is_gone(site: Site, step: str) -> None:
    await a_node(site)
    worker = await site.worker()
    if step == "start":
        await site.json("POST", f"{worker}/stop", status=202)
        await site.harness.settle()
    key = {"Idempotency-Key": "1"}
    first = await site.call("POST", f"{worker}/{step}", headers=key)
    await site.harness.settle()
    await site.json("DELETE", worker, status=202)
    await site.harness.settle()

    again = await site.call("POST", f"{worker}/{step}", headers=key)

    assert (again.status_code, again.headers["Location"]) == (202, worker)
    assert await again.get_data(as_text=False) == await first.get_data(as_text=False)


async def test_a_repeated_spawn_gives_the_first_answer_also_after_a_destroy(site: Site) -> None:
    await a_node(site)
    project, key = await site.project(), {"Idempotency-Key": "1"}
    first = await site.json("POST", f"{project}/workers", {}, status=202, headers=key)
    await site.harness.settle()
    await site.json("DELETE", f"{project}/workers/{first['id']}", status=202)
    await site.harness.settle()

    again = await site.json("POST", f"{project}/workers", {}, status=202, headers=key)

    assert again == first
    assert (await site.json("GET", f"{project}/workers"))["items"] == []


async def test_a_repeated_stop_does_not_stop_what_was_started_since(site: Site) -> None:
    await a_node(site)
    worker, key = await site.worker(), {"Idempotency-Key": "1"}
    await site.json("POST", f"{worker}/stop", status=202, headers=key)
    await site.harness.settle()
    await site.json("POST", f"{worker}/start", status=202)
    await site.harness.settle()

    await site.json("POST", f"{worker}/stop", status=202, headers=key)
    await site.harness.settle()

    assert (await site.json("GET", worker))["state"] == "ready"


async def test_a_repeated_drain_does_not_drain_again(site: Site) -> None:
    node = f"{site.org}/nodes/{(await a_node(site)).id}"
    key = {"Idempotency-Key": "1"}
    first = await site.json("POST", f"{node}/drain", headers=key)
    await site.json("POST", f"{node}/undrain")

    again = await site.json("POST", f"{node}/drain", headers=key)

    assert again == first
    assert (await site.json("GET", node))["draining"] is False


async def test_what_is_shown_once_is_not_shown_again(site: Site) -> None:
    node = (await a_node(site)).id
    asked: list[tuple[str, Any]] = [
        ("nodes", {"name": "another"}),
        (f"nodes/{node}/token", None),
        ("api-keys", {"name": "k", "ownerType": "user", "scopes": ["org:read"]}),
        ("webhooks", {"url": "https://hooks.example.org/x"}),
    ]
    key = {"Idempotency-Key": "1"}

    answers = []
    for path, body in asked:
        first = await site.call("POST", f"{site.org}/{path}", body, headers=key)
        again = await problem_of(await site.call("POST", f"{site.org}/{path}", body, headers=key))
        answers.append((first.status_code // 100, again["code"], again["id"] in await first.get_data(as_text=True)))

    assert answers == [(2, "token_not_repeatable", True)] * len(asked)


@pytest.mark.parametrize("path", ["", "/nodes/{node}", "/nodes/{node}/inventory", "/projects/{project}"])
async def test_a_query_that_nothing_reads_is_refused(site: Site, path: str) -> None:
    node, project = (await a_node(site)).id, (await site.project()).rpartition("/")[2]

    answered = await site.call("GET", f"{site.org}{path.format(node=node, project=project)}?explain=true")

    problem = await problem_of(answered)
    assert (problem["status"], problem["code"], problem["errors"][0]["pointer"]) == (400, "invalid_query", "/explain")


@pytest.mark.parametrize("name", ["a/b", "\u200b", "a\u202eb", ""])
@pytest.mark.parametrize("path", ["projects", "nodes", "api-keys", "workers", "org"])
async def test_a_name_that_can_not_be_seen_or_typed_is_refused_with_the_reason(
    site: Site, path: str, name: str
) -> None:
    await a_node(site)
    body: dict[str, Any] = {"name": name}
    address = f"{site.org}/{path}"
    if path == "projects":
        body["image"] = "debian"
    elif path == "api-keys":
        body |= {"ownerType": "user", "scopes": ["org:read"]}
    elif path == "workers":
        address = f"{await site.project()}/workers"
    elif path == "org":
        address = "/api/orgs"

    problem = await problem_of(await site.call("POST", address, body))

    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert [each["message"] for each in problem["errors"] if each["message"].startswith("The name must")]


@pytest.mark.parametrize("count", [100, 101, 90_000])
async def test_no_more_than_a_hundred_faults_of_a_body_are_named(site: Site, count: int) -> None:
    faulty = {f"k{number}": 1 for number in range(count)}

    problem = await problem_of(await site.call("PATCH", await site.project(), faulty))

    pointers = [each["pointer"] for each in problem["errors"]]
    assert problem["code"] == "invalid_request"
    assert pointers == ([f"/{name}" for name in faulty] if count <= 100 else [""])
    assert count <= 100 or str(count) in problem["errors"][0]["message"]


async def test_every_answer_tells_what_is_left_of_the_scarcest_limit() -> None:
    rates = {Limit.API: Rate(per_second=1, burst=10), Limit.ENTER: Rate(per_second=1, burst=2)}
    async with open_site(rates=rates) as site:
        await a_node(site)
        worker = await site.worker()
        listed = await site.call("GET", site.org)
        ran = [await site.call("POST", f"{worker}/exec", {"command": ["true"]}) for _ in range(3)]

    told = [[each.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] for each in (listed, *ran)]
    assert told == [["10", "7", "3"], ["2", "1", "1"], ["2", "0", "2"], ["2", "0", "1"]]
    assert [each.status_code for each in ran] == [200, 200, 429]


async def test_what_is_made_says_where_it_is(site: Site) -> None:
    made = [
        await site.call("POST", "/api/orgs", {"name": "other"}),
        await site.call("POST", f"{site.org}/projects", {"name": "p", "image": "debian"}),
        await site.call("POST", f"{site.org}/nodes", {"name": "n"}),
    ]

    for answer in made:
        body = await json_of(answer)
        found = await site.json("GET", answer.headers["Location"])
        assert found["id"] == body.get("node", body)["id"]
