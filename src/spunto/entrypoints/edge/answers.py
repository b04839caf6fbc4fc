"""What the edge answers by itself: a page for a person who goes there, a problem for a program."""

import secrets
from http import HTTPStatus
from typing import Final

import orjson

from spunto.core.kernel.errors import Conflict, Forbidden, NotFound, QuotaExceeded, SpuntoError, Unauthenticated
from spunto.core.kernel.problem import Problem
from spunto.entrypoints.edge.crossings import is_navigation
from spunto.entrypoints.edge.pages import POLICY, page_of
from spunto.entrypoints.edge.seams import Answer, Headers, RequestHead
from spunto.entrypoints.serving.problems import problem_body

_STATUSES: Final = (
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (QuotaExceeded, HTTPStatus.SERVICE_UNAVAILABLE),
)
_TOO_OFTEN: Final = "rate_limited"
_BAD_GATEWAY: Final = frozenset({"connection_refused", "bad_answer", "connection_broke"})
_CHALLENGE: Final = (b"www-authenticate", b"Bearer")


def refusal(
    request: RequestHead,
    error: SpuntoError,
    *,
    headers: Headers = (),
    sign_in: str | None = None,
    again: str = "",
) -> Answer:
    """The error in the form that whoever asked can read. `sign_in` is where a person says who they are, `again` where
    their page looks whether it is over; empty for the same address."""
    status = _status_of(error)
    own: list[tuple[bytes, bytes]] = [(b"cache-control", b"no-store"), *headers]
    if status == HTTPStatus.UNAUTHORIZED:
        own.append(_CHALLENGE)
    seconds: float | None = getattr(error, "retry_after_seconds", None)
    if seconds is not None:
        own.append((b"retry-after", str(max(1, round(seconds))).encode()))
    if is_navigation(request.method, request.headers):
        body = page_of(Problem(code=error.code, message=error.message), sign_in=sign_in, again=again)
        return page_answer(status, body, headers=own)
    body = orjson.dumps(problem_body(status, error.code, error.message, request_id=secrets.token_hex(8)))
    return Answer(status=status, headers=[*own, (b"content-type", b"application/problem+json")], body=body)


def page_answer(status: int, body: bytes, *, headers: Headers = ()) -> Answer:
    """One of our own pages."""
    own = ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY))
    return Answer(status=status, headers=[*headers, *own], body=body)


def redirect(location: str, *, status: HTTPStatus = HTTPStatus.FOUND, headers: Headers = ()) -> Answer:
    told = [(b"location", location.encode()), (b"cache-control", b"no-store"), *headers]
    return Answer(status=status, headers=told)


def _status_of(error: SpuntoError) -> HTTPStatus:
    if error.code in _BAD_GATEWAY:
        return HTTPStatus.BAD_GATEWAY
    if error.code == _TOO_OFTEN:
        return HTTPStatus.TOO_MANY_REQUESTS
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.SERVICE_UNAVAILABLE)
