"""The figures for Prometheus, for whoever has the token or sits on this very machine."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quart import Blueprint, Response, request

from spunto.core.kernel.errors import Forbidden, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.security import PublicAddress, bearer_of


async def nothing() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is scraped, and the token that a scraper shows. Without one only loopback peers are let in."""

    scrape: Callable[[], Awaitable[bytes]] = nothing
    token: Secret | None = None


def metrics_blueprint(figures: Figures, clients: ClientAddresses, address: PublicAddress) -> Blueprint:
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    @operation(
        "Get the process's figures for Prometheus",
        description="With the token that the operator set as Bearer, or without one from the same machine.",
        answers={200: "text/plain"},
        errors=("credential_missing", "credential_not_good", "metrics_closed"),
        operation_id="getMetrics",
    )
    async def metrics() -> Response:
        if figures.token is not None:
            _require_token(figures.token)
        elif not _is_this_machine(clients, address):
            raise Forbidden("metrics_closed", "Set SPUNTO_METRICS_TOKEN, and send it as `Authorization: Bearer`.")
        return Response(await figures.scrape(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


def _is_this_machine(clients: ClientAddresses, address: PublicAddress) -> bool:
    """A server that others reach by its public name may have a proxy on its own machine, that says nothing of itself;
    and a foreign page may have had its name resolved to this machine."""
    named = request.headers.get("Host", "").lower() in address.hosts
    return address.is_loopback and named and clients.is_direct_loopback(request.remote_addr, request.headers)


def _require_token(token: Secret) -> None:
    shown = bearer_of(request.headers)
    if shown is None:
        raise Unauthenticated("credential_missing", "Send the metrics token as `Authorization: Bearer <token>`.")
    if not hmac.compare_digest(shown.reveal().encode(), token.reveal().encode()):
        raise Unauthenticated("credential_not_good", "This is not the metrics token.")
