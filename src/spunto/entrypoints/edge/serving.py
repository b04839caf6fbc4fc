"""The edge's process: its link to the server, its relays to nodes, and its front door, together from start to end."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from spunto.adapters.websocket import dial
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.proxies import proxy_of
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.transport import Transport
from spunto.core.routes.asking import Dial, Done
from spunto.entrypoints.edge.activity import ActivityLog
from spunto.entrypoints.edge.clients import Clients
from spunto.entrypoints.edge.failures import Failures
from spunto.entrypoints.edge.gate import Gate
from spunto.entrypoints.edge.grants import Grants
from spunto.entrypoints.edge.http.front import Front
from spunto.entrypoints.edge.parking import Parking
from spunto.entrypoints.edge.reaching import Reaching
from spunto.entrypoints.edge.relay_door import RelayDoor
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.routes import RouteTable
from spunto.entrypoints.edge.seams import Target
from spunto.entrypoints.edge.server_link import CONNECT_PATH, ServerLink
from spunto.entrypoints.edge.settings import EdgeSettings
from spunto.entrypoints.edge.sockets import tcp_target, unix_target
from spunto.entrypoints.edge.tickets import Tickets
from spunto.entrypoints.edge.tunnels import Tunnels
from spunto.entrypoints.edge.visits import Doors
from spunto.entrypoints.serving.crowd import Crowd, connections_at_most
from spunto.entrypoints.serving.peers import Network, parsed_address, trusts

# Shorter than what our server keeps idle connections for.
_KEPT_SECONDS: Final = 30.0

log = structlog.get_logger()


async def serve(settings: EdgeSettings, listener: socket.socket, *, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set. Raises Invalid for settings that can't be used."""
    clock, routes = SystemClock(), RouteTable()
    link = ServerLink(
        _dialling(settings, settings.read_token()), url=settings.own_url, routes=routes, clock=clock, log=log.info
    )
    tickets = Tickets(clock)

    async def ask_dial(node_id: str, ticket: Secret) -> None:
        await link.ask(Dial(node_id=node_id, ticket=ticket, url=settings.own_url), Done)

    relays = Relays(ask_dial, edge_id=link.instance_id, clock=clock, tickets=tickets)
    # A request holds a second one, to the server.
    capacity = connections_at_most(descriptors_each=2)
    crowd = Crowd(capacity, monotonic=clock.monotonic, each_at_most=_shares(capacity, settings.trusted_proxies))
    tunnels = Tunnels(crowd=crowd, clock=clock)
    grants, activity = Grants(link, clock=clock), ActivityLog(link, clock=clock)
    doors = Doors(
        link=link,
        grants=grants,
        reaching=Reaching(routes, link, relays.connect, parking=Parking(), clock=clock),
        activity=activity,
        clients=Clients(settings.trusted_proxies),
        tunnels=tunnels,
        failures=Failures(clock),
        clock=clock,
    )
    gate = Gate(doors, server=_server_target(settings), relays=RelayDoor(relays, tickets))
    front = Front(gate, crowd=crowd)
    await front.listen(listener, tls=_tls(settings))
    log.info("edge_listening", url=settings.own_url, server=settings.server)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(link.run(), name="server link"),
            group.create_task(grants.run(), name="grants"),
            group.create_task(activity.run(), name="activity"),
            group.create_task(relays.run(), name="relays"),
            group.create_task(tunnels.run(), name="tunnels"),
        ]
        await stopping.wait()
        await front.aclose(grace_seconds=settings.grace_seconds)
        for task in tasks:
            task.cancel()


def _shares(capacity: int, proxies: Sequence[Network]) -> Callable[[str], int]:
    """No address takes all there is, but a proxy's, which stands for everybody."""

    def share_of(address: str) -> int:
        known = parsed_address(address)
        return capacity if known is not None and trusts(proxies, known) else capacity // 2

    return share_of


def _dialling(settings: EdgeSettings, token: Secret) -> Callable[[], Awaitable[Transport]]:
    path = settings.socket_path
    base = "ws://localhost" if path is not None else f"ws{settings.server.removeprefix('http').rstrip('/')}"
    url = f"{base}{CONNECT_PATH}"

    async def dial_server() -> Transport:
        try:
            return await dial(url, f"Bearer {token.reveal()}", socket_path=path, proxy=proxy_of(url))
        except (Invalid, OSError) as error:
            raise Unavailable("server_away", f"The server can't be reached: {error}") from error

    return dial_server


def _server_target(settings: EdgeSettings) -> Target:
    if settings.socket_path is not None:
        return unix_target(Path(settings.socket_path), kept_seconds=_KEPT_SECONDS)
    address = urlsplit(settings.server)
    if address.hostname is None:
        raise Invalid("invalid_settings", "SPUNTO_EDGE_SERVER names no host")
    if address.scheme == "http":
        return tcp_target(address.hostname, address.port or 80, kept_seconds=_KEPT_SECONDS)
    tls = ssl.create_default_context()
    tls.set_alpn_protocols(["http/1.1"])
    return tcp_target(address.hostname, address.port or 443, tls=tls, kept_seconds=_KEPT_SECONDS)


def _tls(settings: EdgeSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.private_key)
    context.set_alpn_protocols(["http/1.1"])
    return context
