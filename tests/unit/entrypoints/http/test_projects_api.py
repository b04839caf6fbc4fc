"""Organizations and projects over HTTP."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import House, Person, json_of, problem_of

from spunto.core.access.policy import Role


async def a_project(house: House, person: Person, **body: Any) -> dict[str, Any]:
    response = await house.call(
        person, "POST", f"/api/orgs/{person.org_id}/projects", {"name": "hello", "image": "debian", **body}
    )
    assert response.status_code == 201
    project: dict[str, Any] = await json_of(response)
    return project


def path_of(project: dict[str, Any]) -> str:
    return f"/api/orgs/{project['orgId']}/projects/{project['id']}"


async def test_a_new_project_has_every_field(house: House) -> None:
    ann = await house.person("ann")

    project = await a_project(
        house,
        ann,
        env={"A": "1"},
        cpus=0.5,
        labels={"zone": "a"},
        postStartCommand="make",
        tags=["ci", "ci"],
        metadata={"pr": 7},
    )

    made_at = "2026-01-01T00:00:00Z"
    assert project == {
        "id": project["id"],
        "orgId": ann.org_id,
        "name": "hello",
        "description": "",
        "createdBy": ann.user_id,
        "image": "debian",
        "env": {"A": "1"},
        "cpus": 0.5,
        "memoryBytes": 1024**3,
        "labels": {"zone": "a"},
        "postCreateCommand": None,
        "postStartCommand": "make",
        "secrets": [],
        "version": 1,
        "tags": ["ci"],
        "metadata": {"pr": 7},
        "sharing": {},
        "idleTimeoutSeconds": None,
        "createdAt": made_at,
        "updatedAt": made_at,
    }
    assert await json_of(await house.call(ann, "GET", path_of(project))) == project


@pytest.mark.parametrize("image", ["a//b", "https://registry.example/x/y:1", "Debian", "a b", ""])
async def test_an_image_that_is_no_name_is_refused_with_the_reason(house: House, image: str) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)

    made = await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/projects", {"name": "other", "image": image})
    changed = await house.call(ann, "PATCH", path_of(project), {"image": image})

    for response in (made, changed):
        problem = await problem_of(response)
        assert problem["status"] == 422
        assert [each["pointer"] for each in problem["errors"]] == ["/image"]
        assert problem["errors"][0]["message"].startswith("The image ")


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"name": "other"}, {"name": "other"}),
        ({"description": None}, {"description": ""}),
        ({"env": {"B": "2"}}, {"env": {"A": "1", "B": "2"}, "version": 2}),
        ({"env": {"A": None}}, {"env": {}, "version": 2}),
        ({"env": {}}, {}),
        ({"env": None}, {"env": {}, "version": 2}),
        ({"cpus": None}, {"cpus": 1.0, "version": 2}),
        ({"memoryBytes": 2**30}, {}),
        ({"postStartCommand": None}, {"postStartCommand": None, "version": 2}),
        ({"secrets": ["B", "A", "B"]}, {"secrets": ["B", "A"], "version": 2}),
        ({"secrets": ["TOKEN"]}, {}),
        ({"secrets": None}, {"secrets": [], "version": 2}),
        ({"tags": ["b", "a", "b"]}, {"tags": ["b", "a"]}),
        ({"tags": None}, {"tags": []}),
        ({"metadata": {"y": 2}}, {"metadata": {"y": 2}}),
        ({"metadata": None}, {"metadata": {}}),
    ],
)
async def test_a_patch_changes_what_it_names_and_null_clears(
    house: House, patch: dict[str, Any], changed: dict[str, Any]
) -> None:
    ann = await house.person("ann")
    project = await a_project(
        house,
        ann,
        description="d",
        env={"A": "1"},
        cpus=2,
        postStartCommand="make",
        secrets=["TOKEN"],
        tags=["a"],
        metadata={"x": 1},
    )

    patched = await json_of(await house.call(ann, "PATCH", path_of(project), patch))

    assert patched == {**project, **changed}


@pytest.mark.parametrize("field", ["name", "image"])
async def test_what_a_project_must_have_can_not_be_cleared(house: House, field: str) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)

    problem = await problem_of(await house.call(ann, "PATCH", path_of(project), {field: None}))

    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, f"/{field}")


async def test_patches_can_not_pile_up_more_env_than_a_node_could_be_told(house: House) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann, env={"A": "x" * 40_000})

    problem = await problem_of(await house.call(ann, "PATCH", path_of(project), {"env": {"B": "x" * 40_000}}))

    assert (problem["status"], problem["code"]) == (422, "env_too_large")


async def test_an_earlier_version_is_restored_as_a_new_one(house: House) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)
    await house.call(ann, "PATCH", path_of(project), {"image": "ubuntu"})

    restored = await json_of(await house.call(ann, "POST", f"{path_of(project)}/versions/v1/restore"))
    versions = await json_of(await house.call(ann, "GET", f"{path_of(project)}/versions?limit=2"))
    older = await json_of(
        await house.call(ann, "GET", f"{path_of(project)}/versions?limit=2&cursor={versions['nextCursor']}")
    )

    assert (restored["version"], restored["image"]) == (3, "debian")
    shown = [(each["version"], each["image"], each["restoredFrom"]) for each in versions["items"] + older["items"]]
    assert shown == [(3, "debian", 1), (2, "ubuntu", None), (1, "debian", None)]


@pytest.mark.parametrize("number", ["0", "9", "v9", "x", "-1", "1.0", "99999999999999999999", "٣"])
async def test_a_version_that_is_not_there_is_not_found(house: House, number: str) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)

    problem = await problem_of(await house.call(ann, "POST", f"{path_of(project)}/versions/{number}/restore"))

    assert (problem["status"], problem["code"]) == (404, "project_version_not_found")


async def test_the_same_key_and_body_makes_one_project_and_another_body_is_refused(house: House) -> None:
    ann = await house.person("ann")
    projects = f"/api/orgs/{ann.org_id}/projects"
    key = {"Idempotency-Key": "once"}

    first = await json_of(await house.call(ann, "POST", projects, b'{"name": "a", "image": "debian"}', headers=key))
    again = await json_of(await house.call(ann, "POST", projects, b'{"image":"debian","name":"a"}', headers=key))
    other = await problem_of(await house.call(ann, "POST", projects, {"name": "b", "image": "debian"}, headers=key))

    assert first == again
    assert (other["status"], other["code"]) == (422, "idempotency_key_reused")


async def test_a_repeated_restore_makes_one_version(house: House) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)
    await house.call(ann, "PATCH", path_of(project), {"image": "another"})
    restore, key = f"{path_of(project)}/versions/1/restore", {"Idempotency-Key": "once"}

    answers = [await json_of(await house.call(ann, "POST", restore, headers=key)) for _ in range(2)]

    assert [answer["version"] for answer in answers] == [3, 3]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
async def test_an_odd_idempotency_key_is_malformed(house: House, key: str) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, "POST", "/api/orgs", {"name": "a"}, headers={"Idempotency-Key": key})

    assert (await problem_of(response))["code"] == "invalid_idempotency_key"


async def test_a_deleted_project_is_gone(house: House) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)

    deleted = await house.call(ann, "DELETE", path_of(project))

    assert (deleted.status_code, await deleted.get_data(as_text=False)) == (204, b"")
    assert (await problem_of(await house.call(ann, "GET", path_of(project))))["code"] == "project_not_found"


async def test_members_are_listed_with_their_roles(house: House) -> None:
    ann = await house.person("ann")
    await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)

    members = await json_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/members"))

    assert [(each["name"], each["role"]) for each in members["items"]] == [("bob", "member"), ("ann", "owner")]


@pytest.mark.parametrize(("names", "code"), [(["token"], "invalid_request"), (["PATH"], "secret_name_reserved")])
async def test_a_project_names_only_what_a_secret_may_be_called(house: House, names: list[str], code: str) -> None:
    ann = await house.person("ann")
    project = await a_project(house, ann)

    for method, path, body in (
        ("PATCH", path_of(project), {"secrets": names}),
        ("POST", f"/api/orgs/{ann.org_id}/projects", {"name": "other", "image": "debian", "secrets": names}),
    ):
        problem = await problem_of(await house.call(ann, method, path, body))
        assert (problem["status"], problem["code"]) == (422, code)
