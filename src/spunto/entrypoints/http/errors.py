"""Errors as RFC 9457 problems: the one place that knows which error has which HTTP status."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from quart import Quart, Response, current_app, g
from werkzeug.exceptions import HTTPException

from spunto.core.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    SpuntoError,
    Unauthenticated,
    Unavailable,
)
from spunto.core.kernel.idempotency import AnsweredBefore
from spunto.entrypoints.http.responses import reply_again
from spunto.entrypoints.serving.problems import problem_body

STATUS: Final[Mapping[type[SpuntoError], int]] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    Invalid: 422,
    QuotaExceeded: 429,
    Unavailable: 503,
}

# What the framework itself refuses, before or instead of a use case.
FRAMEWORK: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "The request can't be understood."),
    404: ("route_not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method; the header Allow names those it does."),
    406: ("not_acceptable", "Nothing of what Accept asks for can be answered here."),
    408: ("request_timeout", "The request's body did not arrive in time."),
    413: ("body_too_large", "The request's body is too large."),
    415: ("unsupported_media_type", "The body must be JSON in UTF-8, with `Content-Type: application/json`."),
    416: ("range_not_satisfiable", "The file has no such part; the header Content-Range says how large it is."),
    421: ("misdirected_request", "This server answers only by the name of its public URL."),
    431: ("too_many_headers", "The request has too many headers."),
}

PROBLEM: Final = "application/problem+json"

log = structlog.get_logger()


def install_error_handlers(app: Quart) -> None:
    app.register_error_handler(SpuntoError, problem_response)
    app.register_error_handler(HTTPException, _of_framework)
    app.register_error_handler(AnsweredBefore, _again)
    app.register_error_handler(Exception, _of_bug)


def status_of(error: SpuntoError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    request_id = g.get("request_id", "")
    body = problem_body(status, code, detail, request_id=request_id, fields=fields)
    return Response(orjson.dumps(body, default=str), status, headers=dict(headers or {}), content_type=PROBLEM)


def invalid_fields(errors: Sequence[Mapping[str, str]]) -> Invalid:
    """A body that is JSON but not what the endpoint takes."""
    return Invalid("invalid_request", "Some fields are not what they should be; see `errors`.", errors=errors)


async def problem_response(error: SpuntoError) -> Response:
    g.refused = error
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after_seconds = getattr(error, "retry_after_seconds", None)
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_seconds)))
        if "burst" in error.fields:
            headers |= {"RateLimit-Limit": str(error.fields["burst"]), "RateLimit-Remaining": "0"}
            headers["RateLimit-Reset"] = headers["Retry-After"]
    return problem(status, error.code, error.message, fields=error.fields, headers=headers)


async def _again(answered: AnsweredBefore) -> Response:
    return reply_again(answered.answer).response()


async def _of_framework(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return await _of_bug(error)
    if status == 413:
        return _too_large()
    code, detail = FRAMEWORK.get(status, FRAMEWORK[400])
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Content-Range", "Retry-After")}
    return problem(status, code, detail, headers=headers)


def _too_large() -> Response:
    """With how much may come, of the whole and of what the operation says of its parts."""
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    bounds: Mapping[str, int] = g.get("bounds", {})
    parts = "".join(f", and {name} at most {bound}" for name, bound in bounds.items())
    code, detail = FRAMEWORK[413]
    told = f"{detail} It has at most {limit} bytes{parts}."
    return problem(413, code, told, fields={"limitBytes": limit, **bounds})


async def _of_bug(error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return problem(500, "internal_error", "This is a bug in Spunto; the log has it under the request id.")
