"""Every refusal is a problem of RFC 9457."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError
from tests.unit.entrypoints.http.house import House, build_house, problem_of

from spunto.core.kernel.errors import NotFound, QuotaExceeded, SpuntoError, StaleVersion, Unavailable
from spunto.entrypoints.http.errors import STATUS, status_of
from spunto.entrypoints.http.requests import In, pointer


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route_not_found"),
        ("GET", "/api/orgs/", 404, "route_not_found"),
        ("PUT", "/api/orgs", 405, "method_not_allowed"),
        ("OPTIONS", "/api/orgs", 405, "method_not_allowed"),
        ("GET", "/api/orgs?limit=0", 400, "invalid_query"),
        ("GET", "/api/orgs?limit=201", 400, "invalid_query"),
        ("GET", "/api/orgs?limit=1&limit=2", 400, "invalid_query"),
        ("GET", "/api/orgs?page=1", 400, "invalid_query"),
        ("GET", "/api/orgs?cursor=%00", 400, "invalid_query"),
        ("GET", "/api/orgs?cursor=nonsense", 400, "invalid_cursor"),
        ("GET", "/api/orgs?cursor=cHJqXzAx", 400, "invalid_cursor"),
        ("GET", "/api/orgs/org_1", 404, "organization_not_found"),
        ("GET", "/api/orgs/%00", 404, "organization_not_found"),
        ("GET", "/api/orgs/org_00000000000000000000000000", 404, "organization_not_found"),
    ],
)
async def test_an_address_or_query_that_is_wrong_is_a_problem(
    house: House, method: str, path: str, status: int, code: str
) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, method, path)

    problem = await problem_of(response)
    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_json"),
        (b'{"name": NaN}', "application/json", 400, "invalid_json"),
        (b'{"name": "\xff"}', "application/json", 400, "invalid_json"),
        (b'{"name": "\\ud800"}', "application/json", 400, "invalid_json"),
        (b"[" * 33 + b"]" * 33, "application/json", 400, "json_too_deep"),
        (b'{"name": "a\\u0000"}', "application/json", 400, "nul_character"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"null", "application/json", 422, "invalid_request"),
        (b'{"name": 1}', "application/json", 422, "invalid_request"),
        (b'{"name": " "}', "application/json", 422, "invalid_request"),
        (b'{"name": "a\\nb"}', "application/json", 422, "invalid_request"),
        (b'{"name": "a", "role": "owner"}', "application/json", 422, "invalid_request"),
        (b"", "application/json", 422, "invalid_request"),
        (b"name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"name": "a"}', "text/plain", 415, "unsupported_media_type"),
        (b'{"name": "a"}', "application/json; charset=latin-1", 415, "unsupported_media_type"),
        (b" " * (1024 * 1024 + 1), "application/json", 413, "body_too_large"),
    ],
)
async def test_a_body_that_is_wrong_is_a_problem(
    house: House, body: bytes, content_type: str, status: int, code: str
) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, "POST", "/api/orgs", body, headers={"Content-Type": content_type})

    problem = await problem_of(response)
    assert (problem["status"], problem["code"]) == (status, code)


async def test_bad_json_is_told_with_its_place(house: House) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "POST", "/api/orgs", b'{\n  "name" "x"}'))

    assert "line 2, column 10" in problem["detail"]


async def test_wrong_fields_are_told_by_json_pointer(house: House) -> None:
    ann = await house.person("ann")
    body = {"name": "x", "image": "debian", "env": {"a/b~c": "1", "D": 2}, "memoryBytes": "1", "colour": "red"}

    problem = await problem_of(await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/projects", body))

    assert {each["pointer"] for each in problem["errors"]} == {"/env/a~1b~0c", "/env/D", "/memoryBytes", "/colour"}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/users/me/secrets", {"name": "A", "value": ""}, "This must not be empty."),
        ("/api/users/me/secrets", {"name": "a b", "value": "x"}, "This is not a valid name."),
        ("/api/orgs/{org}/invites", {"email": "nobody", "role": "member"}, "This is not a valid email."),
    ],
)
async def test_what_is_wrong_with_a_field_is_said_in_plain_words(
    house: House, path: str, body: dict[str, str], said: str
) -> None:
    ann = await house.person("ann")

    answer = await house.call(ann, "POST", path.replace("{org}", ann.org_id), body)

    assert (answer.status_code, [each["message"] for each in (await problem_of(answer))["errors"]]) == (422, [said])


async def test_a_refused_method_names_those_that_work(house: House) -> None:
    ann = await house.person("ann")

    response = await house.call(ann, "PUT", "/api/orgs")

    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_a_bug_is_a_500_that_tells_nothing() -> None:
    async def broken() -> None:
        raise RuntimeError("a secret detail")

    house = build_house(readiness=broken)

    response = await house.client.get("/readyz")

    problem = await problem_of(response)
    assert (problem["status"], problem["code"]) == (500, "internal_error")
    assert "secret" not in await response.get_data(as_text=True)


async def test_a_foreign_organization_is_as_unknown_as_one_that_never_was(house: House) -> None:
    ann, bob = await house.person("ann"), await house.person("bob")
    never = house.ids.new("org")

    foreign = await problem_of(await house.call(ann, "GET", f"/api/orgs/{bob.org_id}/projects"))
    unknown = await problem_of(await house.call(ann, "GET", f"/api/orgs/{never}/projects"))

    def without_ids(problem: dict[str, Any], org_id: str) -> dict[str, Any]:
        kept = {name: value for name, value in problem.items() if name not in ("instance", "requestId")}
        return {name: str(value).replace(org_id, "…") for name, value in kept.items()}

    assert without_ids(foreign, bob.org_id) == without_ids(unknown, never)


def test_every_kind_of_error_has_a_status() -> None:
    assert set(STATUS) == {kind for kind in SpuntoError.__subclasses__() if kind.__module__ == SpuntoError.__module__}
    assert status_of(StaleVersion("worker", "wkr_1")) == 409


@pytest.mark.parametrize(
    ("error", "retry_after"),
    [
        (QuotaExceeded("too_many", "Slower.", retry_after_seconds=1.2), "2"),
        (Unavailable("node_offline", "Later.", retry_after_seconds=0), "1"),
        (Unavailable("node_offline", "Later."), None),
        (NotFound("worker_not_found", "No."), None),
    ],
)
async def test_when_to_come_back_is_a_header(error: SpuntoError, retry_after: str | None) -> None:
    async def readiness() -> None:
        raise error

    response = await build_house(readiness=readiness).client.get("/readyz")

    await problem_of(response)
    assert response.headers.get("Retry-After") == retry_after


class Command(In):
    command: list[str] | str
    env: dict[str, int] = Field(default_factory=dict)


def test_a_pointer_leaves_out_the_marks_that_pydantic_adds_for_unions() -> None:
    body = {"command": ["ls", 1], "env": {"A": "x"}}

    with pytest.raises(ValidationError) as caught:
        Command.model_validate(body)

    assert [pointer(each["loc"], body) for each in caught.value.errors()] == ["/command/1", "/command", "/env/A"]


@given(st.lists(st.text() | st.integers()), st.recursive(st.none() | st.text(), st.lists))
def test_a_pointer_can_be_made_of_any_location(loc: list[str | int], body: Any) -> None:
    assert pointer(loc, body).count("/") <= len(loc)
