"""Signing in by a one-time link, and out."""

from tests.unit.entrypoints.http.house import LOCAL, House, build_house, json_of, problem_of
from werkzeug.http import parse_cookie

COOKIE_ATTRIBUTES = "HttpOnly; Path=/; SameSite=Lax"


async def test_a_code_opens_one_session_and_leads_to_the_front_page(house: House) -> None:
    ann = await house.person("ann")
    code = (await house.access.issue_code(ann.user_id)).reveal()

    response = await house.client.get(f"/api/auth/bootstrap?code={code}")

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert cookie.endswith(f"Max-Age=604800; {COOKIE_ATTRIBUTES}")
    token = parse_cookie(cookie)["session"]
    session = await house.client.get("/api/auth/session", headers={"Cookie": f"session={token}"})
    assert (await json_of(session))["userId"] == ann.user_id


async def test_a_code_is_good_once(house: House) -> None:
    ann = await house.person("ann")
    code = (await house.access.issue_code(ann.user_id)).reveal()
    await house.client.get(f"/api/auth/bootstrap?code={code}")

    response = await house.client.get(f"/api/auth/bootstrap?code={code}")

    assert (await problem_of(response))["code"] == "code_not_good"


async def test_a_link_preview_does_not_use_the_code_up(house: House) -> None:
    ann = await house.person("ann")
    code = (await house.access.issue_code(ann.user_id)).reveal()

    preview = await house.client.head(f"/api/auth/bootstrap?code={code}")
    response = await house.client.get(f"/api/auth/bootstrap?code={code}")

    assert (preview.status_code, response.status_code) == (405, 303)


async def test_the_cookie_of_a_public_server_is_secure_and_bound_to_its_host() -> None:
    house = build_house(url="https://spunto.example.org")
    ann = await house.person("ann")
    code = (await house.access.issue_code(ann.user_id)).reveal()

    response = await house.client.get(f"/api/auth/bootstrap?code={code}")

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=sps_")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie


async def test_without_https_a_server_that_is_not_local_sets_no_cookie() -> None:
    house = build_house(url="http://10.0.0.5:8000")
    ann = await house.person("ann")
    code = (await house.access.issue_code(ann.user_id)).reveal()

    response = await house.client.get(f"/api/auth/bootstrap?code={code}")

    assert (await problem_of(response))["code"] == "https_required"
    assert "Set-Cookie" not in response.headers


async def test_signing_out_ends_the_session_and_clears_the_cookie(house: House) -> None:
    ann = await house.person("ann")
    cookie = {"Cookie": f"session={ann.token}", "Origin": LOCAL}

    response = await house.client.post("/api/auth/logout", headers=cookie)

    assert response.status_code == 204
    assert "session=; " in response.headers["Set-Cookie"]
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert (await problem_of(await house.client.get("/api/auth/session", headers=cookie)))["status"] == 401


async def test_signing_out_everywhere_ends_the_sessions_of_other_devices_too(house: House) -> None:
    ann = await house.person("ann")
    other = (await house.access.open_session(ann.user_id)).token.reveal()

    response = await house.call(ann, "POST", "/api/auth/logout?everywhere=true")

    assert response.status_code == 204
    for token in (ann.token, other):
        answer = await house.client.get("/api/auth/session", headers={"Authorization": f"Bearer {token}"})
        assert (await problem_of(answer))["code"] == "credential_not_good"


async def test_a_one_time_link_ends_the_session_that_the_browser_had(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    code = (await house.access.issue_code(ann.user_id)).reveal()

    await house.client.get(f"/api/auth/bootstrap?code={code}", headers={"Cookie": f"session={bob.token}"})

    assert (await house.call(bob, "GET", "/api/auth/session")).status_code == 401


async def test_a_foreign_page_can_not_sign_somebody_out(house: House) -> None:
    ann = await house.person("ann")

    response = await house.client.post(
        "/api/auth/logout", headers={"Cookie": f"session={ann.token}", "Origin": "http://evil.org"}
    )

    assert (await problem_of(response))["code"] == "foreign_origin"
    assert (await house.call(ann, "GET", "/api/auth/session")).status_code == 200


async def test_the_front_page_says_whether_one_is_signed_in(house: House) -> None:
    ann = await house.person("ann")

    stranger = await house.client.get("/")
    assert '<a href="/api/auth/login">' in await stranger.get_data(as_text=True)
    signed_in = await house.client.get("/", headers={"Cookie": f"session={ann.token}"})

    assert "You are not signed in" in await stranger.get_data(as_text=True)
    assert "You are signed in" in await signed_in.get_data(as_text=True)


async def test_answers_carry_the_headers_that_keep_browsers_careful(house: House) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, "GET", "/api/orgs", headers={"X-Request-Id": "trace-0123"})

    policy = "default-src 'self'; script-src 'self'; connect-src 'self' ws://127.0.0.1:8000; "
    assert {name: response.headers[name] for name in ("Cache-Control", "Content-Security-Policy", "X-Request-Id")} == {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"{policy}frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
        "X-Request-Id": "trace-0123",
    }
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response.headers
