"""One operation of the document: from a route, what it says of itself, its access, and the policy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from spunto.core.access.policy import POLICY, Action, Scope
from spunto.core.kernel.ids import pattern_of
from spunto.entrypoints.http.admission import IDS
from spunto.entrypoints.http.openapi.examples import example_of
from spunto.entrypoints.http.openapi.naming import operation_id_of, tag_of
from spunto.entrypoints.http.openapi.problems import codes_of, responses_of, scopes_of
from spunto.entrypoints.http.openapi.schemas import Schemas
from spunto.entrypoints.http.operations import Operation
from spunto.entrypoints.http.requests import Nothing
from spunto.entrypoints.serving.endpoints import Access, limit_of

_ARGUMENTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "number": ("A version: `7` or `v7`.", {"type": "string", "pattern": "^v?[0-9]{1,10}$", "example": "7"}),
    "name": ("A file's name.", {"type": "string", "example": "spunto-0.1.0-py3-none-any.whl"}),
}
BY_ID: Final = "/api/orgs/{orgId}/workers/{workerId}"
_UNTYPED: Final[Mapping[str, Mapping[str, str]]] = {
    "application/json": {"type": "object"},
    "application/octet-stream": {"type": "string", "format": "binary"},
    "application/x-tar": {"type": "string", "format": "binary"},
    "image/png": {"type": "string", "format": "binary"},
}
_ALWAYS: Final = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
_ETAG: Final = {"ETag": {"$ref": "#/components/headers/ETag"}}
_STATUS: Final[Mapping[int, str]] = {
    200: "Here it is.",
    201: "It is made.",
    202: "It is under way: the answer shows the transient state.",
    204: "It is done.",
    206: "Here is the part of it.",
    303: "Go on at `Location`.",
    304: "It has not changed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A route as the document needs it. `arguments` are the names in its path, in Python's spelling."""

    method: str
    path: str
    arguments: Sequence[str]
    access: Access
    operation: Operation

    @property
    def operation_id(self) -> str:
        own = self.operation.operation_id
        name = own or operation_id_of(self.method, self.path, lists=_is_list(self.operation))
        return f"{name}ById" if self.path.startswith(BY_ID) else name

    @property
    def codes(self) -> list[str]:
        is_limited = isinstance(self.access, Action) or limit_of(f"{self.method} {self.path}", self.access) is not None
        codes = codes_of(self.operation, self.access, self.method, self.arguments)
        return codes if is_limited else [code for code in codes if code != "rate_limited"]


def operation_object(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    said = endpoint.operation
    shown: dict[str, Any] = {
        "operationId": endpoint.operation_id,
        "tags": [tag_of(endpoint.path)],
        "summary": said.summary,
    }
    if said.description:
        shown["description"] = said.description
    shown["x-auth"] = auth_of(endpoint.access)
    shown["security"] = _security_of(endpoint.access)
    parameters = [*map(_argument, endpoint.arguments), *_query(said, schemas)]
    if said.idempotent:
        parameters.append({"$ref": "#/components/parameters/Idempotency-Key"})
    if said.tagged:
        header = "If-None-Match" if endpoint.method == "GET" else "If-Match"
        parameters.append({"$ref": f"#/components/parameters/{header}"})
    if parameters:
        shown["parameters"] = parameters
    if said.body is not None and said.body is not Nothing:
        shown["requestBody"] = _body(endpoint, said.body, schemas)
    if said.streams_body:
        media = {"schema": {"type": "string", "format": "binary"}}
        shown["requestBody"] = {"content": dict.fromkeys(said.streams_body, media)}
    if said.form is not None:
        reference = schemas.of(said.form)
        media = {"schema": reference, "example": said.examples.get("body", example_of(schemas, reference))}
        shown["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": media}}
    answers = {str(status): _answer(said, status, schemas) for status in sorted(said.answers)}
    if said.tagged and endpoint.method == "GET":
        answers["304"] = {"description": _STATUS[304], "headers": {**_ALWAYS, **_ETAG}}
    refused = responses_of(endpoint.codes, endpoint.access, unavailable=said.unavailable, as_oauth=said.as_oauth)
    shown["responses"] = {**answers, **refused}
    return shown


def auth_of(access: Access) -> dict[str, Any]:
    """`access` is `public`, `own_credential` (only its own use case knows it) or `action`, with its rule."""
    if not isinstance(access, Action):
        return {"access": access}
    rule = POLICY[access]
    return {
        "access": "action",
        "action": access.value,
        "role": rule.role.value,
        "scopes": scopes_of(access),
        "sessionOnly": rule.session_only,
    }


def _security_of(access: Access) -> list[dict[str, list[str]]]:
    if not isinstance(access, Action):
        return []
    found: list[dict[str, list[str]]] = [{"sessionToken": []}, {"sessionCookie": []}]
    if POLICY[access].session_only:
        return found
    scopes = scopes_of(access)
    # Any key will do where each scope does.
    return [*found, *([{"apiKey": []}] if len(scopes) == len(Scope) else [{"apiKey": [scope]} for scope in scopes])]


def _argument(name: str) -> dict[str, Any]:
    if name in IDS:
        prefix, noun = IDS[name]
        description, schema = (
            f"The id of the {noun.replace('_', ' ')}.",
            {"type": "string", "pattern": pattern_of(prefix)},
        )
    else:
        description, schema = _ARGUMENTS.get(name, ("", {"type": "string"}))  # type: ignore[assignment]  # read only
    return {"name": to_camel(name), "in": "path", "required": True, "description": description, "schema": schema}


def _query(said: Operation, schemas: Schemas) -> list[dict[str, Any]]:
    if said.query is None:
        return []
    model = schemas.resolved(schemas.of(said.query))
    required = model.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, **_parameter(schema)}
        for name, schema in model.get("properties", {}).items()
    ]


def _parameter(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query parameter is a value or absent, never null."""
    inner = {key: value for key, value in schema.items() if key not in ("anyOf", "description")}
    for each in schema.get("anyOf", ()):
        if each != {"type": "null"}:
            inner = {**each, **inner}
    description = schema.get("description")
    return {**({"description": description} if description else {}), "schema": inner}


def _body(endpoint: Endpoint, model: type, schemas: Schemas) -> dict[str, Any]:
    reference = schemas.of(model)
    example = endpoint.operation.examples.get("body", example_of(schemas, reference))
    media = {"schema": reference, "example": example}
    content = {"application/json": media}
    if endpoint.method == "PATCH":
        content["application/merge-patch+json"] = media
    return {"required": bool(schemas.resolved(reference).get("required")), "content": content}


def _answer(said: Operation, status: int, schemas: Schemas) -> dict[str, Any]:
    headers = {**_ALWAYS, **(_ETAG if said.tagged and status == 200 else {})}
    if (300 <= status < 400 and status != 304) or status in (201, 202):
        headers["Location"] = {"$ref": "#/components/headers/Location"}
    answer: dict[str, Any] = {"description": _STATUS.get(status, "Done."), "headers": headers}
    shapes = said.answers[status]
    content: dict[str, dict[str, Any]] = {}
    for shape in shapes if isinstance(shapes, tuple) else (shapes,):
        if isinstance(shape, str):
            content[shape] = {"schema": _UNTYPED.get(shape, {"type": "string"})}
        elif shape is not None:
            reference = schemas.of(shape)
            example = said.examples.get(str(status), example_of(schemas, reference))
            known = content.get("application/json")
            # What is asked for decides which of them comes.
            schema = (
                reference if known is None else {"anyOf": [*known["schema"].get("anyOf", [known["schema"]]), reference]}
            )
            content["application/json"] = {"schema": schema, "example": example}
    return {**answer, "content": content} if content else answer


def _is_list(said: Operation) -> bool:
    shapes = [shape for shape in said.answers.values() if isinstance(shape, type)]
    return any({"items"} <= set(shape.__annotations__) <= {"items", "nextCursor"} for shape in shapes)


def name_of_view(view: Callable[..., Any]) -> str:
    return view.__name__.replace("_", " ").capitalize()
