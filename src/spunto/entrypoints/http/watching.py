"""Tells of each request when it is answered: one line in the log, one observation for the figures."""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from quart import Quart, Response, g, request, websocket
from werkzeug.routing import Rule

from spunto.core.access.model import Actor
from spunto.entrypoints.http.admission import path_of
from spunto.entrypoints.serving.logs import Seldom
from spunto.entrypoints.serving.security import SAFE_METHODS
from spunto.entrypoints.serving.telemetry import RequestTook

# Both are labels of figures, which must not grow with what somebody invents.
UNKNOWN_ROUTE: Final = "unknown"
OTHER_METHOD: Final = "OTHER"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SWITCHING_PROTOCOLS: Final = 101
# Lines on those who did not say who they are, and were refused, in a second.
REFUSALS_LOGGED: Final = 5

log = structlog.get_logger()


def install_watching(app: Quart, took: RequestTook) -> None:
    """Call after the last route. Changes are logged as `info`, reads as `debug`; neither query nor body ever.

    Of refusals of nobody in particular only a few are told each second, so that no stranger fills the log.
    """
    seldom = Seldom(monotonic=time.monotonic, seconds=1.0, burst=REFUSALS_LOGGED)
    routes = {rule.rule: path_of(rule) for rule in app.url_map.iter_rules()}

    @app.after_request
    async def watch(response: Response) -> Response:
        method = request.method if request.method in METHODS else OTHER_METHOD
        route, seconds = _route(routes, request.url_rule), _seconds()
        took(method, route, response.status_code, seconds)
        level = logging.DEBUG if method in SAFE_METHODS else logging.INFO
        if log.is_enabled_for(level):
            tell(level, {"method": method, "route": route, "status": response.status_code, "ms": _ms(seconds)})
        return response

    def tell(level: int, told: dict[str, Any]) -> None:
        actor = _actor()
        if actor or told["status"] < HTTPStatus.BAD_REQUEST:
            log.log(level, "request", **told, **actor)
            return
        left_out = seldom.left_out("refused")
        if left_out is not None:
            log.log(level, "request", **told, **({"lines_left_out": left_out} if left_out else {}))

    @app.after_websocket  # type: ignore[type-var]  # Quart's own callers pass and take None for an accepted socket
    async def watch_socket(response: Response | None) -> Response | None:
        if response is not None:
            g.refusal = response.status_code
            took("GET", _route(routes, websocket.url_rule), response.status_code, _seconds())
        return response

    # Whoever just leaves has the handler cancelled, and then nothing but this is called.
    @app.teardown_websocket
    async def tell_of_socket(_: BaseException | None) -> None:
        route, status = _route(routes, websocket.url_rule), g.get("refusal", SWITCHING_PROTOCOLS)
        tell(logging.INFO, {"method": "GET", "route": route, "status": status, "ms": _ms(_seconds())})


def _route(routes: Mapping[str, str], rule: Rule | None) -> str:
    return UNKNOWN_ROUTE if rule is None else routes[rule.rule]


def _seconds() -> float:
    return time.perf_counter() - float(g.begun)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _actor() -> Mapping[str, str]:
    actor: Actor | None = g.get("actor")
    return {} if actor is None else {"actor_kind": actor.kind.value, "actor": actor.subject_id}
