"""Signing a terminal in, over HTTP and on its page."""

from typing import Any
from urllib.parse import urlencode

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import LOCAL, House, Person, json_of, problem_of
from tests.unit.entrypoints.http.site import Site

from spunto.entrypoints.http.oauth import DEVICE_GRANT

FORM = "application/x-www-form-urlencoded"


async def post(house: House, path: str, **form: str) -> Response:
    return await house.client.post(path, data=urlencode(form), headers={"Content-Type": FORM})


async def begin(house: House, name: str = "a terminal") -> Any:
    response = await post(house, "/api/auth/device", client_id="tests", client_name=name)
    assert response.status_code == 200
    return await json_of(response)


async def ask(house: House, device_code: str) -> Response:
    return await post(house, "/api/auth/device/token", grant_type=DEVICE_GRANT, device_code=device_code)


async def token(house: House, device_code: str) -> Any:
    response = await ask(house, device_code)
    return response.status_code, await json_of(response)


def browser(person: Person, origin: str | None = LOCAL) -> dict[str, str]:
    headers = {"Cookie": f"session={person.token}"}
    return headers if origin is None else {**headers, "Origin": origin}


async def decide(house: House, headers: dict[str, str], **form: str) -> Any:
    return await house.client.post("/device", data=urlencode(form), headers={"Content-Type": FORM, **headers})


async def test_a_terminal_is_signed_in_by_the_person_who_approves(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house, "spunto on laptop")
    assert begun["verification_uri_complete"] == f"{LOCAL}/device?code={begun['user_code']}"
    assert (begun["verification_uri"], begun["interval"], begun["expires_in"]) == (
        f"{LOCAL}/device", 5, 600,
    )  # fmt: skip
    assert (await token(house, begun["device_code"]))[1]["code"] == "authorization_pending"

    page = await house.client.get(f"/device?code={begun['user_code'].lower()}", headers=browser(ann))
    done = await decide(house, browser(ann), code=begun["user_code"], decision="approve")
    status, signed_in = await token(house, begun["device_code"])

    text = await page.get_data(as_text=True)
    assert ("spunto on laptop" in text, begun["user_code"] in text) == (True, True)
    assert "The terminal is signed in" in await done.get_data(as_text=True)
    assert status == 200
    session = await house.client.get(
        "/api/auth/session", headers={"Authorization": f"Bearer {signed_in['access_token']}"}
    )
    assert (await json_of(session))["userId"] == ann.user_id


async def test_every_answer_to_a_terminal_has_its_own_code_and_status(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)

    first = await token(house, begun["device_code"])
    soon = await token(house, begun["device_code"])
    await decide(house, browser(ann), code=begun["user_code"], decision="deny")
    denied = await token(house, begun["device_code"])
    unknown = await token(house, "spd_made_up")

    assert [(status, answer["error"], answer["code"]) for status, answer in (first, soon, denied, unknown)] == [
        (400, error, error) for error in ("authorization_pending", "slow_down", "access_denied", "expired_token")
    ]
    assert (soon[1]["interval"], soon[1]["error_description"]) == (10, soon[1]["detail"])


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(house: House) -> None:
    response = await house.client.get("/device?code=BCDF-GHJK")

    assert (response.status_code, response.headers["Location"]) == (
        303, "/api/auth/login?next=%2Fdevice%3Fcode%3DBCDF-GHJK",
    )  # fmt: skip


async def test_a_foreign_page_approves_nothing(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)

    for origin in (None, "null", "http://evil.example", "http://127.0.0.1:9000"):
        refused = await decide(house, browser(ann, origin), code=begun["user_code"], decision="approve")
        assert (await problem_of(refused))["code"] == "foreign_origin"

    assert (await token(house, begun["device_code"]))[1]["code"] == "authorization_pending"


async def test_a_form_that_says_anything_else_decides_nothing(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)
    code = begun["user_code"]

    for form in ({"code": code}, {"code": code, "decision": "maybe"}, {"code": code, "decision": "approve", "x": "y"}):
        assert (await decide(house, browser(ann), **form)).status_code == 422
    as_json = await house.client.post("/device", json={"code": code, "decision": "approve"}, headers=browser(ann))

    assert as_json.status_code == 415
    assert (await token(house, begun["device_code"]))[1]["code"] == "authorization_pending"


async def test_a_wrong_code_is_told_on_a_page(house: House) -> None:
    ann = await house.person("ann")

    page = await house.client.get("/device?code=BCDF-GHJK", headers={**browser(ann), "Accept": "text/html"})

    assert (page.status_code, "No terminal waits with this code" in await page.get_data(as_text=True)) == (404, True)


async def test_what_a_terminal_says_of_itself_is_text_on_the_page(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house, "<script>alert(1)<script>{code}")

    page = await house.client.get(f"/device?code={begun['user_code']}", headers=browser(ann))

    text = await page.get_data(as_text=True)
    assert ("<script>" in text, "&lt;script&gt;" in text) == (False, True)


async def test_a_code_from_an_address_is_text_on_the_page(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house)
    odd = f"{begun['user_code']}%22%3E%3Ci%3E"

    page = await house.client.get(f"/device?code={odd}", headers=browser(ann))

    assert (page.status_code, "<I>" in await page.get_data(as_text=True)) == (200, False)


async def test_a_name_that_is_no_line_of_text_is_refused(house: House) -> None:
    for name in ("a\nb", "x" * 101, "a\u202eb", "\u200b", "a/b"):
        response = await post(house, "/api/auth/device", client_id="tests", client_name=name)
        assert (response.status_code, (await json_of(response))["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("", "", "invalid_request"),
        ("", "client_id=", "invalid_request"),
        ("", "client_id=a&client_id=b", "invalid_request"),
        ("", "client_id=%ff", "invalid_request"),
        ("", "client_id=a&" + "&".join(f"f{number}=x" for number in range(200_000))[:900_000], "invalid_request"),
        ("", "client_id=a&scope=openid", "invalid_scope"),
        ("/token", "device_code=spd_x", "invalid_request"),
        ("/token", "grant_type=password&device_code=spd_x", "unsupported_grant_type"),
        ("/token", f"grant_type={DEVICE_GRANT}", "invalid_request"),
        ("/token", f"grant_type={DEVICE_GRANT}&device_code={'x' * 513}", "invalid_request"),
        ("/token", f"grant_type={DEVICE_GRANT}&device_code=spd_x&client_id=a&unknown=1", "expired_token"),
    ],
)
async def test_a_form_that_is_wrong_is_refused_in_oauth_s_words(house: House, path: str, body: str, error: str) -> None:
    response = await house.client.post(f"/api/auth/device{path}", data=body, headers={"Content-Type": FORM})

    answer = await json_of(response)
    assert (response.status_code, answer["error"]) == (400, error)
    assert answer["error_description"] == answer["detail"]


async def test_what_is_no_form_is_refused(house: House) -> None:
    response = await house.client.post("/api/auth/device", json={"client_id": "a"})

    assert (await problem_of(response))["code"] == "unsupported_media_type"


async def test_where_nobody_can_sign_in_no_code_is_given(site: Site) -> None:
    assert not site.house.spunto.sign_in.is_on

    response = await post(site.house, "/api/auth/device", client_id="tests")

    answer = await json_of(response)
    assert (response.status_code, answer["error"]) == (404, "sign_in_off")
    assert "owner.token" in answer["detail"]


async def test_where_nobody_can_sign_in_nobody_is_invited(site: Site) -> None:
    refused = await site.problem("POST", f"{site.org}/invites", {"email": "bob@example.org", "role": "member"})

    assert refused == (404, "sign_in_off")
    assert (await site.json("GET", f"{site.org}/invites"))["items"] == []


async def test_the_metadata_lead_to_the_endpoints(house: House) -> None:
    metadata = await json_of(await house.client.get("/.well-known/oauth-authorization-server"))

    assert metadata == {
        "issuer": LOCAL,
        "device_authorization_endpoint": f"{LOCAL}/api/auth/device",
        "token_endpoint": f"{LOCAL}/api/auth/device/token",
        "grant_types_supported": [DEVICE_GRANT],
        "token_endpoint_auth_methods_supported": ["none"],
        "response_types_supported": [],
    }
