"""The OpenAPI document: complete, true to the routes and the policy, and valid."""

import re
from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from tests.unit.entrypoints.http.house import House, build_house, json_of, problem_of

from spunto.core.access.policy import POLICY, Action
from spunto.entrypoints.http.catalogue import CATALOGUE
from spunto.entrypoints.http.openapi.document import document_of, endpoints_of
from spunto.entrypoints.http.openapi.websockets import websockets_of
from spunto.entrypoints.http.operations import operation_of
from spunto.entrypoints.serving.endpoints import HTTP, WEBSOCKETS
from spunto.entrypoints.ws.terminal import TerminalQuery

URL: Final = "https://spunto.example.org"
APP: Final = build_house().app
DOCUMENT: Final = document_of(APP, url=URL)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            yield f"{method.upper()} {path}", said


def test_it_is_valid_openapi() -> None:
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)


def test_every_route_and_only_routes_are_in_it() -> None:
    assert {name for name, _ in operations()} == set(HTTP)


@pytest.mark.parametrize(
    "name", sorted(view for view in APP.view_functions if view.partition(".")[0] not in ("agents", "edges", "terminal"))
)
def test_every_route_says_what_it_is_and_what_it_answers(name: str) -> None:
    said = operation_of(APP.view_functions[name])

    assert said is not None, "put @operation under its @routes line"
    assert said.summary
    assert said.answers


def test_operations_have_names_of_their_own_that_read_well() -> None:
    names = [said["operationId"] for _, said in operations()]

    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []


def test_components_are_named_by_what_they_show() -> None:
    names = DOCUMENT["components"]["schemas"]

    assert [name for name in names if not re.fullmatch(r"([A-Z][a-z]+)+", name) or name.endswith("Out")] == []


def test_the_errors_that_routes_tell_are_in_the_catalogue() -> None:
    told = {code for endpoint in endpoints_of(APP) for code in endpoint.operation.errors}

    assert told - set(CATALOGUE) == set()


def test_each_operation_tells_its_rule_of_the_policy() -> None:
    for name, said in operations():
        access = HTTP[name]
        if not isinstance(access, Action):
            assert (said["x-auth"], said["security"]) == ({"access": access}, [])
            continue
        rule = POLICY[access]
        scopes = set(said["x-auth"].pop("scopes"))
        expected = {"access": "action", "action": access, "role": rule.role, "sessionOnly": rule.session_only}
        assert (said["x-auth"], scopes) == (expected, set(rule.scopes))
        said["x-auth"]["scopes"] = sorted(scopes)
        takes_keys = any("apiKey" in each for each in said["security"])
        assert takes_keys is not rule.session_only


def test_only_what_is_public_answers_without_a_credential() -> None:
    without = {name for name, said in operations() if "401" not in said["responses"]}

    # Whose credential is in the form, and refused as OAuth refuses.
    by_form = {"POST /api/auth/device/token"}
    assert without == {name for name, access in HTTP.items() if access == "public"} | by_form


def test_every_example_is_valid() -> None:
    wrong = [place for place, schema, example in examples() if not validator(schema).is_valid(example)]

    assert wrong == []


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    for name, said in operations():
        for place, media in media_types(said):
            for example in [media["example"]] if "example" in media else []:
                yield f"{name} {place}", media["schema"], example
    for code, example in DOCUMENT["components"]["examples"].items():
        yield code, {"$ref": "#/components/schemas/Problem"}, example["value"]


def media_types(said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for media in said.get("requestBody", {}).get("content", {}).values():
        yield "body", media
    for status, answer in said["responses"].items():
        for media in answer.get("content", {}).values():
            yield status, media


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_bodies_and_json_answers_have_examples() -> None:
    without = [
        f"{name} {place}"
        for name, said in operations()
        for place, media in media_types(said)
        if "$ref" in media["schema"] and not {"example", "examples"} & set(media)
    ]

    assert without == []


def test_a_merge_patch_has_no_defaults() -> None:
    patches = {name: body for name, body in DOCUMENT["components"]["schemas"].items() if name.endswith("PatchIn")}

    assert patches
    assert [name for name, body in patches.items() for field in body["properties"].values() if "default" in field] == []


def test_every_socket_is_told_of() -> None:
    told = {socket["path"]: socket for socket in DOCUMENT["x-websockets"]}

    assert set(told) == set(WEBSOCKETS)
    assert all({"summary", "serverFrames", "clientFrames", "closeCodes"} <= set(each) for each in told.values())
    terminal = told["/api/workers/{workerId}/terminal"]
    assert set(terminal["parameters"]) == set(TerminalQuery.model_fields)
    assert websockets_of(["/nowhere"]) == []


async def test_it_is_served_to_everybody_and_again_only_when_it_changed(house: House) -> None:
    first = await house.client.get("/api/openapi.json")
    again = await house.client.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert (await json_of(first))["openapi"] == "3.1.0"
    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, await again.get_data(as_text=False)) == (304, b"")


async def test_the_references_page_runs_only_our_own_files(house: House) -> None:
    page = await house.client.get("/api/docs")
    script = await house.client.get("/api/docs/start.js")

    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"]) == ("'self'", "'self'")
    assert "://" not in await page.get_data(as_text=True)
    assert script.content_type == "text/javascript; charset=utf-8"
    assert "/api/openapi.json" in await script.get_data(as_text=True)


async def test_the_reference_has_only_the_files_that_it_needs(house: House) -> None:
    problem = await problem_of(await house.client.get("/api/docs/index.html"))

    assert problem["code"] == "asset_not_found"
