"""The Quart application: routes, and what happens around each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from quart import Blueprint, Quart, Response, g
from werkzeug.datastructures import Headers

from spunto.entrypoints.http.activity import activity_blueprint
from spunto.entrypoints.http.admission import install_admission
from spunto.entrypoints.http.api_keys import api_keys_blueprint
from spunto.entrypoints.http.application import Application
from spunto.entrypoints.http.auth import auth_blueprint
from spunto.entrypoints.http.connection import DirectWebsocket, HttpConnection, WebsocketConnection
from spunto.entrypoints.http.devices import device_page_blueprint, devices_blueprint
from spunto.entrypoints.http.entry import entry_blueprint
from spunto.entrypoints.http.errors import install_error_handlers
from spunto.entrypoints.http.file_contents import FileContents
from spunto.entrypoints.http.files import files_blueprint
from spunto.entrypoints.http.guards import install_guards
from spunto.entrypoints.http.health import Readiness, health_blueprint
from spunto.entrypoints.http.home import home_blueprint
from spunto.entrypoints.http.install import install_blueprint
from spunto.entrypoints.http.invitation_page import invitation_page_blueprint
from spunto.entrypoints.http.invitations import invitations_blueprint
from spunto.entrypoints.http.matching import Route
from spunto.entrypoints.http.metrics import Figures, metrics_blueprint
from spunto.entrypoints.http.nodes import nodes_blueprint
from spunto.entrypoints.http.oauth import metadata_blueprint
from spunto.entrypoints.http.orgs import organizations_blueprint
from spunto.entrypoints.http.pages import install_pages
from spunto.entrypoints.http.projects import projects_blueprint
from spunto.entrypoints.http.reach import reach_blueprint
from spunto.entrypoints.http.reference import reference_blueprint
from spunto.entrypoints.http.refusals import install_refusals
from spunto.entrypoints.http.secrets import org_secrets_blueprint, secrets_blueprint
from spunto.entrypoints.http.sharing import sharing_blueprint
from spunto.entrypoints.http.sign_in import sign_in_blueprint
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.http.terminals import terminals_blueprint
from spunto.entrypoints.http.users import users_blueprint
from spunto.entrypoints.http.watching import install_watching
from spunto.entrypoints.http.webhooks import deliveries_blueprint, webhooks_blueprint
from spunto.entrypoints.http.worker_bulk import bulk_blueprint
from spunto.entrypoints.http.worker_idling import idling_blueprint
from spunto.entrypoints.http.workers import OF_ORGANIZATION, OF_PROJECT, all_workers_blueprint, workers_blueprint
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.limits import Gate
from spunto.entrypoints.serving.security import PublicAddress
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the doors need to know of the place they stand in."""

    streams: Streams
    readiness: Readiness
    address: PublicAddress
    gate: Gate
    hosts: frozenset[str] | None = None
    figures: Figures = field(default_factory=Figures)
    telemetry: Telemetry = SILENT
    max_body_bytes: int = 1024 * 1024
    body_timeout_seconds: int = 60


def create_app(spunto: Spunto, place: Place, *, doors: Sequence[Blueprint] = ()) -> Quart:
    """The application with the HTTP routes, and with the blueprints of the other doors that share its port."""
    app = Application("spunto")
    app.url_rule_class = Route
    app.config.update(
        MAX_CONTENT_LENGTH=place.max_body_bytes,
        BODY_TIMEOUT=place.body_timeout_seconds,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.asgi_http_class = HttpConnection
    app.asgi_websocket_class = WebsocketConnection
    app.websocket_class = DirectWebsocket
    install_error_handlers(app)
    install_guards(app, place.address, place.hosts, place.telemetry.request_came)
    for blueprint in (*_blueprints(spunto, place), *doors):
        app.register_blueprint(blueprint)
    install_admission(app, place.gate)
    install_watching(app, place.telemetry.request_took)
    install_refusals(app, spunto.refusals)
    _install_headers(app, place.address)
    install_pages(app, place.gate.doorkeeper, sign_in_on=spunto.sign_in.is_on)
    if place.telemetry.stand_before is not None:
        app.asgi_app = place.telemetry.stand_before(app.asgi_app)  # type: ignore[method-assign]  # as Quart advises
    return app


def _blueprints(spunto: Spunto, place: Place) -> Sequence[Blueprint]:
    return (
        home_blueprint(spunto.access, place.address, sign_in_on=spunto.sign_in.is_on),
        health_blueprint(place.readiness),
        metrics_blueprint(place.figures, place.gate.clients, place.address),
        auth_blueprint(spunto.sessions, place.address),
        api_keys_blueprint(spunto.api_keys),
        organizations_blueprint(spunto.organizations, spunto.members),
        activity_blueprint(spunto.activity, place.gate.doorkeeper, place.streams),
        webhooks_blueprint(spunto.webhooks),
        deliveries_blueprint(spunto.deliveries),
        users_blueprint(spunto.users),
        secrets_blueprint(spunto.secrets),
        org_secrets_blueprint(spunto.org_secrets),
        sign_in_blueprint(spunto.sign_in, place.address),
        invitations_blueprint(spunto.invitations, place.address, sign_in_on=spunto.sign_in.is_on),
        invitation_page_blueprint(spunto.invitations, spunto.access, place.address, sign_in_on=spunto.sign_in.is_on),
        devices_blueprint(spunto.devices, place.address, place.gate, sign_in_on=spunto.sign_in.is_on),
        metadata_blueprint(place.address),
        device_page_blueprint(spunto.devices, place.address, place.gate, sign_in_on=spunto.sign_in.is_on),
        projects_blueprint(spunto.projects),
        nodes_blueprint(spunto.nodes, spunto.node_waits, place.address),
        install_blueprint(place.address),
        reference_blueprint(place.address),
        workers_blueprint(spunto.workers, spunto.waits, spunto.history),
        all_workers_blueprint(spunto.workers, spunto.waits, spunto.history),
        bulk_blueprint(spunto.bulk),
        reach_blueprint(spunto.reach, place.gate.doorkeeper, spunto.standing, name="reach", under=OF_PROJECT),
        reach_blueprint(spunto.reach, place.gate.doorkeeper, spunto.standing, name="all_reach", under=OF_ORGANIZATION),
        files_blueprint(_contents(spunto, place), name="files", under=OF_PROJECT),
        files_blueprint(_contents(spunto, place), name="all_files", under=OF_ORGANIZATION),
        terminals_blueprint(spunto.terminals, name="terminals", under=OF_PROJECT),
        terminals_blueprint(spunto.terminals, name="all_terminals", under=OF_ORGANIZATION),
        idling_blueprint(spunto.idling, spunto.workers, name="idling", under=OF_PROJECT),
        idling_blueprint(spunto.idling, spunto.workers, name="all_idling", under=OF_ORGANIZATION),
        sharing_blueprint(spunto.sharing, name="sharing", under=OF_PROJECT),
        sharing_blueprint(spunto.sharing, name="all_sharing", under=OF_ORGANIZATION),
        entry_blueprint(spunto.doorman, spunto.addresses, place.gate.doorkeeper),
    )


def _contents(spunto: Spunto, place: Place) -> FileContents:
    return FileContents(spunto.files, spunto.reach, place.gate.doorkeeper, spunto.standing, place.streams)


def _install_headers(app: Quart, address: PublicAddress) -> None:
    policy = (
        f"default-src 'self'; script-src 'self'; connect-src 'self' {address.websocket_url}; "
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    )
    always = [
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Referrer-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("Cache-Control", "no-store"),
    ]
    if address.is_https:
        always.append(("Strict-Transport-Security", "max-age=31536000"))

    def dress(headers: Headers) -> None:
        # Asking the headers for one name after the other costs three times as much, at every answer.
        given = {name.lower() for name, _ in headers}
        headers.extend([(name, value) for name, value in always if name.lower() not in given])
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
