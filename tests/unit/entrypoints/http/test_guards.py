"""What every answer says, and what is refused before anybody asks who it is."""

import pytest
from quart.wrappers import Response
from tests.unit.entrypoints.http.house import LOCAL, House, build_house, problem_of

from spunto.entrypoints.serving.endpoints import HTTP
from spunto.entrypoints.serving.security import PublicAddress

HTTPS = "https://spunto.example.org"
NEVER = "0" * 26
PREFIXES = {"orgId": "org", "projectId": "prj", "workerId": "wkr", "nodeId": "nod", "keyId": "key", "userId": "usr"}


def path_of(endpoint: str) -> tuple[str, str]:
    method, _, path = endpoint.partition(" ")
    for name, prefix in PREFIXES.items():
        path = path.replace(f"{{{name}}}", f"{prefix}_{NEVER}")
    return method, path.replace("{", "").replace("}", "")


def require_dressed(response: Response, url: str) -> None:
    headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert all(
        part in policy
        for part in ("default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'")
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Permissions-Policy"]
    assert headers["Cache-Control"]
    assert headers["X-Request-Id"]
    assert ("Strict-Transport-Security" in headers) is url.startswith("https")
    assert not [name for name, _ in headers if name.lower().startswith("access-control-")]
    assert "Server" not in headers


@pytest.mark.parametrize("url", [LOCAL, HTTPS])
async def test_every_answer_is_dressed(url: str) -> None:
    house = build_house(url=url)
    ann = await house.person("ann")

    for method, path in map(path_of, HTTP):
        for headers in ({}, ann.bearer):
            require_dressed(await house.client.open(path, method=method, headers=headers), url)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/api/orgs"), ("POST", "/api/orgs")])
async def test_every_refusal_of_the_framework_is_dressed(house: House, method: str, path: str) -> None:
    response = await house.client.open(path, method=method, data=b"x" * 2_000_000)

    assert response.status_code >= 400
    require_dressed(response, LOCAL)


async def test_a_bug_s_answer_is_dressed() -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    require_dressed(await build_house(readiness=broken).client.get("/readyz"), LOCAL)


@pytest.mark.parametrize(("count", "status"), [(90, 200), (101, 431)])
async def test_headers_are_counted(house: House, count: int, status: int) -> None:
    response = await house.client.get("/healthz", headers={f"X-Header-{number}": "x" for number in range(count)})

    assert response.status_code == status
    if status != 200:
        assert (await problem_of(response))["code"] == "too_many_headers"


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("spunto.example.org", "/", 200),
        ("SPUNTO.example.org:443", "/", 200),
        ("spunto.example.org:8000", "/", 421),
        ("evil.example.org", "/", 421),
        ("evil.example.org", "/nowhere", 421),
        ("spunto.example.org.evil.org", "/", 421),
        ("", "/", 421),
        ("10.0.0.1:8000", "/healthz", 200),
        ("10.0.0.1:8000", "/readyz", 200),
    ],
)
async def test_where_the_public_name_is_set_no_other_is_answered(host: str, path: str, status: int) -> None:
    house = build_house(url=HTTPS, hosts=PublicAddress(url=HTTPS).hosts)

    response = await house.client.get(path, headers={"Host": host})

    assert response.status_code == status
    if status == 421:
        assert (await problem_of(response))["code"] == "misdirected_request"


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://a.example", {"a.example", "a.example:443"}),
        ("https://a.example:8443", {"a.example:8443"}),
        ("http://[fd00::1]", {"[fd00::1]", "[fd00::1]:80"}),
        ("http://127.0.0.1:8000", {"127.0.0.1:8000", "localhost:8000"}),
    ],
)
def test_the_names_of_a_public_address(url: str, hosts: set[str]) -> None:
    assert PublicAddress(url=url).hosts == hosts
