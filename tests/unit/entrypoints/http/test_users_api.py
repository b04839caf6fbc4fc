"""Own settings, secrets and SSH keys over HTTP."""

from typing import Any

import pytest
from tests.unit.core.orgs.test_ssh_keys import ED25519
from tests.unit.entrypoints.http.house import House, json_of, problem_of

ME = "/api/users/me"


async def test_everybody_sees_and_changes_themselves(house: House) -> None:
    ann = await house.person("ann")

    me = await json_of(await house.call(ann, "GET", ME))
    changed = await json_of(await house.call(ann, "PATCH", ME, {"dotfilesRepo": "https://example.org/ann/dots.git"}))
    cleared = await json_of(await house.call(ann, "PATCH", ME, {"name": "Ann", "dotfilesRepo": None}))

    assert me == {
        "id": ann.user_id,
        "name": "ann",
        "email": "ann@example.org",
        "dotfilesRepo": None,
        "createdAt": "2026-01-01T00:00:00Z",
    }
    assert changed == {**me, "dotfilesRepo": "https://example.org/ann/dots.git"}
    assert cleared == {**me, "name": "Ann"}


@pytest.mark.parametrize("url", ["ssh://git@example.org/dots", "git@example.org:ann/dots.git", "https://example.org/d"])
async def test_an_address_for_git_is_taken(house: House, url: str) -> None:
    ann = await house.person("ann")

    assert (await json_of(await house.call(ann, "PATCH", ME, {"dotfilesRepo": url})))["dotfilesRepo"] == url


@pytest.mark.parametrize(
    "body",
    [
        {"name": None},
        {"name": ""},
        {"email": "other@example.org"},
        {"dotfilesRepo": "file:///etc"},
        {"dotfilesRepo": "--upload-pack=x"},
        {"dotfilesRepo": "ext::sh -c x"},
        {"dotfilesRepo": "ssh://-oProxyCommand=x/y"},
        {"dotfilesRepo": "git@example.org:-x"},
        {"dotfilesRepo": "https://ann:password@example.org/dots"},
        {"dotfilesRepo": "https://example.org/a b"},
    ],
)
async def test_settings_that_can_not_be_are_refused(house: House, body: dict[str, Any]) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "PATCH", ME, body))

    assert (problem["status"], problem["code"], problem["errors"][0]["pointer"]) == (
        422,
        "invalid_request",
        f"/{next(iter(body))}",
    )


async def test_a_secret_goes_in_and_never_comes_out(house: House) -> None:
    ann = await house.person("ann")
    made = await house.call(ann, "POST", f"{ME}/secrets", {"name": "TOKEN", "value": "sesame"})
    again = await house.call(ann, "POST", f"{ME}/secrets", {"name": "TOKEN", "value": "sesame2"})
    listed = await house.call(ann, "GET", f"{ME}/secrets")

    secret = await json_of(made)
    assert (made.status_code, again.status_code) == (201, 200)
    assert secret == {"id": secret["id"], "name": "TOKEN", "projects": "own", "updatedAt": "2026-01-01T00:00:00Z"}
    assert await json_of(listed) == {"items": [secret], "nextCursor": None}

    assert (await house.call(ann, "DELETE", f"{ME}/secrets/{secret['id']}")).status_code == 204

    gone = await problem_of(await house.call(ann, "DELETE", f"{ME}/secrets/{secret['id']}"))
    assert (gone["status"], gone["code"]) == (404, "secret_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "token", "value": "sesame"}, 422, "invalid_request"),
        ({"name": "LD_PRELOAD", "value": "sesame"}, 422, "secret_name_reserved"),
        ({"name": "TOKEN", "value": ""}, 422, "invalid_request"),
        ({"name": "TOKEN", "value": ["sesame"]}, 422, "invalid_request"),
        ({"name": "TOKEN", "value": "sesame", "sesame": 1}, 422, "invalid_request"),
        ({"name": "TOKEN", "value": "sesame\0"}, 400, "nul_character"),
        ({"name": "TOKEN", "value": "sesame" * 12_000}, 422, "invalid_request"),
        ({"name": "TOKEN", "value": "sesameü" * 9_000}, 422, "secret_value_invalid"),
    ],
)
async def test_a_refused_secret_is_not_repeated(house: House, body: dict[str, Any], status: int, code: str) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, "POST", f"{ME}/secrets", body)

    problem = await problem_of(response)
    assert (problem["status"], problem["code"]) == (status, code)
    assert "sesame" not in str(problem).replace("/sesame", "")


async def test_secrets_and_keys_of_others_are_not_there(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", org_id=ann.org_id)
    secret = await json_of(await house.call(ann, "POST", f"{ME}/secrets", {"name": "TOKEN", "value": "x"}))
    key = await json_of(await house.call(ann, "POST", f"{ME}/ssh-keys", {"publicKey": ED25519}))

    for path, code in ((f"secrets/{secret['id']}", "secret_not_found"), (f"ssh-keys/{key['id']}", "ssh_key_not_found")):
        problem = await problem_of(await house.call(bob, "DELETE", f"{ME}/{path}"))
        assert (problem["status"], problem["code"]) == (404, code)
    for path in ("secrets", "ssh-keys"):
        assert (await json_of(await house.call(bob, "GET", f"{ME}/{path}")))["items"] == []


async def test_a_repeat_answers_with_the_ssh_key_that_it_added(house: House) -> None:
    ann = await house.person("ann")
    body, key = {"publicKey": ED25519}, {"Idempotency-Key": "once"}

    answers = [await house.call(ann, "POST", f"{ME}/ssh-keys", body, headers=key) for _ in range(2)]

    first, again = [await json_of(answer) for answer in answers]
    assert ([answer.status_code for answer in answers], first) == ([201, 201], again)


async def test_ssh_keys_are_added_listed_and_removed(house: House) -> None:
    ann = await house.person("ann")

    made = await house.call(ann, "POST", f"{ME}/ssh-keys", {"publicKey": f"{ED25519} ann@laptop"})

    key = await json_of(made)
    assert made.status_code == 201
    assert (key["name"], key["type"], key["publicKey"]) == ("ann@laptop", "ssh-ed25519", ED25519)
    assert await json_of(await house.call(ann, "GET", f"{ME}/ssh-keys")) == {"items": [key], "nextCursor": None}
    twice = await problem_of(await house.call(ann, "POST", f"{ME}/ssh-keys", {"publicKey": ED25519}))
    assert (twice["status"], twice["code"]) == (409, "ssh_key_exists")
    assert (await house.call(ann, "DELETE", f"{ME}/ssh-keys/{key['id']}")).status_code == 204
    assert (await json_of(await house.call(ann, "GET", f"{ME}/ssh-keys")))["items"] == []
