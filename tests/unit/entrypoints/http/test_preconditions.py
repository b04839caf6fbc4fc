"""What is answered with an ETag, and changed only if it is still what its asker saw."""

import asyncio
from typing import Any

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import build_house, json_of, problem_of
from tests.unit.entrypoints.http.site import Site, a_node

from spunto.core.access.policy import Action, Role
from spunto.entrypoints.http.openapi.document import endpoints_of

FAILED = (412, "precondition_failed")
UNSUPPORTED = (422, "precondition_unsupported")
KINDS = ["worker", "worker by id", "node", "project", "organization", "webhook", "user"]


async def a_thing(site: Site, kind: str) -> str:
    """The path of a new one that can be changed."""
    if kind == "organization":
        return site.org
    if kind == "user":
        return "/api/users/me"
    if kind == "webhook":
        hook = await site.json("POST", f"{site.org}/webhooks", {"url": "https://hooks.example.org/x"}, status=201)
        return f"{site.org}/webhooks/{hook['id']}"
    if kind == "project":
        return await site.project()
    node = await a_node(site)
    if kind == "node":
        return f"{site.org}/nodes/{node.id}"
    worker = await site.worker(metadata={"b": 1.5, "a": [1e3, {"z": None, "y": True}]}, tags=["b", "a"])
    return worker if kind == "worker" else f"{site.org}/workers/{worker.rpartition('/')[2]}"


def change_of(kind: str, value: str) -> dict[str, str]:
    return {"description" if kind == "webhook" else "name": value}


async def seen(site: Site, path: str) -> str:
    """The tag with its quotes."""
    return str((await site.call("GET", path)).headers["ETag"])


async def status_of(answer: Response) -> Any:
    return answer.status_code if answer.status_code < 400 else (answer.status_code, (await problem_of(answer))["code"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_has_not_changed_is_not_sent_again(site: Site, kind: str) -> None:
    path = await a_thing(site, kind)

    tag = await seen(site, path)
    again = await site.call("GET", path, headers={"If-None-Match": f'"other", {tag}'})
    head = await site.call("HEAD", path, headers={"If-None-Match": f"W/{tag}"})
    await site.json("PATCH", path, change_of(kind, "new"))
    changed = await site.call("GET", path, headers={"If-None-Match": tag})

    assert (again.status_code, await again.get_data(as_text=False), again.headers["ETag"]) == (304, b"", tag)
    assert (head.status_code, changed.status_code) == (304, 200)
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_is_made_only_to_what_its_asker_saw(site: Site, kind: str) -> None:
    path = await a_thing(site, kind)
    first = await seen(site, path)

    changed = await site.call("PATCH", path, change_of(kind, "second"), headers={"If-Match": first})
    second = changed.headers["ETag"]
    late = await site.call("PATCH", path, change_of(kind, "third"), headers={"If-Match": first})

    assert (changed.status_code, await status_of(late)) == (200, FAILED)
    assert await seen(site, path) == second != first
    assert (await site.json("GET", path))[next(iter(change_of(kind, "")))] == "second"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "user"])
async def test_nothing_is_removed_that_is_not_as_it_was_seen(site: Site, kind: str) -> None:
    path = await a_thing(site, kind)
    first = await seen(site, path)
    await site.json("PATCH", path, change_of(kind, "new"))

    late = await site.call("DELETE", path, headers={"If-Match": first})
    there = await site.call("GET", path)
    gone = await site.call("DELETE", path, headers={"If-Match": there.headers["ETag"]})

    assert (await status_of(late), there.status_code) == (FAILED, 200)
    # An organization with a node can't go, which is another matter than its tag.
    assert gone.status_code in (202, 204)


async def test_a_forced_and_an_abandoned_node_are_those_that_were_seen(site: Site) -> None:
    node = await a_node(site)
    path = f"{site.org}/nodes/{node.id}"
    first = await seen(site, path)
    await site.json("PATCH", path, {"name": "two"})

    late = [
        await site.call("DELETE", f"{path}?{how}=true", headers={"If-Match": first}) for how in ("force", "abandon")
    ]

    assert [await status_of(each) for each in late] == [FAILED, FAILED]


async def test_a_tag_changes_with_what_is_shown_though_the_worker_itself_did_not(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    project = worker.rpartition("/workers/")[0]
    tags = [await seen(site, worker)]

    await site.json("PATCH", project, {"env": {"A": "1"}})
    tags.append(await seen(site, worker))
    node.disconnect()
    await site.harness.settle()
    tags.append(await seen(site, worker))

    assert (await site.json("GET", worker))["dockerState"] == "unknown"
    assert len(set(tags)) == 3
    late = await site.call("PATCH", worker, {"name": "new"}, headers={"If-Match": tags[0]})
    assert await status_of(late) == FAILED


async def test_a_nodes_tag_changes_with_its_presence_and_with_what_it_holds(site: Site) -> None:
    node = await a_node(site)
    path = f"{site.org}/nodes/{node.id}"
    tags = [await seen(site, path)]

    await site.worker()
    tags.append(await seen(site, path))
    node.disconnect()
    await site.harness.settle()
    tags.append(await seen(site, path))

    assert len(set(tags)) == 3


async def test_an_admin_changes_a_worker_whose_set_up_said_something(site: Site) -> None:
    await a_node(site)
    admin = await site.member("bob", role=Role.ADMIN)
    worker = await site.worker(await site.project(post_create_command="echo hello"))
    shown = await site.call("GET", worker, by=admin)
    assert "outputTail" in (await json_of(shown))["setupStatus"]["postCreate"]

    changed = await site.call("PATCH", worker, {"name": "b"}, by=admin, headers={"If-Match": shown.headers["ETag"]})
    again = await site.call("GET", worker, by=admin)

    assert (changed.status_code, changed.headers["ETag"]) == (200, again.headers["ETag"])
    assert "outputTail" not in (await json_of(changed))["setupStatus"]["postCreate"]


async def test_of_many_who_saw_the_same_one_changes_it(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    held = {"If-Match": await seen(site, worker)}

    answers = await asyncio.gather(
        *(site.call("PATCH", worker, {"name": f"name-{number}"}, headers=held) for number in range(8))
    )

    assert sorted([await status_of(each) for each in answers], key=str) == [FAILED] * 7 + [200]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("*", 200),
        ('"other", {tag}', 200),
        ('"other"', FAILED),
        # Of a weak tag nobody knows whether all is as it was.
        ("W/{tag}", FAILED),
        ("", (400, "invalid_if_match")),
        ('"unclosed', (400, "invalid_if_match")),
    ],
)
async def test_if_match_is_read_as_http_has_it(site: Site, given: str, expected: Any) -> None:
    path = await a_thing(site, "project")
    tag = await seen(site, path)

    answer = await site.call("PATCH", path, {"name": "new"}, headers={"If-Match": given.format(tag=tag)})

    assert await status_of(answer) == expected


async def test_what_is_not_there_is_not_there_whatever_was_seen(site: Site) -> None:
    path = await a_thing(site, "project")
    await site.call("DELETE", path)

    answer = await site.call("PATCH", path, {"name": "new"}, headers={"If-Match": "*"})

    assert await status_of(answer) == (404, "project_not_found")


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("POST", "{worker}/stop", "If-Match"),
        ("POST", "{worker}/exec", "If-Match"),
        ("POST", "{org}/projects", "If-None-Match"),
        ("PATCH", "{org}/members/{me}", "If-Match"),
        ("PATCH", "{worker}", "If-Unmodified-Since"),
        ("PATCH", "{worker}", "If-None-Match"),
        ("DELETE", "{worker}", "If-Unmodified-Since"),
        ("GET", "{worker}", "If-Match"),
        ("GET", "{org}/workers", "If-Match"),
    ],
)
async def test_a_condition_that_can_not_be_honoured_is_refused(site: Site, method: str, path: str, header: str) -> None:
    await a_node(site)
    named = {"worker": await site.worker(), "org": site.org, "me": site.owner.user_id}

    answer = await site.call(method, path.format(**named), headers={header: "*"})

    assert await status_of(answer) == UNSUPPORTED
    assert (await site.json("GET", named["worker"]))["state"] == "ready"


async def test_whoever_says_nothing_of_a_condition_changes_what_is_there(site: Site) -> None:
    path = await a_thing(site, "project")
    await seen(site, path)
    await site.json("PATCH", path, {"name": "second"})

    assert (await site.json("PATCH", path, {"name": "third"}))["name"] == "third"


def test_all_that_is_read_alone_and_can_be_changed_has_a_tag() -> None:
    endpoints = {(each.method, each.path): each for each in endpoints_of(build_house().app)}
    changed = {path for method, path in endpoints if method == "PATCH"}

    for (method, path), each in endpoints.items():
        # A worker's file is written whole: there is no PATCH of it.
        is_one = (path in changed and ("GET", path) in endpoints) or path.endswith("/files")
        assert each.operation.tagged is (is_one and isinstance(each.access, Action)), (method, path)


async def test_limits_that_two_set_at_once_are_both_set(site: Site) -> None:
    node = await a_node(site)
    path = f"{site.org}/nodes/{node.id}"

    await asyncio.gather(
        site.json("PATCH", path, {"limits": {"cpus": 2}}),
        site.json("PATCH", path, {"limits": {"memoryBytes": 2**30}}),
    )

    assert (await site.json("GET", path))["limits"] == {"cpus": 2.0, "memoryBytes": 2**30}
