"""API keys over HTTP: shown once, used as Bearer, refused what their scopes don't cover."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.entrypoints.http.house import House, Person, json_of, problem_of
from tests.unit.entrypoints.http.site import without

from spunto.core.access.policy import Role, Scope


async def make(house: House, person: Person, **wishes: Any) -> dict[str, Any]:
    asked = {"name": "CI", "scopes": ["workers:read"], **wishes}
    response = await house.call(person, "POST", f"/api/orgs/{person.org_id}/api-keys", asked)
    assert response.status_code == 201, await response.get_data(as_text=True)
    made: dict[str, Any] = await json_of(response)
    return made


def holder(person: Person, made: dict[str, Any]) -> Person:
    return Person(user_id=person.user_id, org_id=person.org_id, token=made["token"])


async def test_a_key_is_shown_with_its_token_once(house: House) -> None:
    ann = await house.person("ann")
    now = house.clock.now()

    made = await make(house, ann, scopes=["workers:write", "projects:read", "workers:write"])
    listed = await json_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/api-keys"))

    assert made["token"].startswith(f"{made['prefix']}_")
    assert without(made, "id", "token", "prefix") == {
        "name": "CI",
        "ownerType": "user",
        "userId": ann.user_id,
        "createdBy": ann.user_id,
        "scopes": ["projects:read", "workers:write"],
        "createdAt": now.isoformat().replace("+00:00", "Z"),
        "expiresAt": (now + timedelta(days=90)).isoformat().replace("+00:00", "Z"),
        "lastUsedAt": None,
    }
    assert listed == {"items": [without(made, "token")], "nextCursor": None}


async def test_a_key_says_what_it_is_whatever_its_scopes(house: House) -> None:
    ann = await house.person("ann")
    own, organization_s = await make(house, ann), await make(house, ann, ownerType="org", expiresAt=None)

    said = [
        await json_of(await house.call(holder(ann, made), "GET", "/api/auth/session")) for made in (own, organization_s)
    ]
    session = await json_of(await house.call(ann, "GET", "/api/auth/session"))

    assert said == [
        {
            "kind": "api_key",
            "userId": user_id,
            "apiKeyId": made["id"],
            "scopes": ["workers:read"],
            "expiresAt": made["expiresAt"],
            "organizations": [{"id": ann.org_id, "role": role}],
        }
        for made, user_id, role in ((own, ann.user_id, "owner"), (organization_s, None, "admin"))
    ]
    assert (session["kind"], session["apiKeyId"], session["scopes"]) == ("user", None, None)
    assert session["expiresAt"] is not None


async def test_what_the_scopes_do_not_cover_is_named(house: House) -> None:
    ann = await house.person("ann")
    key = holder(ann, await make(house, ann, scopes=["workers:exec"]))

    problem = await problem_of(await house.call(key, "GET", f"/api/orgs/{ann.org_id}/nodes"))

    assert (problem["status"], problem["code"], problem["requiredScopes"]) == (403, "missing_scope", ["nodes:read"])


async def test_with_all_scopes_sessions_keep_what_is_theirs(house: House) -> None:
    ann = await house.person("ann")
    key = holder(ann, await make(house, ann, scopes=["*"]))
    keys = f"/api/orgs/{ann.org_id}/api-keys"

    refused = [
        (await problem_of(await house.call(key, method, path, body)))["code"]
        for method, path, body in (
            ("GET", keys, None),
            ("POST", keys, {"name": "more", "scopes": ["*"]}),
            ("DELETE", f"{keys}/{house.ids.new('key')}", None),
            ("POST", "/api/auth/logout", None),
            ("POST", "/api/orgs", {"name": "mine"}),
        )
    ]

    assert refused == ["session_required"] * 5


@pytest.mark.parametrize(
    ("wishes", "status"),
    [({"scopes": ["*"]}, 200), ({"scopes": ["org:read"]}, 403), ({"scopes": ["*"], "ownerType": "org"}, 403)],
)
async def test_a_person_s_own_things_are_open_to_their_own_unlimited_keys(
    house: House, wishes: dict[str, Any], status: int
) -> None:
    ann = await house.person("ann")
    key = holder(ann, await make(house, ann, **wishes))

    assert (await house.call(key, "GET", "/api/users/me")).status_code == status


async def test_a_key_is_of_one_organization(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    await house.join(ann, bob)
    key = holder(ann, await make(house, ann, scopes=["*"]))

    listed = await json_of(await house.call(key, "GET", "/api/orgs"))
    problem = await problem_of(await house.call(key, "GET", f"/api/orgs/{bob.org_id}"))

    assert [each["id"] for each in listed["items"]] == [ann.org_id]
    assert (problem["status"], problem["code"]) == (404, "organization_not_found")


async def test_a_revoked_key_is_refused_at_once(house: House) -> None:
    ann = await house.person("ann")
    made = await make(house, ann)
    key = holder(ann, made)
    before = await house.call(key, "GET", "/api/auth/session")

    revoked = await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}/api-keys/{made['id']}")
    after = await house.call(key, "GET", "/api/auth/session")
    again = await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}/api-keys/{made['id']}")

    assert (before.status_code, revoked.status_code, after.status_code) == (200, 204, 401)
    assert (await problem_of(after))["code"] == "credential_not_good"
    assert (await problem_of(again))["code"] == "api_key_not_found"


async def test_a_repeat_can_not_show_the_token_again(house: House) -> None:
    ann = await house.person("ann")
    named = {"Idempotency-Key": "one"}
    path, asked = f"/api/orgs/{ann.org_id}/api-keys", {"name": "CI", "scopes": ["*"]}
    first = await json_of(await house.call(ann, "POST", path, asked, headers=named))

    repeated = await problem_of(await house.call(ann, "POST", path, asked, headers=named))
    other = await problem_of(await house.call(ann, "POST", path, {**asked, "name": "CD"}, headers=named))

    assert (repeated["status"], repeated["code"], repeated["id"]) == (409, "token_not_repeatable", first["id"])
    assert "token" not in repeated
    assert (other["status"], other["code"]) == (422, "idempotency_key_reused")


async def test_members_are_refused_another_s_key(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    made = await make(house, ann)

    problem = await problem_of(await house.call(bob, "DELETE", f"/api/orgs/{ann.org_id}/api-keys/{made['id']}"))
    organization_s = await problem_of(
        await house.call(
            bob, "POST", f"/api/orgs/{ann.org_id}/api-keys", {"name": "x", "scopes": ["*"], "ownerType": "org"}
        )
    )

    assert (problem["status"], problem["code"]) == (403, "not_owner")
    assert (organization_s["code"], organization_s["requiredRole"]) == ("role_required", "admin")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["workers"]}, "/scopes/0"),
        ({"scopes": "*"}, "/scopes"),
        ({"scopes": ["*"] * (len(Scope) + 1)}, "/scopes"),
        ({"ownerType": "team"}, "/ownerType"),
        ({"expiresAt": 4102444800}, "/expiresAt"),
        ({"expiresAt": "never"}, "/expiresAt"),
        ({"expiresAt": "2100-01-01T00:00:00"}, "/expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "/expiresAt"),
        ({"expiresAt": "2100-01-01"}, "/expiresAt"),
        ({"token": "x"}, "/token"),
    ],
)
async def test_a_wrong_field_is_named(house: House, wrong: dict[str, Any], pointer: str) -> None:
    ann = await house.person("ann")

    asked = {"name": "CI", "scopes": ["*"], **wrong}
    problem = await problem_of(await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/api-keys", asked))

    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert [each["pointer"] for each in problem["errors"]] == [pointer]


async def test_an_end_may_be_told_in_any_zone(house: House) -> None:
    ann = await house.person("ann")

    made = await make(house, ann, expiresAt="2026-03-01T02:00:00+02:00")

    assert made["expiresAt"] == "2026-03-01T00:00:00Z"
