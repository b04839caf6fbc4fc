"""Which errors an operation can answer, and how the document shows them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from spunto.core.access.policy import POLICY, Action, Role, Scope
from spunto.entrypoints.http.admission import IDS
from spunto.entrypoints.http.catalogue import CATALOGUE
from spunto.entrypoints.http.operations import Operation
from spunto.entrypoints.http.paging import PageQuery
from spunto.entrypoints.serving.endpoints import Access

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CREDENTIAL: Final = ("credential_missing", "credential_not_good", "duplicate_cookie", "duplicate_header")
_BODY: Final = ("invalid_json", "json_too_deep", "nul_character", "request_timeout", "body_too_large")
_TOO_OFTEN: Final = ("rate_limited",)
_EVERYWHERE: Final = ("bad_request", "address_too_long", "head_too_large", "misdirected_request", "too_many_headers")
_EXAMPLE_ID: Final = "0f8fad5bd9cb469fa16570867728950e"


def codes_of(operation: Operation, access: Access, method: str, arguments: Iterable[str]) -> list[str]:
    """The operation's own codes, and those that come with its access, arguments, query and body."""
    codes = [*operation.errors, *_EVERYWHERE, *_TOO_OFTEN, *_of_access(access, method)]
    codes += [f"{IDS[name][1]}_not_found" for name in arguments if name in IDS]
    codes.append("invalid_query")
    if operation.query is not None and issubclass(operation.query, PageQuery):
        codes.append("invalid_cursor")
    if operation.body is not None:
        codes += [*_BODY, "unsupported_media_type", "invalid_request", "not_storable"]
    if operation.streams_body:
        codes.append("request_timeout")
    if operation.form is not None:
        invalid = "invalid_form" if operation.as_oauth else "invalid_request"
        codes += ["request_timeout", "body_too_large", "unsupported_media_type", invalid]
    if operation.idempotent:
        codes += ["invalid_idempotency_key", "idempotency_key_reused"]
    elif method in UNSAFE and isinstance(access, Action):
        codes.append("idempotency_key_unsupported")
    if method in UNSAFE and isinstance(access, Action):
        codes.append("precondition_unsupported")
    if operation.tagged and method in UNSAFE:
        codes += ["invalid_if_match", "precondition_failed"]
    return sorted({code for code in codes if code in CATALOGUE})


def responses_of(
    codes: Iterable[str], access: Access, *, unavailable: Collection[str] = (), as_oauth: bool = False
) -> dict[str, Any]:
    """By status, each with its codes in words, as `x-codes`, and as examples."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[503 if code in unavailable else CATALOGUE[code].status].append(code)
    shown = {str(status): _response(status, found, access) for status, found in sorted(by_status.items())}
    for response in shown.values() if as_oauth else ():
        # The framework's own refusals stay problems.
        response["content"]["application/json"] = response["content"]["application/problem+json"]
    return shown


def examples_of(codes: Iterable[str]) -> dict[str, Any]:
    """One example a code, for the document's components."""
    return {code: _example(code) for code in sorted(codes)}


def _of_access(access: Access, method: str) -> list[str]:
    if access == "public":
        return []
    if not isinstance(access, Action):
        return ["duplicate_header", "database_unavailable"]
    rule = POLICY[access]
    codes = [*_CREDENTIAL, "database_unavailable"]
    codes.append("session_required" if rule.session_only else "missing_scope")
    if rule.role is not Role.MEMBER:
        codes.append("role_required")
    if method in UNSAFE:
        codes.append("foreign_origin")
    return codes


def _response(status: int, codes: list[str], access: Access) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in (429, 503):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    response: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {CATALOGUE[code].meaning}" for code in codes),
        "headers": headers,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
        "x-codes": codes,
    }
    if status == 403 and "missing_scope" in codes and isinstance(access, Action):
        response["x-scopes"] = scopes_of(access)
    return response


def scopes_of(action: Action) -> list[str]:
    """The scopes of which a key needs one, in the order of the policy's own list."""
    return [scope.value for scope in Scope if scope in POLICY[action].scopes]


def _example(code: str) -> Mapping[str, Any]:
    entry = CATALOGUE[code]
    value = {
        "type": f"urn:spunto:error:{code}",
        "code": code,
        "title": code.replace("_", " ").capitalize(),
        "status": entry.status,
        "detail": f"{entry.meaning} {entry.way_out}",
        "instance": f"urn:spunto:request:{_EXAMPLE_ID}",
        "requestId": _EXAMPLE_ID,
        **_FIELDS.get(code, {}),
    }
    return {"summary": entry.meaning, "value": value}


_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "missing_scope": {"requiredScopes": ["workers:write"]},
    "role_required": {"requiredRole": "admin"},
    "invalid_request": {"errors": [{"pointer": "/name", "message": "Field required"}]},
    "invalid_query": {"errors": [{"pointer": "/limit", "message": "Input should be less than or equal to 200"}]},
}
