"""The OpenAPI 3.1 document, made from the routes themselves, the table of endpoints and the policy."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from quart import Quart
from werkzeug.routing import Rule

from spunto.core.access.policy import Scope
from spunto.entrypoints.http.admission import path_of
from spunto.entrypoints.http.openapi.naming import TAGS, tag_of
from spunto.entrypoints.http.openapi.paths import Endpoint, name_of_view, operation_object
from spunto.entrypoints.http.openapi.problems import examples_of
from spunto.entrypoints.http.openapi.schemas import Schemas
from spunto.entrypoints.http.openapi.websockets import websockets_of
from spunto.entrypoints.http.operations import Operation, operation_of
from spunto.entrypoints.serving.endpoints import HTTP

_DESCRIPTION: Final = """Spunto runs development workers on your own servers.

**Credentials.** One a request: a session token or an API key as `Authorization: Bearer <token>`, or the browser's
session cookie, which unsafe methods accept only from this server's own pages. `x-auth` says for each operation
which action it stands for, the least role, the scopes of which an API key needs one, and whether it takes a session.

**Ids** are `<prefix>_<26 characters>` and sort by age. What is unknown and what belongs to another organization
answers 404 alike.

**Lists** answer `items` and `nextCursor`, newest first; ask with `cursor` for the next page.

**Errors** are `application/problem+json`, each with a stable `code`; `x-codes` names those of a status.

**Repeats.** Operations with `Idempotency-Key` answer the same within 24 hours, without a second effect.

**Others' changes.** What can be changed answers an `ETag` when it is read or changed. Sent as `If-Match` with a change
or a deletion it is compared in the same transaction: 412 `precondition_failed` where others were faster.

**WebSockets** stand in `x-websockets`, with who may use them, their frames and close codes.
"""


def endpoints_of(app: Quart) -> list[Endpoint]:
    """Every HTTP route, by path and method. One that says nothing of itself gets a name and no answer."""
    found = [
        _endpoint(rule, method, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.websocket
    ]
    return sorted(found, key=lambda each: (each.path, each.method))


def document_of(app: Quart, *, url: str) -> dict[str, Any]:
    """The whole document, for a server that is reached at `url`."""
    endpoints = endpoints_of(app)
    schemas = _schemas(each.operation for each in endpoints)
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in endpoints:
        paths[endpoint.path][endpoint.method.lower()] = operation_object(endpoint, schemas)
    used = {tag_of(endpoint.path) for endpoint in endpoints}
    codes = {code for endpoint in endpoints for code in endpoint.codes}
    sockets = sorted(path_of(rule) for rule in app.url_map.iter_rules() if rule.websocket)
    queries = {each.operation.query for each in endpoints}
    shown = {name: schema for name, schema in schemas.components.items() if not _is_query(name, queries)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spunto",
            "version": version("spunto"),
            "summary": "Development workers on your own servers.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "tags": [{"name": name, "description": said} for name, said in TAGS.items() if name in used],
        "paths": dict(paths),
        "x-websockets": websockets_of(sockets),
        "components": {
            "schemas": shown,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "examples": examples_of(codes),
            "securitySchemes": _SECURITY,
        },
    }


def _endpoint(rule: Rule, method: str, view: Callable[..., Any]) -> Endpoint:
    path = path_of(rule)
    return Endpoint(
        method=method,
        path=path,
        arguments=_in_order(rule),
        access=HTTP[f"{method} {path}"],
        operation=operation_of(view) or Operation(summary=name_of_view(view), description="", answers={}),
    )


def _in_order(rule: Rule) -> list[str]:
    return sorted(rule.arguments, key=lambda name: rule.rule.index(f"{name}>"))


def _schemas(operations: Iterable[Operation]) -> Schemas:
    inputs, outputs = [], []
    for said in operations:
        inputs += [model for model in (said.body, said.query, said.form) if model is not None and model not in inputs]
        for shapes in said.answers.values():
            for shape in shapes if isinstance(shapes, tuple) else (shapes,):
                if isinstance(shape, type) and shape not in outputs:
                    outputs.append(shape)
    return Schemas(inputs, outputs)


def _is_query(name: str, queries: Iterable[type | None]) -> bool:
    """Queries become parameters and are no components."""
    return name == "Nothing" or name in {query.__name__ for query in queries if query is not None}


_PARAMETERS: Final[Mapping[str, Any]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": (
            "Names this request: a repeat with the same key and body within 24 hours gives the same answer and no "
            "second effect, one with another body 422 `idempotency_key_reused`."
        ),
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": (
            "The `ETag` of the thing as it was read, or several: it is changed only if it is still that, and else "
            "answered 412 `precondition_failed`. `*` stands for any."
        ),
        "schema": {"type": "string"},
        "example": '"0f8fad5bd9cb469fa16570867728950e"',
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of what is known already: 304 without a body while it is still that.",
        "schema": {"type": "string"},
        "example": '"0f8fad5bd9cb469fa16570867728950e"',
    },
}
_HEADERS: Final[Mapping[str, Any]] = {
    "X-Request-Id": {
        "description": "Names the request in every log line and event that it caused; yours, where you sent one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the same request may work, where it is known.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "What to authenticate with.", "schema": {"type": "string"}},
    "ETag": {
        "description": "Names all that the thing shows now, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where to go on, or where the thing is that was made or is under way.",
        "schema": {"type": "string"},
    },
}
_SECURITY: Final[Mapping[str, Any]] = {
    "sessionToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A session's token: all that its user's roles allow.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "spk_…",
        "description": (
            "An API key of one organization: what its scopes and its owner's role allow both. Scopes: "
            f"{', '.join(f'`{scope.value}`' for scope in Scope)}. `x:write` and `x:exec` include `x:read`."
        ),
    },
    "sessionCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-session",
        "description": (
            "A browser's session, plain `session` over http on localhost. "
            "Unsafe methods need an `Origin` of this server."
        ),
    },
}
