"""What is refused before anybody asks who it is: too many headers, and requests that were meant for another host."""

import time
from typing import Final

from quart import Quart, g, redirect, request, websocket
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import Headers
from werkzeug.exceptions import MisdirectedRequest, RequestHeaderFieldsTooLarge
from werkzeug.routing import Rule
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.entrypoints.http.admission import path_of
from spunto.entrypoints.serving.security import PublicAddress, request_id_of
from spunto.entrypoints.serving.telemetry import RequestCame

MAX_HEADERS: Final = 100
# Probes and scrapers come by the address of the machine or container, whatever the public name is.
BY_ANY_NAME: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def install_guards(
    app: Quart, address: PublicAddress, hosts: frozenset[str] | None, came: RequestCame | None = None
) -> None:
    """Call first, because it names the request, and tells `came` of it. `hosts` are the only ones that requests may
    name; None for any. People who come by another name of this machine are led to the address."""

    @app.before_request
    async def guard() -> WerkzeugResponse | None:
        _name(request.headers, request.url_rule, came)
        _guard(request.headers, request.path, hosts)
        if _is_visit(request.method, request.headers) and address.is_other_name(request.host):
            return redirect(address.url + request.full_path.removesuffix("?"))
        return None

    @app.before_websocket
    async def guard_socket() -> None:
        _name(websocket.headers, websocket.url_rule, came)
        _guard(websocket.headers, websocket.path, hosts)


def _is_visit(method: str, headers: Headers) -> bool:
    """Whether a person goes there; programs with a token are served by any name."""
    return method == "GET" and "text/html" in headers.get("Accept", "") and "Authorization" not in headers


def _name(headers: Headers, rule: Rule | None, came: RequestCame | None) -> None:
    g.begun = time.perf_counter()
    g.request_id = request_id = request_id_of(headers)
    bind_contextvars(request_id=request_id)
    if came is not None:
        came("" if rule is None else path_of(rule), request_id)


def _guard(headers: Headers, path: str, hosts: frozenset[str] | None) -> None:
    if len(headers) > MAX_HEADERS:
        raise RequestHeaderFieldsTooLarge
    if hosts is not None and headers.get("Host", "").lower() not in hosts and path not in BY_ANY_NAME:
        raise MisdirectedRequest
