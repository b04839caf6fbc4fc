"""The server process: opens what it needs, serves HTTP beside the reconcile loops, and closes in the right order."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress

import structlog
from hypercorn.asyncio import serve as serve_http
from quart import Quart

from spunto.adapters.prometheus.metrics import Metrics
from spunto.core.kernel.build import this_build
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.closing import RESTARTING
from spunto.core.webhooks.addresses import AddressRule
from spunto.entrypoints.http.app import Place, create_app
from spunto.entrypoints.http.metrics import Figures
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.library import NoKeyring, Spunto
from spunto.entrypoints.neighbours import replica_door
from spunto.entrypoints.readiness import READY_SECONDS, DatabaseReadiness
from spunto.entrypoints.scraping import Scraper
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.connections import DoorConfig
from spunto.entrypoints.serving.connections import install as install_connections
from spunto.entrypoints.serving.crowd import Crowd, connections_at_most
from spunto.entrypoints.serving.heads import MAX_HEAD_BYTES
from spunto.entrypoints.serving.identity import identity_provider
from spunto.entrypoints.serving.limits import Gate, Limits
from spunto.entrypoints.serving.listeners import last_let_in, turn_away
from spunto.entrypoints.serving.listening import listening_on
from spunto.entrypoints.serving.mailing import mailer_of
from spunto.entrypoints.serving.secret_settings import secret_of
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress
from spunto.entrypoints.serving.settings import Settings
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry
from spunto.entrypoints.serving.tracing import traced
from spunto.entrypoints.serving.unix_sockets import listening_on_socket
from spunto.entrypoints.ws.agents import agents_blueprint
from spunto.entrypoints.ws.edges import edges_blueprint
from spunto.entrypoints.ws.sockets import Sockets
from spunto.entrypoints.ws.streams import install as install_streams
from spunto.entrypoints.ws.terminal import terminal_blueprint

_SOCKETS_SECONDS = 3.0

log = structlog.get_logger()

Prepare = Callable[[Spunto], Awaitable[None]]
Obstacle = Callable[[], Awaitable[str | None]]
"""Says what is missing, None for nothing; raises SpuntoError where the database does not answer."""


async def serve(
    settings: Settings,
    listener: socket.socket,
    *,
    prepare: Prepare,
    stopping: asyncio.Event,
    no_keyring: NoKeyring = NoKeyring.MAKE,
    replica_listener: socket.socket | None = None,
    obstacle: Obstacle | None = None,
) -> None:
    """Serve until `stopping` is set. `prepare` runs before the first request is taken.

    `obstacle` says what else is missing before the server is ready.

    The other servers of the database come in by the `replica_listener`.
    """
    metrics = Metrics()
    counting = Telemetry(
        around_item=metrics.around_item,
        statement_took=metrics.statement_took,
        request_took=metrics.request_took,
        node_event=metrics.node_event,
    )
    async with (
        traced(counting, os.environ) as telemetry,
        identity_provider(settings) as provider,
        Spunto.on_database(
            settings.database,
            keyring=settings.keyring_file,
            no_keyring=no_keyring,
            pool_size=settings.database_pool_size,
            identity_provider=provider,
            owner_email=settings.owner_email,
            telemetry=telemetry,
            mailer=mailer_of(settings),
            public_url=settings.url,
            base_domain=settings.base_domain,
            webhook_rule=AddressRule(settings.webhook_allowed_networks),
            notify=settings.database_notify,
            replica_url=settings.replica_url,
        ) as spunto,
    ):
        await prepare(spunto)
        sockets, streams = Sockets(), Streams(spunto.wakeups, stalled_seconds=settings.stalled_seconds)
        metrics.count_live(sockets=lambda: len(sockets), agents=lambda: len(spunto.links))
        metrics.tell_builds(this_build(), spunto.links.builds)
        scraper = Scraper(metrics, spunto, clock=SystemClock())
        figures = Figures(scrape=scraper.scrape, token=_scraper_token(settings))
        app = application(
            spunto, settings, sockets, streams, stopping, figures=figures, telemetry=telemetry, obstacle=obstacle
        )
        install_streams()
        install_connections()
        log.info("listening", url=settings.url)
        async with asyncio.TaskGroup() as group:
            entrance = listener.dup()
            watching = group.create_task(scraper.watch_loop(), name="event loop lag")
            if replica_listener is not None:
                door, config = replica_door(spunto, sockets), _config(settings, replica_listener)
                group.create_task(serve_http(door, config, shutdown_trigger=stopping.wait), name="other servers")
            await serve_http(
                app,
                _config(settings, listener),
                shutdown_trigger=lambda: _stop(stopping, spunto, sockets, streams, entrance),
            )
            watching.cancel()
    log.info("stopped")


def _scraper_token(settings: Settings) -> Secret | None:
    return secret_of(settings.metrics_token, settings.metrics_token_file, setting="SPUNTO_METRICS_TOKEN")


def application(
    spunto: Spunto,
    settings: Settings,
    sockets: Sockets,
    streams: Streams,
    stopping: asyncio.Event,
    *,
    figures: Figures | None = None,
    telemetry: Telemetry = SILENT,
    obstacle: Obstacle | None = None,
) -> Quart:
    """All doors of one port; nothing is opened."""
    database = DatabaseReadiness(spunto, clock=SystemClock())

    async def readiness() -> str | None:
        if stopping.is_set():
            return "The server is stopping."
        found = await database.obstacle()
        if found is not None or obstacle is None:
            return found
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await obstacle()
        except (SpuntoError, TimeoutError):
            return "The database does not answer."

    address = PublicAddress(url=settings.url, is_guessed=settings.is_url_guessed)
    gate = Gate(
        Doorkeeper(spunto.access, address),
        Limits(settings.rates, clock=SystemClock()),
        ClientAddresses(settings.trusted_proxies, is_behind_edge=settings.socket is not None),
    )
    place = Place(
        streams=streams,
        readiness=readiness,
        address=address,
        gate=gate,
        figures=figures or Figures(),
        telemetry=telemetry,
        hosts=None if settings.public_url is None else address.hosts | frozenset(settings.allowed_hosts),
    )
    doors = (
        agents_blueprint(gate, spunto.gateway, sockets, came=telemetry.request_came),
        edges_blueprint(gate, spunto.edge_gateway, sockets, came=telemetry.request_came),
        terminal_blueprint(gate, spunto.reach, spunto.terminals, sockets, spunto.standing),
    )
    return create_app(spunto, place, doors=doors)


def listening(settings: Settings) -> AbstractContextManager[socket.socket]:
    """The socket to serve on, bound when it is entered. Raises Invalid then."""
    if settings.socket is not None:
        return listening_on_socket(settings.socket)
    return listening_on(settings.host, settings.port)


def _config(settings: Settings, listener: socket.socket) -> DoorConfig:
    """Hypercorn's own defaults leave sockets without pings and reads without an end."""
    config = DoorConfig(Crowd(connections_at_most(), monotonic=SystemClock().monotonic))
    # Hypercorn closes what it gets.
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = settings.grace_seconds
    config.shutdown_timeout = settings.grace_seconds
    config.backlog = 1024
    # Also how long a request's head may take. Not `read_timeout`: it would end whoever only listens, such as a follower
    # of events or the caller of a long exec; bodies have a time of their own.
    config.keep_alive_timeout = 60
    config.websocket_max_message_size = 1024 * 1024
    config.websocket_ping_interval = 20.0
    config.h11_max_incomplete_size = MAX_HEAD_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = "-"
    config.loglevel = "WARNING"
    return config


async def _stop(
    stopping: asyncio.Event, spunto: Spunto, sockets: Sockets, streams: Streams, entrance: socket.socket
) -> None:
    """Hypercorn's graceful end waits for every open socket, so they are closed first: agents come back by 1012.

    `entrance` is the listener once more: Hypercorn keeps its own to itself.
    """
    with entrance:
        await stopping.wait()
        await _end_long_answers(spunto, sockets, streams)
        turn_away(entrance)
        await last_let_in(entrance)


async def _end_long_answers(spunto: Spunto, sockets: Sockets, streams: Streams) -> None:
    log.info("stopping")
    spunto.links.close_all(code=RESTARTING, reason="server_restarting")
    with suppress(TimeoutError):
        async with asyncio.timeout(_SOCKETS_SECONDS):
            async with asyncio.TaskGroup() as group:
                group.create_task(sockets.close_all(RESTARTING))
                group.create_task(streams.end_all())
