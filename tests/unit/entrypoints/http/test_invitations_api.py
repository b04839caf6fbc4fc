"""Invitations over HTTP, and the page behind their links."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import LOCAL, House, Person, json_of, problem_of

from spunto.core.access.policy import Role

EXPIRES_AT = "2026-01-08T00:00:00Z"
MADE_AT = "2026-01-01T00:00:00Z"


async def invited(house: House, by: Person, *, email: str = "bob@example.org", role: str = "member") -> dict[str, Any]:
    response = await house.call(by, "POST", f"/api/orgs/{by.org_id}/invites", {"email": email, "role": role})
    assert response.status_code == 201
    made: dict[str, Any] = await json_of(response)
    return made


def path_of(made: dict[str, Any]) -> str:
    return str(made["url"].removeprefix(LOCAL))


def token_of(made: dict[str, Any]) -> str:
    return path_of(made).removeprefix("/invites/")


async def test_an_invitation_is_shown_whole_and_its_link_once(house: House) -> None:
    ann = await house.person("ann")

    made = await invited(house, ann, email="Bob@Example.org", role="admin")

    listed = {
        "id": made["id"],
        "email": "bob@example.org",
        "role": "admin",
        "invitedBy": ann.user_id,
        "mail": "pending",
        "createdAt": MADE_AT,
        "expiresAt": EXPIRES_AT,
    }
    assert made == {**listed, "url": made["url"]}
    assert made["url"].startswith(f"{LOCAL}/invites/spi_")
    page = await json_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/invites"))
    assert page == {"items": [listed], "nextCursor": None}


@pytest.mark.parametrize(
    "body",
    [
        {"email": "bob@example.org"},
        {"role": "member"},
        {"email": "bob@example.org", "role": "king"},
        {"email": "bob", "role": "member"},
        {"email": "bob@", "role": "member"},
        {"email": "bob@example..org", "role": "member"},
        {"email": "bob@example.org\nBcc: all@example.org", "role": "member"},
        {"email": "Bob <bob@example.org>", "role": "member"},
        {"email": "bob@example.org,all@example.org", "role": "member"},
        {"email": "\u212aim@example.org", "role": "member"},
        {"email": f"{'b' * 250}@example.org", "role": "member"},
        {"email": "bob@example.org", "role": "member", "token": "x"},
    ],
)
async def test_what_is_no_invitation_is_refused(house: House, body: dict[str, Any]) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/invites", body))

    assert (problem["status"], problem["code"]) == (422, "invalid_request")


async def test_who_is_invited_joins_by_the_token(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    made = await invited(house, ann, role="admin")

    joined = await json_of(await house.call(bob, "POST", "/api/invites/accept", {"token": token_of(made)}))

    assert joined == {"id": ann.org_id, "name": "ann", "slug": "ann", "role": "admin", "createdAt": MADE_AT}
    assert (await house.call(bob, "GET", f"/api/orgs/{ann.org_id}/nodes")).status_code == 200


async def test_tokens_and_addresses_that_do_not_fit_are_refused(house: House) -> None:
    ann, eve = await house.person("ann"), await house.person("eve")
    token = token_of(await invited(house, ann))
    refusals = []
    for given in (token, f"{token}x", "x"):
        problem = await problem_of(await house.call(eve, "POST", "/api/invites/accept", {"token": given}))
        refusals.append((problem["status"], problem["code"]))

    assert refusals == [(403, "invitation_of_another_address"), *[(404, "invitation_not_found")] * 2]


async def test_a_revoked_invitation_is_gone_and_a_foreign_one_unknown(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    made, foreign = await invited(house, ann), await invited(house, bob, email="x@example.org")

    codes = [
        (await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}/invites/{invitation_id}")).status_code
        for invitation_id in (made["id"], made["id"], foreign["id"], "inv_1")
    ]

    assert codes == [204, 404, 404, 404]
    problem = await problem_of(await house.call(bob, "POST", "/api/invites/accept", {"token": token_of(made)}))
    assert problem["code"] == "invitation_not_found"


async def test_members_see_and_make_none(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    path = f"/api/orgs/{ann.org_id}/invites"

    refused = [
        (await problem_of(await house.call(bob, method, path, body)))["code"]
        for method, body in (("GET", None), ("POST", {"email": "x@example.org", "role": "member"}))
    ]

    assert refused == ["role_required"] * 2


async def test_the_page_tells_a_stranger_to_sign_in(house: House) -> None:
    ann = await house.person("ann")
    made = await invited(house, ann)

    page = await house.client.get(path_of(made))

    text = await page.get_data(as_text=True)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert "<strong>ann</strong> as member" in text
    assert f'<a href="/api/auth/login?next={path_of(made)}">Sign in</a>' in text
    assert "<form" not in text
    # `no-referrer` would make browsers send the form with `Origin: null`, which is refused.
    assert page.headers["Referrer-Policy"] == "same-origin"


async def test_the_page_s_button_joins_by_the_cookie_of_the_own_page_alone(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    made = await invited(house, ann)
    cookie = {"Cookie": f"session={bob.token}"}

    page = await house.client.get(path_of(made), headers=cookie)
    foreign = await house.client.post(path_of(made), headers={**cookie, "Origin": "https://evil.example"})
    joined = await house.client.post(path_of(made), headers={**cookie, "Origin": LOCAL})

    assert '<form method="post"><button>Join</button></form>' in await page.get_data(as_text=True)
    assert foreign.status_code == 403
    assert (joined.status_code, joined.headers["Location"]) == (303, "/")
    assert (await house.call(bob, "GET", f"/api/orgs/{ann.org_id}")).status_code == 200


async def test_the_page_of_a_dead_link_says_so(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    made = await invited(house, ann)
    for _ in range(2):
        answer = await house.call(bob, "POST", path_of(made))

    page = await house.client.get(path_of(made))

    assert (answer.status_code, page.status_code) == (404, 404)
    assert "ask for a new one" in await page.get_data(as_text=True)


async def test_a_name_is_text_on_the_page(house: House) -> None:
    ann = await house.person("ann")
    await house.call(ann, "PATCH", f"/api/orgs/{ann.org_id}", {"name": "<script>alert(1)<script>"})
    made = await invited(house, ann)

    text = await (await house.client.get(path_of(made))).get_data(as_text=True)

    assert "<script" not in text
    assert "&lt;script&gt;" in text


async def test_a_repeat_is_told_which_invitation_it_made_and_not_its_link(house: House) -> None:
    ann = await house.person("ann")
    asked = {"email": "bob@example.org", "role": "member"}, {"Idempotency-Key": "1"}

    first = await json_of(await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/invites", asked[0], headers=asked[1]))
    again = await problem_of(
        await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/invites", asked[0], headers=asked[1])
    )

    assert (again["status"], again["code"], again["id"]) == (409, "token_not_repeatable", first["id"])
