"""Signing a terminal in, over HTTP and on its page."""

from typing import Any
from urllib.parse import urlencode

from tests.unit.entrypoints.http.house import LOCAL, House, Person, json_of, problem_of

FORM = "application/x-www-form-urlencoded"


async def begin(house: House, body: bytes = b"{}") -> Any:
    response = await house.client.post("/api/auth/device", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 201
    return await json_of(response)


async def token(house: House, device_code: str) -> Any:
    response = await house.client.post("/api/auth/device/token", json={"deviceCode": device_code})
    return response.status_code, await (json_of if response.status_code == 200 else problem_of)(response)


def browser(person: Person, origin: str | None = LOCAL) -> dict[str, str]:
    headers = {"Cookie": f"session={person.token}"}
    return headers if origin is None else {**headers, "Origin": origin}


async def decide(house: House, headers: dict[str, str], **form: str) -> Any:
    return await house.client.post("/device", data=urlencode(form), headers={"Content-Type": FORM, **headers})


async def test_a_terminal_is_signed_in_by_the_person_who_approves(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house, b'{"clientName": "spunto on laptop"}')
    assert begun["verificationUriComplete"] == f"{LOCAL}/device?code={begun['userCode']}"
    assert (begun["verificationUri"], begun["intervalSeconds"], begun["expiresInSeconds"]) == (
        f"{LOCAL}/device", 5, 600,
    )  # fmt: skip
    assert (await token(house, begun["deviceCode"]))[1]["code"] == "authorization_pending"

    page = await house.client.get(f"/device?code={begun['userCode'].lower()}", headers=browser(ann))
    done = await decide(house, browser(ann), code=begun["userCode"], decision="approve")
    status, signed_in = await token(house, begun["deviceCode"])

    text = await page.get_data(as_text=True)
    assert ("spunto on laptop" in text, begun["userCode"] in text) == (True, True)
    assert "The terminal is signed in" in await done.get_data(as_text=True)
    assert status == 200
    session = await house.client.get("/api/auth/session", headers={"Authorization": f"Bearer {signed_in['token']}"})
    assert (await json_of(session))["userId"] == ann.user_id


async def test_every_answer_to_a_terminal_has_its_own_code_and_status(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)

    first = await token(house, begun["deviceCode"])
    soon = await house.client.post("/api/auth/device/token", json={"deviceCode": begun["deviceCode"]})
    await decide(house, browser(ann), code=begun["userCode"], decision="deny")
    denied = await token(house, begun["deviceCode"])
    unknown = await token(house, "spd_made_up")

    assert [(status, problem["code"]) for status, problem in (first, denied, unknown)] == [
        (409, "authorization_pending"), (403, "access_denied"), (401, "expired_token"),
    ]  # fmt: skip
    assert ((await problem_of(soon))["code"], soon.status_code, soon.headers["Retry-After"]) == ("slow_down", 429, "10")


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(house: House) -> None:
    response = await house.client.get("/device?code=BCDF-GHJK")

    assert (response.status_code, response.headers["Location"]) == (
        303, "/api/auth/login?next=%2Fdevice%3Fcode%3DBCDF-GHJK",
    )  # fmt: skip


async def test_a_foreign_page_approves_nothing(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)

    for origin in (None, "null", "http://evil.example", "http://127.0.0.1:9000"):
        refused = await decide(house, browser(ann, origin), code=begun["userCode"], decision="approve")
        assert (await problem_of(refused))["code"] == "foreign_origin"

    assert (await token(house, begun["deviceCode"]))[1]["code"] == "authorization_pending"


async def test_a_form_that_says_anything_else_decides_nothing(house: House) -> None:
    ann, begun = await house.person("ann"), await begin(house)
    code = begun["userCode"]

    for form in ({"code": code}, {"code": code, "decision": "maybe"}, {"code": code, "decision": "approve", "x": "y"}):
        assert (await decide(house, browser(ann), **form)).status_code == 422
    as_json = await house.client.post("/device", json={"code": code, "decision": "approve"}, headers=browser(ann))

    assert as_json.status_code == 415
    assert (await token(house, begun["deviceCode"]))[1]["code"] == "authorization_pending"


async def test_a_wrong_code_is_told_on_a_page(house: House) -> None:
    ann = await house.person("ann")

    page = await house.client.get("/device?code=BCDF-GHJK", headers={**browser(ann), "Accept": "text/html"})

    assert (page.status_code, "No terminal waits with this code" in await page.get_data(as_text=True)) == (404, True)


async def test_what_a_terminal_says_of_itself_is_text_on_the_page(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house, b'{"clientName": "<script>alert(1)<script>{code}"}')

    page = await house.client.get(f"/device?code={begun['userCode']}", headers=browser(ann))

    text = await page.get_data(as_text=True)
    assert ("<script>" in text, "&lt;script&gt;" in text) == (False, True)


async def test_a_code_from_an_address_is_text_on_the_page(house: House) -> None:
    ann = await house.person("ann")
    begun = await begin(house)
    odd = f"{begun['userCode']}%22%3E%3Ci%3E"

    page = await house.client.get(f"/device?code={odd}", headers=browser(ann))

    assert (page.status_code, "<I>" in await page.get_data(as_text=True)) == (200, False)


async def test_a_name_that_is_no_line_of_text_is_refused(house: House) -> None:
    for name in ("", "a\nb", "x" * 101):
        response = await house.client.post("/api/auth/device", json={"clientName": name})
        assert response.status_code == 422
