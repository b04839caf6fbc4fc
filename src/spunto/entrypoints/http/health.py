"""Whether this process lives, and whether it should be given work."""

from collections.abc import Awaitable, Callable

from quart import Blueprint, Response

from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.http.responses import json_response

Readiness = Callable[[], Awaitable[str | None]]
"""Says why the process should be given no work now; None when it should. It bounds its own wait."""


def health_blueprint(readiness: Readiness) -> Blueprint:
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> Response:
        obstacle = await readiness()
        if obstacle is not None:
            raise Unavailable("not_ready", obstacle, retry_after_seconds=1)
        return json_response({"status": "ready"})

    return routes
