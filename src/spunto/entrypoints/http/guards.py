"""What is refused before anybody asks who it is: too many headers, and requests that were meant for another host."""

import time
from typing import Final

from quart import Quart, g, request, websocket
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import Headers
from werkzeug.exceptions import MisdirectedRequest, RequestHeaderFieldsTooLarge
from werkzeug.routing import Rule

from spunto.entrypoints.http.admission import path_of
from spunto.entrypoints.serving.security import request_id_of
from spunto.entrypoints.serving.telemetry import RequestCame

MAX_HEADERS: Final = 100
# Probes and scrapers come by the address of the machine or container, whatever the public name is.
BY_ANY_NAME: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def install_guards(app: Quart, hosts: frozenset[str] | None, came: RequestCame | None = None) -> None:
    """Call first, because it names the request, and tells `came` of it. `hosts` are the only ones that requests may
    name; None for any."""

    @app.before_request
    async def guard() -> None:
        _name(request.headers, request.url_rule, came)
        _guard(request.headers, request.path, hosts)

    @app.before_websocket
    async def guard_socket() -> None:
        _name(websocket.headers, websocket.url_rule, came)
        _guard(websocket.headers, websocket.path, hosts)


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
