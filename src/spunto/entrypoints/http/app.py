"""The Quart application: routes, and what happens around each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quart import Blueprint, Quart, Response, g, request, websocket
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import Headers

from spunto.core.access.service import AccessService
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.ids import is_id
from spunto.core.nodes.service import NodeService
from spunto.core.orgs.service import OrganizationService
from spunto.core.projects.service import ProjectService
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.service import WorkerService
from spunto.entrypoints.http.auth import auth_blueprint
from spunto.entrypoints.http.connection import DirectWebsocket, HttpConnection, WebsocketConnection
from spunto.entrypoints.http.errors import install_error_handlers
from spunto.entrypoints.http.health import Readiness, health_blueprint
from spunto.entrypoints.http.home import home_blueprint
from spunto.entrypoints.http.install import install_blueprint
from spunto.entrypoints.http.nodes import nodes_blueprint
from spunto.entrypoints.http.orgs import organizations_blueprint
from spunto.entrypoints.http.projects import projects_blueprint
from spunto.entrypoints.http.reach import reach_blueprint
from spunto.entrypoints.http.visibility import is_public
from spunto.entrypoints.http.workers import workers_blueprint
from spunto.entrypoints.security import Doorkeeper, PublicAddress, request_id_of

IDS: Final[Mapping[str, tuple[str, str]]] = {
    "org_id": ("org", "organization"),
    "project_id": ("prj", "project"),
    "node_id": ("nod", "node"),
    "worker_id": ("wkr", "worker"),
}
"""Names in routes, the prefix of their ids, and what they are ids of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the doors call, and what they need to know of the place they stand in."""

    access: AccessService
    organizations: OrganizationService
    projects: ProjectService
    nodes: NodeService
    workers: WorkerService
    reach: WorkerReach
    readiness: Readiness
    address: PublicAddress
    max_body_bytes: int = 1024 * 1024
    body_timeout_seconds: int = 60


def create_app(services: Services, *, doors: Sequence[Blueprint] = ()) -> Quart:
    """The application with the HTTP routes, and with the blueprints of the other doors that share its port."""
    app = Quart("spunto", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=services.max_body_bytes,
        BODY_TIMEOUT=services.body_timeout_seconds,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.asgi_http_class = HttpConnection
    app.asgi_websocket_class = WebsocketConnection
    app.websocket_class = DirectWebsocket
    install_error_handlers(app)
    for blueprint in (*_blueprints(services), *doors):
        app.register_blueprint(blueprint)
    _install_admission(app, Doorkeeper(services.access, services.address))
    _install_headers(app, services.address)
    return app


def _blueprints(services: Services) -> Sequence[Blueprint]:
    return (
        home_blueprint(services.access, services.address),
        health_blueprint(services.readiness),
        auth_blueprint(services.access, services.address),
        organizations_blueprint(services.organizations),
        projects_blueprint(services.projects),
        nodes_blueprint(services.nodes, services.address),
        install_blueprint(services.address),
        workers_blueprint(services.workers),
        reach_blueprint(services.reach),
    )


def _install_admission(app: Quart, doorkeeper: Doorkeeper) -> None:
    """Every route gets an `actor`, unless it is marked public; malformed ids are unknown ones."""
    open_endpoints = {endpoint for endpoint, view in app.view_functions.items() if is_public(view)}

    @app.before_request
    async def admit() -> None:
        g.request_id = request_id = request_id_of(request.headers)
        bind_contextvars(request_id=request_id)
        arguments = request.view_args
        if arguments is None or request.endpoint in open_endpoints:
            return
        actor = await doorkeeper.admit(request.headers, method=request.method, request_id=request_id)
        _require_ids(arguments)
        arguments["actor"] = actor

    @app.before_websocket
    async def identify() -> None:
        g.request_id = request_id_of(websocket.headers)
        bind_contextvars(request_id=g.request_id)
        _require_ids(websocket.view_args or {})


def _require_ids(arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name in IDS and not is_id(value, IDS[name][0]):
            noun = IDS[name][1]
            raise NotFound(f"{noun}_not_found", f"There is no {noun} {value!r}.", id=value)


def _install_headers(app: Quart, address: PublicAddress) -> None:
    policy = (
        f"default-src 'self'; script-src 'self'; connect-src 'self' {address.websocket_url}; "
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    )
    always = (
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    )

    def dress(headers: Headers) -> None:
        for name, value in always:
            headers.add(name, value)
        headers.add("X-Request-Id", g.get("request_id", ""))

    @app.after_request
    async def dress_response(response: Response) -> Response:
        dress(response.headers)
        return response

    @app.after_websocket  # type: ignore[type-var]  # Quart's own callers pass and take None for an accepted socket
    async def dress_refusal(response: Response | None) -> Response | None:
        if response is not None:
            dress(response.headers)
        return response
