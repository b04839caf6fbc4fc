"""Organizations and their members over HTTP."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import House, json_of, problem_of

from spunto.core.access.policy import Role

MADE_AT = "2026-01-01T00:00:00Z"


async def test_an_organization_is_renamed_by_a_merge_patch(house: House) -> None:
    ann = await house.person("ann")
    path = f"/api/orgs/{ann.org_id}"

    changed = await json_of(await house.call(ann, "PATCH", path, {"name": "Ann & Co"}))

    assert changed == {"id": ann.org_id, "name": "Ann & Co", "slug": "ann", "role": "owner", "createdAt": MADE_AT}
    assert await json_of(await house.call(ann, "GET", path)) == changed


@pytest.mark.parametrize(
    "body", [{"name": None}, {"slug": None}, {"slug": "Not A Slug"}, {"name": ""}, {"owner": "me"}, {"id": "org_1"}]
)
async def test_a_patch_that_can_not_be_is_refused(house: House, body: dict[str, Any]) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "PATCH", f"/api/orgs/{ann.org_id}", body))

    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, f"/{next(iter(body))}")


async def test_a_slug_of_somebody_else_is_taken(house: House) -> None:
    ann, _ = await house.person("ann"), await house.person("bob")

    problem = await problem_of(await house.call(ann, "PATCH", f"/api/orgs/{ann.org_id}", {"slug": "bob"}))

    assert (problem["status"], problem["code"]) == (409, "slug_taken")


async def test_an_organization_that_holds_something_says_what(house: House) -> None:
    ann = await house.person("ann")
    path = f"/api/orgs/{ann.org_id}"
    await house.call(ann, "POST", f"{path}/projects", {"name": "hello", "image": "debian"})

    problem = await problem_of(await house.call(ann, "DELETE", path))

    assert (problem["status"], problem["code"], problem["holds"]) == (409, "organization_not_empty", {"projects": 1})


async def test_an_organization_that_is_deleted_is_nowhere(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)

    deleted = await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}")

    assert deleted.status_code == 204
    for person in (ann, bob):
        assert (await house.call(person, "GET", f"/api/orgs/{ann.org_id}")).status_code == 404
        assert (await json_of(await house.call(person, "GET", "/api/orgs")))["items"] == []


async def test_a_role_is_changed_and_listed(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    members = f"/api/orgs/{ann.org_id}/members"

    changed = await json_of(await house.call(ann, "PATCH", f"{members}/{bob.user_id}", {"role": "admin"}))

    assert changed == {
        "userId": bob.user_id,
        "name": "bob",
        "email": "bob@example.org",
        "role": "admin",
        "joinedAt": MADE_AT,
    }
    listed = (await json_of(await house.call(bob, "GET", members)))["items"]
    assert [(each["name"], each["role"]) for each in listed] == [("bob", "admin"), ("ann", "owner")]


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": "admin", "name": "x"}])
async def test_a_role_that_is_none_is_refused(house: House, body: dict[str, Any]) -> None:
    ann = await house.person("ann")

    answer = await house.call(ann, "PATCH", f"/api/orgs/{ann.org_id}/members/{ann.user_id}", body)

    assert (await problem_of(answer))["status"] == 422


async def test_a_removed_member_is_a_stranger_at_once(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    assert (await house.call(bob, "GET", f"/api/orgs/{ann.org_id}")).status_code == 200

    removed = await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}/members/{bob.user_id}")

    assert removed.status_code == 204
    assert (await house.call(bob, "GET", f"/api/orgs/{ann.org_id}")).status_code == 404


async def test_foreign_missing_and_malformed_members_are_not_found(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    codes = []
    for user_id in (bob.user_id, "usr_00000000000000000000000000", "nobody"):
        for method, body in (("PATCH", {"role": "admin"}), ("DELETE", None)):
            answer = await house.call(ann, method, f"/api/orgs/{ann.org_id}/members/{user_id}", body)
            problem = await problem_of(answer)
            codes.append((problem["status"], problem["code"]))

    assert codes == [(404, "member_not_found")] * 4 + [(404, "user_not_found")] * 2
